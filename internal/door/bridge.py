"""Runs a command whose only way out is a socket: bridge.py SOCKET SECONDS COMMAND..."""

import asyncio
import os
import signal
import sys

CHUNK = 256 << 10


async def pipe(reader, writer):
    """Copies one direction, and passes its end on while the other one goes on."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def join(socket, inside, to_inside):
    """Leads a connection to the socket until both directions are over, or one breaks."""
    to_outside = None
    try:
        outside, to_outside = await asyncio.open_unix_connection(socket, limit=CHUNK)
        async with asyncio.TaskGroup() as both:
            both.create_task(pipe(inside, to_outside))
            both.create_task(pipe(outside, to_inside))
    except* OSError:
        pass  # whoever is left sees the connection end
    finally:
        for writer in (to_inside, to_outside):
            if writer is not None:
                writer.transport.abort() if sys.exc_info()[0] else writer.close()


def environment(port):
    """The variables of the command: all proxies are the bridge, for every host."""
    env = {k: v for k, v in os.environ.items() if k.lower() not in ("all_proxy", "no_proxy")}
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        env[name] = env[name.lower()] = f"http://127.0.0.1:{port}"
    env["NO_PROXY"] = env["no_proxy"] = ""
    return env


def send(process, number):
    """Signals the whole process group of the command."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


async def run(socket, seconds, command):
    server = await asyncio.start_server(lambda r, w: join(socket, r, w), "127.0.0.1", 0, limit=CHUNK, backlog=256)
    port = server.sockets[0].getsockname()[1]
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment(port), start_new_session=True)
    except OSError as e:
        print(f"{command[0]}: {e.strerror}", file=sys.stderr)
        return 127
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        asyncio.get_running_loop().add_signal_handler(number, send, process, number)
    try:
        status = await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        send(process, signal.SIGKILL)
        await process.wait()
        print(f"{command[0]}: not done after {seconds:g} seconds", file=sys.stderr)
        return 124
    return status if status >= 0 else 128 - status


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    status = asyncio.run(run(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # connections that are left over are nobody's


main()

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


async def join(socket, alive, inside, to_inside):
    """Leads a connection to the socket until both directions are over, or one breaks."""
    task, to_outside = asyncio.current_task(), None
    alive.add(task)  # asyncio's own references are weak, and a task that waits would be collected
    try:
        outside, to_outside = await asyncio.open_unix_connection(socket, limit=CHUNK)
        async with asyncio.TaskGroup() as both:
            both.create_task(pipe(inside, to_outside))
            both.create_task(pipe(outside, to_inside))
    except* OSError:
        pass  # whoever is left sees the connection end
    finally:
        alive.discard(task)
        for writer in (to_inside, to_outside):
            if writer is not None:
                writer.close()


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
    """Returns the status of the command."""
    alive = set()
    server = await asyncio.start_server(lambda r, w: join(socket, alive, r, w), "127.0.0.1", 0, limit=CHUNK, backlog=256)
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


async def main(socket, seconds, *command):
    status = await run(socket, float(seconds), command)
    sys.stderr.flush()
    os._exit(status)  # at once: connections that are left over are nobody's


if len(sys.argv) < 4:
    sys.exit(__doc__)
asyncio.run(main(*sys.argv[1:]))

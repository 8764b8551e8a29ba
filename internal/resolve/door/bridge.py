"""Runs a command whose only network access is a Unix socket: bridge.py SOCKET SECONDS COMMAND..."""

import asyncio
import os
import signal
import sys

CHUNK = 256 << 10


async def pipe(reader, writer):
    """Copies one direction, and forwards its end while the other stays open."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def join(socket, alive, inside, to_inside):
    """Forwards a connection to the socket until both directions end or one fails."""
    task, to_outside = asyncio.current_task(), None
    alive.add(task)  # asyncio's own references are weak: a waiting task would be collected
    try:
        outside, to_outside = await asyncio.open_unix_connection(socket, limit=CHUNK)
        async with asyncio.TaskGroup() as both:
            both.create_task(pipe(inside, to_outside))
            both.create_task(pipe(outside, to_inside))
    except* OSError:
        pass  # the remaining peer sees the connection close
    finally:
        alive.discard(task)
        for writer in (to_inside, to_outside):
            if writer is not None:
                writer.close()


def environment(port):
    """Returns the command's variables, in which the bridge is the proxy for every host."""
    env = {k: v for k, v in os.environ.items() if k.lower() not in ("all_proxy", "no_proxy")}
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        env[name] = env[name.lower()] = f"http://127.0.0.1:{port}"
    env["NO_PROXY"] = env["no_proxy"] = ""
    return env


def send(process, number):
    """Sends a signal to the command's process group."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


async def run(socket, seconds, command):
    """Runs the command and returns its exit status."""
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
        print(f"{command[0]}: did not finish within {seconds:g} seconds", file=sys.stderr)
        return 124
    return status if status >= 0 else 128 - status


async def main(socket, seconds, *command):
    status = await run(socket, float(seconds), command)
    sys.stderr.flush()
    os._exit(status)  # at once: nobody needs the remaining connections


if len(sys.argv) < 4:
    sys.exit(__doc__)
asyncio.run(main(*sys.argv[1:]))

"""Runs in the process that holds the models: it loads them, and carries out one order after the other.

    to it      {"do": "run", "id": 1, "order": {…}, "source": DIR, "film": {…}}, {"do": "stop", "id": 1}
    from it    {"at": "busy"} while it works, {"at": "loaded"}, {"at": "step", "id": 1, "segment": 1, …}, and for each
               order {"at": "done", "memory": BYTES, "gpu": BYTES}, {"at": "stopped"} or {"at": "failed", "said": …}

Messages use a socket, since libraries print to standard output. When the worker is gone,
this process ends with all that it started.
"""

import argparse
import contextlib
import ctypes
import gc
import importlib.util
import json
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from types import ModuleType

from channel import Channel
from encode import Encoder, Target
from film import Film
from order import Order

BUSY_SECONDS = 1.0
"""The interval between signs of life."""


def main(arguments: list[str]) -> int:
    """Load, then serve until the worker is gone."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--pipeline", type=Path, required=True)
    parser.add_argument("--setup", type=json.loads, required=True)
    options = parser.parse_args(arguments)
    desk = Desk(Channel(socket.socket(fileno=options.fd)))
    threading.Thread(target=orphaned, args=(os.getppid(),), daemon=True).start()
    threading.Thread(target=desk.listen, daemon=True).start()
    try:
        started = time.monotonic()
        pipeline = module(options.pipeline).open_pipeline(options.setup, desk.busy)
    except BaseException:
        desk.channel.send(at="failed", said=traceback.format_exc())
        return 1
    desk.channel.send(at="loaded", said=f"loaded in {time.monotonic() - started:.0f} s")
    while True:
        serve(pipeline, desk, desk.orders.get())


def module(path: Path) -> ModuleType:
    """Return the pipeline's module, which can import the modules next to it."""
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location("the_pipeline", path)
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


class Desk:
    """Receives orders, and reports what becomes of them."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.orders: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self._stopped, self._told = 0, 0.0

    def listen(self) -> None:
        """Receive the worker's messages."""
        for message in self.channel:
            if message["do"] == "stop":
                self._stopped = message["id"]
            else:
                self.orders.put(message)
        end()

    def stopped(self, number: int) -> bool:
        """Tell whether an order must end."""
        return self._stopped >= number

    def look(self, number: int) -> bool:
        """Tell the same to the pipeline: every block asks, so it is also a sign of life."""
        self.busy()
        return self.stopped(number)

    def busy(self, *_: object) -> None:
        """Send a sign of life, but not too often."""
        if time.monotonic() - self._told > BUSY_SECONDS:
            self._told = time.monotonic()
            self.channel.send(at="busy")


def serve(pipeline: object, desk: Desk, message: dict) -> None:
    """Carry out an order, and report its outcome."""
    number = message["id"]

    def step(segment: int, segments: int, step: int, steps: int) -> None:
        desk.channel.send(at="step", id=number, segment=segment, segments=segments, step=step, steps=steps)

    said, left = "", {}
    try:
        make(pipeline, message, step, desk)
    except Exception:
        said = traceback.format_exc()
    try:
        left = tidied()
    except Exception:  # a CUDA error may surface only here
        said = said or traceback.format_exc()
    if desk.stopped(number):  # whatever error ended it
        desk.channel.send(at="stopped", id=number)
    elif said:
        desk.channel.send(at="failed", id=number, said=said)
    else:
        desk.channel.send(at="done", id=number, **left)


def make(pipeline: object, message: dict, step: object, desk: Desk) -> None:
    """Make an order's film, frame by frame into its file."""
    order, number = Order(**message["order"]), message["id"]
    frames = Film(Path(message["source"]), order.replaces)
    sides = frames.width, frames.height
    with Encoder(Target(**message["film"]), frames.count, *sides, lambda: desk.stopped(number)) as encoder:
        pipeline.run(order, frames, encoder.write, step, lambda: desk.look(number))


def tidied() -> dict[str, int]:
    """Release the order's memory, and return the bytes still held, on the host and on the GPU."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    left = {"memory": pages * os.sysconf("SC_PAGE_SIZE"), "gpu": 0}
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.empty_cache()
        left["gpu"] = torch.cuda.memory_allocated()
    return left


def orphaned(parent: int) -> None:
    """End with the worker, even if a fork of it holds the other end of the socket."""
    while os.getppid() == parent:
        time.sleep(1)
    end()


def end() -> None:
    """End this process and its group."""
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A lease on a directory of a network volume: one worker fetches into it, the others wait for that.

Kernel locks don't work across machines on every volume. A file that only one worker can
create, and that it touches as long as it lives, does.
"""

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from errors import StartError
from log import log

BEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
LOOK_SECONDS = 2.0


@contextlib.contextmanager
def held(path: Path, stop: threading.Event, done: Callable[[], bool]) -> Iterator[bool]:
    """Yield True with the lease, or False once another worker has finished the work."""
    ours = f"{_name()} {os.getpid()} {uuid.uuid4().hex}"
    if not _wait(path, ours, stop, done):
        yield False
        return
    ended = threading.Event()
    threading.Thread(target=_beat, args=(path, ours, ended), daemon=True).start()
    try:
        yield True
    finally:
        ended.set()
        if _holds(path, ours):
            with contextlib.suppress(OSError):
                path.unlink()


def _wait(path: Path, ours: str, stop: threading.Event, done: Callable[[], bool]) -> bool:
    """Return whether the lease is ours; False if it is no longer needed."""
    seen, since = "", 0.0
    while not _take(path, ours):
        state = _state(path)
        if state != seen:
            if not seen:
                log("weights: another worker is fetching them; waiting for it")
            seen, since = state, time.monotonic()
        if _left_by_us(state) or time.monotonic() - since > STALE_SECONDS:
            log("weights: the worker that was fetching them is gone; taking over")
            _break(path)
        elif stop.wait(LOOK_SECONDS):
            raise StartError("told to stop")
        elif done():
            return False
    return True


def _take(path: Path, ours: str) -> bool:
    try:
        with open(path, "x") as file:
            file.write(ours)
    except FileExistsError:
        return False
    return True


def _holds(path: Path, ours: str) -> bool:
    """Tell whether the lease is still ours: a worker that stalls too long loses it to another."""
    try:
        return path.read_text() == ours
    except (OSError, ValueError):
        return False


def _name() -> str:
    return os.environ.get("RUNPOD_POD_ID") or socket.gethostname()


def _state(path: Path) -> str:
    """Return who holds the lease and when they last renewed it; opening the file asks the volume again."""
    try:
        with open(path) as file:
            return f"{file.read(200)} {os.fstat(file.fileno()).st_mtime_ns}"
    except OSError:
        return "gone"


def _left_by_us(state: str) -> bool:
    """Tell whether an earlier life of this worker holds the lease."""
    name, _, rest = state.partition(" ")
    pid = rest.partition(" ")[0]
    if name != _name() or not pid.isdigit():
        return False
    return int(pid) == os.getpid() or not os.path.exists(f"/proc/{pid}")


def _break(path: Path) -> None:
    with contextlib.suppress(OSError):
        aside = path.with_name(f"{path.name}-{uuid.uuid4().hex}")
        path.rename(aside)  # one of many succeeds
        aside.unlink()


def _beat(path: Path, ours: str, ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        if _holds(path, ours):
            with contextlib.suppress(OSError):
                os.utime(path)

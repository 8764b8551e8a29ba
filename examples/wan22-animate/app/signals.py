"""SIGTERM and SIGINT: a handler may interrupt anything, so it only wakes a thread that does the rest.

A lock that the interrupted code holds, stderr's or an event's, would never be released.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

NUMBERS = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Calls end in its own thread once the process is told to stop; PID 1 has no default action."""

    def __init__(self, end: Callable[[], None]) -> None:
        self.end = end
        self._process = os.getpid()
        self._theirs: Callable | None = None
        self._read, self._write = os.pipe()
        threading.Thread(target=self._wait, daemon=True).start()

    def install(self) -> None:
        """Install the handler; it also calls an existing one, such as the SDK's."""
        for number in NUMBERS:
            there = signal.getsignal(number)
            if there == self._heard:
                continue
            if callable(there) and there is not signal.default_int_handler:
                self._theirs = there
            signal.signal(number, self._heard)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a fork, such as the SDK's for its pings
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if self._theirs:
            with contextlib.suppress(Exception):
                self._theirs(number, frame)
        os.write(self._write, b"x")

    def _wait(self) -> None:
        os.read(self._read, 1)
        self.end()

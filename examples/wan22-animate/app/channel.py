"""Lines of JSON over a socket, between the worker and the process that holds the models."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator


class Channel:
    """One end of the socket; any thread may send, one reads."""

    def __init__(self, link: socket.socket) -> None:
        self._link, self._lock = link, threading.Lock()

    def send(self, **message: object) -> None:
        """Send a message; only the reader notices that the other end is gone."""
        line = json.dumps(message).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            self._link.sendall(line)

    def __iter__(self) -> Iterator[dict]:
        """Yield the messages that arrive, until the other end is gone."""
        with contextlib.suppress(OSError), self._link.makefile("rb") as lines:
            for line in lines:
                yield json.loads(line)

    def close(self) -> None:
        """Close the socket, so that the other end notices."""
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()

"""A job's requests: addresses are checked on every redirect, and every wait has an end."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO
from urllib.parse import SplitResult, quote, urljoin

import addresses
from errors import FULL, OutOfTime, Stopped
from values import check_url

REDIRECTS = 5
SILENCE = 20.0
"""Seconds without a byte after which a server counts as gone."""
MOVED = (301, 302, 303, 307, 308)


class Unreachable(Exception):
    """A URL that can't be used; the message says why, without the URL."""

    def __init__(self, message: str, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing
        """Whether a retry may succeed."""


class Clock:
    """A job's deadline, and whether it was told to stop earlier."""

    def __init__(self, seconds: float, stop: threading.Event) -> None:
        self.seconds, self.stop = seconds, stop
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def check(self, doing: str) -> None:
        """Raise an error if the job must end."""
        if self.stop.is_set():
            raise Stopped
        if self.left() <= 0:
            raise OutOfTime(doing, self.seconds)

    def waiting(self) -> float:
        """Return the seconds to wait at most: none once the job was stopped."""
        return 0.0 if self.stop.is_set() else self.left()

    def within(self, seconds: float) -> "Clock":
        """Return a clock that ends with this one or after seconds, whichever is first."""
        return Clock(min(seconds, self.left()), self.stop)


@contextmanager
def get(url: str, private: bool, clock: Clock) -> Iterator[http.client.HTTPResponse]:
    """Open a URL, following redirects."""
    for _ in range(REDIRECTS + 1):
        with exchange("GET", url, private, clock) as response:
            if response.status not in MOVED:
                _expect(response, (200,))
                yield response
                return
            url = _target(url, response)
    raise Unreachable(f"redirects more than {REDIRECTS} times")


def put(url: str, private: bool, clock: Clock, body: BinaryIO, headers: dict[str, str]) -> None:
    """Send a file to a URL."""
    for _ in range(REDIRECTS + 1):
        body.seek(0)
        with exchange("PUT", url, private, clock, body, headers) as response:
            if response.status not in (307, 308):
                _expect(response, (200, 201, 202, 204))
                return
            url = _target(url, response)
    raise Unreachable(f"redirects more than {REDIRECTS} times")


def look_up(url: str, private: bool, clock: Clock) -> None:
    """Raise Unreachable for a URL that leads nowhere or into a private network; nothing is sent."""
    parts = _parts(url)
    with _words(clock):
        addresses.resolve(parts.hostname, parts.port or 443, private, clock.waiting)


@contextmanager
def exchange(
    method: str, url: str, private: bool, clock: Clock, body: BinaryIO | None = None, headers: dict | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Send one request and yield its response; the clock ends it wherever it hangs."""
    parts = _parts(url)
    silence = min(SILENCE, clock.left() or 0.01)
    link = addresses.connection(parts.scheme, parts.hostname, parts.port, private, silence, clock.waiting)
    sent = {"Accept-Encoding": "identity", "User-Agent": "wan22-animate", **(headers or {})}
    with _words(clock), ended(lambda: link.wire, clock):
        try:
            _send(link, method, _path(parts), body, sent)
            with link.getresponse() as response:
                yield response
        finally:
            link.close()


def _send(link: addresses.Connection, method: str, path: str, body: BinaryIO | None, headers: dict) -> None:
    try:
        link.request(method, path, body, headers)
    except (BrokenPipeError, ConnectionResetError):
        if body is None or link.sock is None:
            raise
        # the server refused a file before it had all of it: its answer says why


def _parts(url: str) -> SplitResult:
    try:
        return check_url(url)
    except ValueError as err:
        raise Unreachable("leads to a URL that is neither http nor https") from err


def _path(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(parts.query, safe=_QUERY)}" if parts.query else path


_QUERY = "/?%:@!$&'()*+,;=~-._[]"


def _target(url: str, response: http.client.HTTPResponse) -> str:
    target = response.headers.get("Location", "")
    if not target:
        raise Unreachable("leads to a redirect without a target")
    return urljoin(url, target)


def _expect(response: http.client.HTTPResponse, wanted: tuple[int, ...]) -> None:
    if response.status not in wanted:
        reason = http.client.responses.get(response.status, "")
        passing = response.status in (408, 429) or response.status >= 500
        raise Unreachable(f"was answered with {response.status} {reason}".rstrip(), passing)


@contextmanager
def _words(clock: Clock) -> Iterator[None]:
    """Reword the libraries' errors, which quote hosts and paths."""
    try:
        yield
    except addresses.Refused:
        raise Unreachable("leads into a private network (set ALLOW_PRIVATE_ADDRESSES=1 to allow it)") from None
    except socket.gaierror:
        raise Unreachable("names a host that can't be found") from None
    except (OSError, http.client.HTTPException, ValueError) as err:
        clock.check("waiting for a server")
        if isinstance(err, OSError) and err.errno in FULL:
            raise  # the disk of the file being written
        raise Unreachable(_why(err), passing=True) from err


def _why(err: Exception) -> str:
    if isinstance(err, TimeoutError):
        return "was not answered in time"
    if isinstance(err, ConnectionRefusedError):
        return "leads to a host that refuses connections"
    if type(err).__name__ == "SSLCertVerificationError":
        return "leads to a host whose certificate is not valid"
    return f"can't be read completely ({type(err).__name__})"


@contextmanager
def ended(wire: Callable[[], socket.socket | None], clock: Clock, how: int = socket.SHUT_RDWR) -> Iterator[None]:
    """Cut a connection when time is up or the job is stopped: a timeout alone applies to each byte."""
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(wire, clock, how, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


def _watch(wire: Callable[[], socket.socket | None], clock: Clock, how: int, done: threading.Event) -> None:
    while not done.wait(0.1):
        if not clock.waiting() and (sock := wire()):
            with suppress(OSError):  # of the plain socket: TLS's own shutdown would continue unencrypted
                socket.socket.shutdown(sock, how)

"""Downloads a file from the hub: resumed where it was cut, verified as a whole, and only then given its name."""

import contextlib
import email.utils
import http.client
import math
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import addresses
from errors import FULL, StartError
from log import log
from modellist import File
from part import Count, Part, Passing

TRIES = 8
"""Consecutive attempts without a new byte."""
WAITS = (1, 2, 4, 8, 15, 30)
MAX_WAIT = 300.0
REDIRECTS = 5
CORRUPTED = 3
"""Times that a file may arrive with wrong content."""


class Hub:
    """A hub at one revision of a model, whose files are at base; all threads share its pauses."""

    def __init__(self, base: str, token: str, silence: float, stop: threading.Event) -> None:
        self._base = base
        self._token, self._silence, self.stop = token, silence, stop
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._links: set[addresses.Connection] = set()

    def cut(self) -> None:
        """Break all connections: waiting reads would otherwise last until they time out."""
        for link in tuple(self._links):
            if link.wire:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(link.wire, socket.SHUT_RDWR)

    def fetch(self, file: File, directory: Path, count: Count) -> None:
        """Download a file to a directory; count receives the bytes that arrive."""
        part = Part(directory, file)
        failures = corrupted = 0
        while True:
            before = part.size()
            try:
                self._continue(file, part, count)
                if part.accept():
                    return
                count(-file.size)
                corrupted += 1
                if corrupted == CORRUPTED:
                    raise _corrupted(file) from None
            except Passing as err:
                failures = 1 if part.size() > before else failures + 1
                if failures == TRIES:
                    raise StartError(f"weights: {file.path} can't be fetched: {err}") from err
                self._wait(file, err, failures)

    def _wait(self, file: File, err: Passing, failures: int) -> None:
        seconds = min(max(err.wait, WAITS[min(failures, len(WAITS)) - 1]), MAX_WAIT)
        log(f"weights: {file.path}: {err}; retrying in {seconds:.0f} s")
        if err.wait:  # the hub's request to all threads
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + seconds)
        else:
            self._pause(seconds)

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(max(0.0, seconds)):
            raise StartError("told to stop")

    def _continue(self, file: File, part: Part, count: Count) -> None:
        self._pause(self._not_before - time.monotonic())
        if part.size() == file.size:
            return
        try:
            self._request(file, part, count)
        except (TimeoutError, http.client.HTTPException, ConnectionError) as err:
            raise Passing(f"the connection broke ({type(err).__name__})") from err
        except OSError as err:
            if err.errno in FULL or err.filename:
                why = os.strerror(err.errno or 0).lower()
                raise StartError(f"weights: can't write {file.path}: {why}") from err
            raise Passing(f"the hub can't be reached ({type(err).__name__})") from err

    def _request(self, file: File, part: Part, count: Count) -> None:
        url = self._base + quote(file.source)
        for _ in range(REDIRECTS + 1):
            with self._link(url) as link:
                link.request("GET", _target(url), headers=self._headers(url, part))
                with link.getresponse() as response:
                    if response.status not in (301, 302, 303, 307, 308):
                        self._take(response, file, part, count)
                        return
                    url = urljoin(url, response.headers.get("Location", ""))
        raise StartError(f"weights: {file.path}: the hub redirects endlessly")

    @contextlib.contextmanager
    def _link(self, url: str) -> Iterator[addresses.Connection]:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StartError("weights: the hub's address is not an http(s) URL: check HF_ENDPOINT")
        link = addresses.connection(parts.scheme, parts.hostname, parts.port, True, self._silence, self._left)
        self._links.add(link)
        try:
            yield link
        finally:
            self._links.discard(link)
            link.close()

    def _left(self) -> float:
        return 0.0 if self.stop.is_set() else math.inf

    def _headers(self, url: str, part: Part) -> dict[str, str]:
        """Return a request's headers; only the hub itself gets the token, no redirect's target."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "wan22-animate"}
        if self._token and urlsplit(url)[:2] == urlsplit(self._base)[:2]:
            headers["Authorization"] = f"Bearer {self._token}"
        if size := part.size():
            headers["Range"] = f"bytes={size}-"
            if tag := part.tag():
                headers["If-Range"] = tag
        return headers

    def _take(self, response: http.client.HTTPResponse, file: File, part: Part, count: Count) -> None:
        at = part.size()
        if response.status == 200 and at:
            count(-at)  # it doesn't resume, or the file has changed
            at = part.reset()
        elif response.status == 206:
            _check_range(response, at, file, part)
        elif response.status == 416:
            count(-at)
            part.reset()
            raise Passing("the hub has no such range")
        elif response.status != 200:
            raise _refusal(response, file)
        if at:
            log(f"weights: resuming {file.path} at {at} bytes")
        part.write(response, count, self.stop, response.headers.get("ETag", ""))


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _check_range(response: http.client.HTTPResponse, at: int, file: File, part: Part) -> None:
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not match or int(match[1]) != at or match[2] not in ("*", str(file.size)):
        part.reset()
        raise Passing("the hub sent a different range than requested")


def _corrupted(file: File) -> StartError:
    return StartError(
        f"weights: {file.path} arrives with content that differs from the image's list: "
        "build the image again, or check HF_ENDPOINT"
    )


def _refusal(response: http.client.HTTPResponse, file: File) -> Exception:
    status = response.status
    if status == 429 or status >= 500 or status == 408:
        return Passing(f"the hub answers {status}", pause(response.headers, time.time()))
    cure = "check that the model and its revision are still there"
    if status in (401, 403):
        cure = "set HF_TOKEN to a token that may read the model"
    return StartError(f"weights: the hub answers {status} for {file.path}: {cure}")


def pause(headers: http.client.HTTPMessage, now: float) -> float:
    """Return the seconds that a server asks its clients to wait."""
    after = headers.get("Retry-After", "").strip()
    if after.isascii() and after.isdigit() and len(after) < 7:
        return float(after)
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - now)
    spent = re.search(r";\s*r=0\s*;\s*t=(\d{1,6})\b", headers.get("RateLimit", ""))
    return float(spent[1]) if spent else 0.0

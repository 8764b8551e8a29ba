"""Speaks to package indexes and file servers: logins, retries, parts of files."""

import base64
import functools
import hashlib
import http.client
import io
import netrc
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import IO, TypeVar
from urllib.parse import unquote, urlsplit

TIMEOUT = 20  # seconds that a server may say nothing
ATTEMPTS = 3
PAUSE = 0.6  # seconds before the second attempt; twice that before the third
CHUNK = 1 << 18
CIRCLE = urllib.request.HTTPRedirectHandler.inf_msg  # begins what urllib says of one

Result = TypeVar("Result")


class Fault(Exception):
    """Something that the user has to hear of. kind is "usage", "transient" or "failure"."""

    def __init__(self, kind: str, message: str, hint: str = "", status: int = 0, host: str = "") -> None:
        super().__init__(message)
        self.kind, self.message, self.hint = kind, message, hint
        self.status = status  # of HTTP, where a server refused
        self.host = host  # that asks for a login
        self.lines: list[str] = []  # of the requirements that it is about
        self.file = ""  # that pip had in hand, as pip names it

    def saying(self, message: str) -> "Fault":
        """Returns the same in other words."""
        other = Fault(self.kind, message, self.hint, self.status, self.host)
        other.lines, other.file = self.lines, self.file
        return other


class NoParts(Exception):
    """A server sends a file whole or not at all. It is no OSError: zipfile takes those for a bad archive."""


def fetch(url: str, use: Callable[..., Result], headers: dict[str, str] | None = None, method: str = "GET") -> Result:
    """Returns what use makes of the answer. What may pass is tried again, what the server refuses is a Fault."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with opener().open(request(url, headers or {}, method), timeout=TIMEOUT) as answer:
                return use(answer)
        except urllib.error.HTTPError as e:
            e.close()
            if str(e.msg).startswith(CIRCLE):
                raise Fault("failure", f"{url}: the server redirects in a circle") from e
            if not passes(e.code) or attempt == ATTEMPTS:
                raise refused(url, e.code) from e
        # A connection that is cut is no OSError to http.client.
        except (OSError, http.client.HTTPException) as e:
            if attempt == ATTEMPTS:
                raise Fault("transient", f"{url}: {getattr(e, 'reason', e)}, also after {attempt} attempts") from e
        time.sleep(PAUSE * attempt)
    raise AssertionError("unreachable")


def request(url: str, headers: dict[str, str], method: str) -> urllib.request.Request:
    r = urllib.request.Request(url, headers={"User-Agent": "lamina", "Accept-Encoding": "identity", **headers}, method=method)
    if login := login_for(urlsplit(url).hostname):
        # Not among the headers that follow a redirect to another host.
        r.add_unredirected_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    return r


class Redirects(urllib.request.HTTPRedirectHandler):
    """Asks anew where a redirect leads: in the same way, and with the login of that host if there is one."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if super().redirect_request(req, fp, code, msg, headers, newurl) is None:
            return None
        new = request(newurl, dict(req.headers), req.get_method())
        if req.type == "https" and new.type != "https":
            new.remove_header("Authorization")
        return new


@functools.cache
def opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(Redirects)


def login_for(host: str | None) -> str:
    """Returns user:password, as pip takes it from the same file."""
    path = os.environ.get("NETRC", "")
    if not path or not os.path.exists(path):
        return ""
    found = netrc.netrc(path).authenticators(host or "")
    return f"{found[0]}:{found[2]}" if found else ""


def passes(code: int) -> bool:
    return code >= 500 and code != 501 or code == 429


def refused(url: str, code: int) -> Fault:
    match code:
        case 401 | 403:
            host = urlsplit(url).hostname or ""
            hint = f"put a login for {host} into ~/.netrc"
            return Fault("usage", f"{url}: the server asks for a login, or refuses the one it got ({code})", hint, code, host)
        case 404 | 410:
            hint = "an index may have dropped it: ask for another version"
            return Fault("usage", f"{url}: the server has no such file ({code})", hint, code)
        case _:
            return Fault("transient" if passes(code) else "failure", f"{url}: the server answers {code}", "", code)


def file_name(url: str) -> str:
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1])


def read_all(url: str, headers: dict[str, str] | None = None) -> tuple[bytes, str, str]:
    """Returns the content, its type and the URL it came from in the end."""
    return fetch(url, lambda answer: (answer.read(), answer.headers.get_content_type(), answer.url), headers)


def download(url: str, file: IO[bytes]) -> str:
    """Writes the content into a file, since wheels have gigabytes, and returns its sha256."""

    def copy(answer) -> str:
        file.seek(0)
        file.truncate()
        digest = hashlib.sha256()
        while data := answer.read(CHUNK):
            file.write(data)
            digest.update(data)
        if short := missing(answer, file.tell()):
            raise OSError(short)
        return digest.hexdigest()

    return fetch(url, copy)


def missing(answer, got: int) -> str:
    """http.client takes a connection that was cut for the end of a file that is read in pieces."""
    length = announced(answer)
    return f"{got} of {length} bytes came" if length >= 0 and got != length else ""


def announced(answer) -> int:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else -1


def size_of(url: str) -> int:
    """Returns the size that the server announces, or -1."""
    try:
        return fetch(url, announced, method="HEAD")
    except Fault as fault:
        if fault.status in (400, 403, 405, 501):  # it may all the same answer GET
            return -1
        raise


class RemoteFile(io.RawIOBase):
    """A file on a server, read in parts: the directory of a wheel lies at its end."""

    def __init__(self, url: str, size: int) -> None:
        self.url, self.size, self.at, self.parts = url, size, 0, {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        return self.at

    def readinto(self, buffer) -> int:
        start = self.at - self.at % CHUNK
        data = self.part(start)[self.at - start :][: len(buffer)]
        buffer[: len(data)] = data
        self.at += len(data)
        return len(data)

    def part(self, start: int) -> bytes:
        if start >= self.size:
            return b""
        if start not in self.parts:
            end = min(start + CHUNK, self.size) - 1
            self.parts[start] = fetch(self.url, functools.partial(whole_part, end + 1 - start), {"Range": f"bytes={start}-{end}"})
        return self.parts[start]


def whole_part(length: int, answer) -> bytes:
    if answer.status != 206:
        raise NoParts
    data = answer.read()
    if len(data) != length:
        raise OSError(f"{len(data)} of {length} bytes came")
    return data

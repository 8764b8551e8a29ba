"""Speaks to package indexes and file servers: logins, retries, parts of files."""

import base64
import io
import netrc
import os
import time
import urllib.error
import urllib.request
from urllib.parse import unquote, urlsplit

TIMEOUT = 20  # seconds that a server may say nothing
ATTEMPTS = 3
CHUNK = 1 << 18


class Fault(Exception):
    """Something that the user has to hear of. kind is "usage", "transient" or "failure"."""

    def __init__(self, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.kind, self.message, self.hint = kind, message, hint


def open_url(url: str, headers: dict[str, str] | None = None, method: str = "GET"):
    """Opens a URL. What may pass is tried again, what the server refuses is a Fault."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return urllib.request.urlopen(request(url, headers or {}, method), timeout=TIMEOUT)
        except urllib.error.HTTPError as e:
            if e.code < 500 and e.code != 429 or attempt == ATTEMPTS:
                raise refused(url, e.code) from e
        except OSError as e:
            if attempt == ATTEMPTS:
                raise Fault("transient", f"{url}: {getattr(e, 'reason', e)}, also after {attempt} attempts") from e
        time.sleep(0.3 * 2**attempt)
    raise AssertionError("unreachable")


def request(url: str, headers: dict[str, str], method: str) -> urllib.request.Request:
    r = urllib.request.Request(url, headers={"User-Agent": "lamina", "Accept-Encoding": "identity", **headers}, method=method)
    if login := login_for(urlsplit(url).hostname):
        # Not among the headers that follow a redirect to another host.
        r.add_unredirected_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    return r


def login_for(host: str | None) -> str:
    """Returns user:password, as pip takes it from the same file."""
    path = os.environ.get("NETRC", "")
    if not path or not os.path.exists(path):
        return ""
    found = netrc.netrc(path).authenticators(host or "")
    return f"{found[0]}:{found[2]}" if found else ""


def refused(url: str, code: int) -> Fault:
    match code:
        case 401 | 403:
            hint = f"put a login for {urlsplit(url).hostname} into ~/.netrc"
            return Fault("usage", f"{url}: the server asks for a login, or refuses the one it got ({code})", hint)
        case 404 | 410:
            return Fault("usage", f"{url}: the server has no such file ({code})", "an index may have dropped it: ask for another version")
        case _:
            return Fault("transient" if code >= 500 or code == 429 else "failure", f"{url}: the server answers {code}")


def file_name(url: str) -> str:
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1])


def read_all(url: str, headers: dict[str, str] | None = None) -> tuple[bytes, str, str]:
    """Returns the content, its type and the URL it came from in the end. A cut connection is tried again."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with open_url(url, headers) as answer:
                data = answer.read()
                if short := missing(answer, len(data)):
                    raise OSError(short)
                return data, answer.headers.get_content_type(), answer.url
        except OSError as e:
            if attempt == ATTEMPTS:
                raise Fault("transient", f"{url}: {e}, also after {attempt} attempts") from e
    raise AssertionError("unreachable")


def missing(answer, got: int) -> str:
    """urllib takes a connection that was cut for the end of the file."""
    length = answer.headers.get("Content-Length")
    return f"{got} of {length} bytes came" if length and got != int(length) else ""


def size_of(url: str) -> int:
    """Returns the size that the server announces, or -1."""
    with open_url(url, method="HEAD") as answer:
        return int(answer.headers.get("Content-Length") or -1)


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
            with open_url(self.url, {"Range": f"bytes={start}-{end}"}) as answer:
                if answer.status != 206:
                    raise io.UnsupportedOperation("the server sends no parts")
                self.parts[start] = answer.read()
        return self.parts[start]

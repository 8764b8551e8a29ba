"""Values of a job's fields: URLs, base64, sides; a ValueError describes an invalid one."""

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

MAX_AREA = 1280 * 720
SIDES = range(256, 2049)
GRID = 16
"""Wan's resize_by_area rounds to it anyway."""
MAX_URL = 8192
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


@dataclass(frozen=True)
class Source:
    """A file that a URL or the job itself supplies."""

    url: str = ""
    content: bytes = b""


class TooLarge(ValueError):
    """A file over its limit."""


def check_url(text: str) -> SplitResult:
    """Return a URL's parts; raise a ValueError for an unusable one."""
    if re.search(r"[\x00-\x20\x7f]", text) or len(text) > MAX_URL:
        raise ValueError("has spaces or control characters, or is over 8192 characters")
    url = urlsplit(text)
    if url.scheme.lower() not in ("http", "https"):
        raise ValueError(f"is a {url.scheme}: URL: use http or https")
    if not url.hostname or url.port == 0:
        raise ValueError("names no host")
    if url.username is not None or url.password is not None:
        raise ValueError("carries a user name; use a presigned URL")
    text.encode(), url.hostname.encode("idna")  # a UnicodeError of what can't be sent or looked up is a ValueError
    return url


def parse_source(value: object, limit: int) -> Source:
    """Return the file that a field names or holds."""
    if value is None or value == "":
        raise ValueError("is missing: give an http(s) URL or base64")
    if not isinstance(value, str):
        raise ValueError(f"is {kind(value)}, not a string with a URL or base64")
    if value[:5].lower() == "data:":
        return Source(content=_decode(_data(value), limit))
    if SCHEME.match(value[:32]):
        check_url(value)
        return Source(url=value)
    return Source(content=_decode(value, limit))


def _data(value: str) -> str:
    head, comma, body = value.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise ValueError("is a data URL without ;base64")
    return body


def _decode(text: str, limit: int) -> bytes:
    if len(text) * 3 // 4 > limit + limit // 25 + 4:  # line ends are less than a 25th
        raise TooLarge(f"is over {limit} bytes: give a smaller one")
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is neither an http(s) URL nor base64") from None
    if len(content) > limit:
        raise TooLarge(f"has {len(content)} bytes, over {limit}: give a smaller one")
    return content


def parse_sides(value: object) -> tuple[int, int]:
    """Return the sides that "1280x720" or [1280, 720] names."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d{1,5})[xX*](\d{1,5})", value.strip(), re.ASCII)
        value = [int(side) for side in match.groups()] if match else value
    if not (isinstance(value, list) and len(value) == 2 and all(type(side) is int for side in value)):
        raise ValueError(f'is {show(value)}: use [width, height] or "1280x720"')
    width, height = value
    if width not in SIDES or height not in SIDES or width % GRID or height % GRID or width * height > MAX_AREA:
        raise ValueError(
            f"is {show(width)}x{show(height)}: use multiples of {GRID} from {SIDES[0]} to {SIDES[-1]}, "
            f"with at most {MAX_AREA} pixels (1280x720)"
        )
    return width, height


def reason(err: ValueError) -> str:
    """Return the problem of a URL or file; the library's own message would quote the URL."""
    text = str(err)
    return text if text.startswith(("is ", "has ", "names ", "carries ")) else "is not a valid URL"


def kind(value: object) -> str:
    """Name the type of a JSON value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "missing"}
    return names.get(type(value), "a number")


def show(value: object) -> str:
    """Quote a value, shortened if it is long."""
    try:
        said = repr(value[:40] if isinstance(value, str) else value)
    except RecursionError:  # JSON may nest deeper than this reaches
        return kind(value)
    return said if len(said) <= 40 else said[:37] + "…"

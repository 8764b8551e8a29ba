"""Files of a job: fetched or decoded into its directory, within their limits."""

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import web
from errors import InputError, OutOfTime, from_system
from values import Source

CHUNK = 1 << 18


@dataclass(frozen=True)
class Limits:
    """The limits of a download."""

    size: int
    seconds: float
    private: bool
    """Whether private addresses are allowed."""


def save(name: str, source: Source, path: Path, limits: Limits, clock: web.Clock) -> None:
    """Write a field's file; every problem is a JobError."""
    try:
        if source.url:
            fetch(name, source.url, path, limits, clock.within(limits.seconds))
        else:
            path.write_bytes(source.content)
    except web.Unreachable as err:
        raise InputError(f"{name}: the URL {err}") from err
    except OutOfTime as err:
        if not clock.left():
            raise
        raise InputError(f"{name}: did not arrive within {limits.seconds:g} s (DOWNLOAD_TIMEOUT)") from err
    except OSError as err:
        raise from_system(err) from err


def fetch(name: str, url: str, path: Path, limits: Limits, clock: web.Clock) -> None:
    """Download a URL to a file."""
    with web.get(url, limits.private, clock) as response, open(path, "wb") as file:
        length = _length(response)
        if length is not None and length > limits.size:
            raise too_large(name, limits.size)
        got = _copy(response, file.write, limits.size, clock, name)
    if length is not None and got != length:
        raise web.Unreachable(f"sent {got} of {length} bytes")


def _length(response: http.client.HTTPResponse) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _copy(response: http.client.HTTPResponse, write: Callable, limit: int, clock: web.Clock, name: str) -> int:
    got = 0
    while chunk := response.read1(CHUNK):
        clock.check(f"fetching the {name}")
        got += len(chunk)
        if got > limit:
            raise too_large(name, limit)
        write(chunk)
    clock.check(f"fetching the {name}")
    return got


def too_large(name: str, limit: int) -> InputError:
    """Return the error of a file over its limit."""
    message = f"{name}: has over {limit} bytes: give a smaller one"
    return InputError(message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

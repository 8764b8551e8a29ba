"""What has arrived of a file of the weights, until it is whole and verified."""

import hashlib
import http.client
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from errors import StartError
from log import log
from modellist import CHUNK, File


Count = Callable[[int], None]
"""Takes bytes that arrived, or as a negative number such as were dropped."""


class Passing(Exception):
    """Something that may go away: try again, perhaps not before some seconds."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Part:
    """What has arrived of a file, next to its place, and the ETag that it came with."""

    def __init__(self, directory: Path, file: File) -> None:
        self._file, self._place = file, directory / file.path
        self._part = self._place.with_name(self._place.name + ".part")
        self._tag = self._place.with_name(self._place.name + ".part.etag")
        self._place.parent.mkdir(parents=True, exist_ok=True)

    def size(self) -> int:
        """Return the bytes that are there."""
        try:
            return self._part.stat().st_size
        except FileNotFoundError:
            return 0

    def tag(self) -> str:
        """Return the ETag, where it is a strong one: others can't vouch for bytes."""
        try:
            tag = self._tag.read_text()
        except (FileNotFoundError, UnicodeDecodeError):
            return ""
        return tag if re.fullmatch(r'"[\x21\x23-\x7e]*"', tag) else ""

    def reset(self) -> int:
        """Drop all that is there."""
        self._part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)
        return 0

    def write(self, response: http.client.HTTPResponse, count: Count, stop: threading.Event, tag: str) -> None:
        """Append what arrives."""
        self._tag.write_text(tag)
        left = self._file.size - self.size()
        with open(self._part, "ab") as out:
            while left > 0 and (chunk := response.read1(min(left, CHUNK))):
                out.write(chunk)
                left -= len(chunk)
                count(len(chunk))
                if stop.is_set():
                    raise StartError("told to stop")
        if left:
            raise Passing(f"the connection ended {left} bytes early")

    def accept(self) -> bool:
        """Give the file its name if its content is the list's; else drop it."""
        with open(self._part, "r+b" if self._file.size else "a+b") as out:
            if self._file.size == 0 or hashlib.file_digest(out, "sha256").hexdigest() == self._file.sha256:
                os.fsync(out.fileno())
                self._part.replace(self._place)
                self._tag.unlink(missing_ok=True)
                return True
        log(f"weights: {self._file.path} arrived with another content")
        self.reset()
        return False

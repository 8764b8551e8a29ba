"""The partial download of a weights file, until it is complete and verified."""

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
"""Receives the number of bytes that arrived or, negative, that were dropped."""


class Passing(Exception):
    """A transient problem: retry, perhaps only after some seconds."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Part:
    """The partial file, next to its final path, and its ETag."""

    def __init__(self, directory: Path, file: File) -> None:
        self._file, self._place = file, directory / file.path
        self._part = self._place.with_name(self._place.name + ".part")
        self._tag = self._place.with_name(self._place.name + ".part.etag")
        self._place.parent.mkdir(parents=True, exist_ok=True)

    def size(self) -> int:
        """Return the number of bytes that have arrived."""
        try:
            return self._part.stat().st_size
        except FileNotFoundError:
            return 0

    def tag(self) -> str:
        """Return the ETag if it is a strong one: others can't vouch for bytes."""
        try:
            tag = self._tag.read_text()
        except (FileNotFoundError, UnicodeDecodeError):
            return ""
        return tag if re.fullmatch(r'"[\x21\x23-\x7e]*"', tag) else ""

    def reset(self) -> int:
        """Drop the partial file."""
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
        """Give the file its name if its content matches the list; else drop it."""
        with open(self._part, "r+b" if self._file.size else "a+b") as out:
            if self._file.size == 0 or hashlib.file_digest(out, "sha256").hexdigest() == self._file.sha256:
                os.fsync(out.fileno())
                self._part.replace(self._place)
                self._tag.unlink(missing_ok=True)
                return True
        log(f"weights: {self._file.path} arrived with wrong content")
        self.reset()
        return False

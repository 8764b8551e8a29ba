"""The image's list of the model's files, and what a directory lacks of it."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from errors import StartError

NAMED = 5
"""Problems of a directory that are reported one by one."""
CHUNK = 1 << 22


@dataclass(frozen=True)
class File:
    """A file of the model."""

    path: str
    size: int
    sha256: str
    source: str
    """Its path in the repository."""


@dataclass(frozen=True)
class ModelList:
    """The files of a model, and where they come from."""

    origin: str
    commit: str
    files: tuple[File, ...]

    @cached_property
    def repository(self) -> str:
        """The model's name on the hub, "Org/Name", or nothing if it isn't from the hub."""
        match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@[\w.-]+)?", self.origin)
        return match[1] if match else ""

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.repository.partition("/")[2] or "model"

    @cached_property
    def size(self) -> int:
        """All its bytes."""
        return sum(file.size for file in self.files)

    @property
    def renamed(self) -> bool:
        """Whether files have other paths than in the repository."""
        return any(file.path != file.source for file in self.files)


def read(path: Path) -> ModelList:
    """Return the list in a file; a StartError if there is none or it isn't well-formed."""
    try:
        raw = json.loads(path.read_bytes())
    except OSError as err:
        raise StartError(f"the list of the model's files can't be read: {err.strerror}: set MODEL_LIST") from err
    except ValueError as err:
        raise StartError("the list of the model's files is not JSON: build the image again") from err
    try:
        found = ModelList(str(raw["from"]), str(raw["commit"]), tuple(map(_file, raw["files"])))
    except (KeyError, TypeError, ValueError) as err:
        raise StartError(f"the list of the model's files is damaged: {err}: build the image again") from err
    if problem := _problem(found):
        raise StartError(f"the list of the model's files is damaged: {problem}: build the image again")
    return found


def _file(raw: dict) -> File:
    path, source = str(raw["path"]), str(raw.get("source") or raw["path"])
    for name in (path, source):
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise ValueError(f"{name!r} is not a path inside the model")
    size, digest = raw["size"], str(raw["sha256"])
    if type(size) is not int or size < 0:
        raise ValueError(f"{path} has the size {size!r}")
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError(f"{path} has no sha256")
    return File(path, size, digest, source)


def _problem(found: ModelList) -> str:
    if not re.fullmatch("[0-9a-f]{40}", found.commit):
        return "it names no commit"
    if not found.files:
        return "it names no file"
    paths = [file.path for file in found.files]
    return "it names a file twice" if len(set(paths)) < len(paths) else ""


def lacking(directory: Path, found: ModelList) -> list[str]:
    """Return what is missing or has another size in a directory, one line each."""
    return [problem for file in found.files if (problem := _lacks(directory / file.path, file))]


def complete(directory: Path, file: File) -> bool:
    """Tell whether a file is there with its size."""
    return not _lacks(directory / file.path, file)


def _lacks(path: Path, file: File) -> str:
    try:
        found = path.stat()
    except OSError:
        return f"{file.path} is missing"
    if not path.is_file():
        return f"{file.path} is not a file"
    if found.st_size != file.size:
        return f"{file.path} has {found.st_size} of {file.size} bytes"
    return ""


def damaged(directory: Path, found: ModelList) -> list[str]:
    """Read all files, and return those whose content differs from the list's."""
    corrupted = [file for file in found.files if digest(directory / file.path) != file.sha256]
    return [f"{file.path} has a different sha256" for file in corrupted]


def digest(path: Path) -> str:
    """Return a file's sha256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shorten(problems: list[str]) -> str:
    """Return the first problems in one line, and how many more there are."""
    more = len(problems) - NAMED
    return "; ".join(problems[:NAMED]) + (f"; and {more} more" if more > 0 else "")

"""Which weights on a volume have been read and verified: a mark next to them records it.

Only the sizes of a copy are known at first, so all of it is read once. The mark has a line per file, with its
sha256 and modification time: an interrupted check resumes where it stopped, and a replaced file is read again.
"""

import hashlib
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import modellist
from errors import StartError
from log import log
from modellist import File, ModelList

MARK = ".verified"
THREADS = 4
REPORT_SECONDS = 10.0


class Mark:
    """The mark of a directory; where it can't be written, the files are read again the next time."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._path = directory, directory / MARK
        self._lock = threading.Lock()

    def lines(self) -> list[str]:
        """Return its lines."""
        try:
            return self._path.read_text(errors="replace").splitlines()
        except OSError:
            return []

    def line(self, file: File) -> str:
        """Return the line of a verified file."""
        return f"{file.sha256} {(self._directory / file.path).stat().st_mtime_ns} {file.path}"

    def add(self, file: File, line: str) -> None:
        """Record that a file is verified, in place of its earlier line."""
        with self._lock:
            others = [one for one in self.lines() if one.split(" ", 2)[2:] != [file.path]]
            aside = self._path.with_name(f"{MARK}-{uuid.uuid4().hex}")
            with suppress(OSError):
                aside.write_text("\n".join([*others, line, ""]))
                aside.replace(self._path)
            with suppress(OSError):
                aside.unlink()


def corrupted(directory: Path, found: ModelList, kind: str, stop: threading.Event) -> list[str]:
    """Return the files of a directory whose content differs from the list's; one of another size isn't read."""
    mark = Mark(directory)
    marked = set(mark.lines())
    there = [file for file in found.files if modellist.complete(directory, file)]
    todo = [file for file in there if mark.line(file) not in marked]
    if not todo:
        return []
    total = sum(file.size for file in todo)
    log(f"weights: comparing {len(todo)} files of {kind} with their sha256, {total / 1e9:.1f} GB (VERIFY=0 skips this)")
    meter = _Meter(total)
    with ThreadPoolExecutor(THREADS) as pool:
        problems = pool.map(lambda file: _check(directory, file, mark, meter, stop), todo)
        return [problem for problem in problems if problem]


def _check(directory: Path, file: File, mark: Mark, meter: "_Meter", stop: threading.Event) -> str:
    try:
        line = mark.line(file)
        if _digest(directory / file.path, meter, stop) != file.sha256:
            return f"{file.path} has a different sha256"
    except OSError as err:
        return f"{file.path} can't be read ({err.strerror})"
    mark.add(file, line)
    return ""


def _digest(path: Path, meter: "_Meter", stop: threading.Event) -> str:
    sha256, buffer = hashlib.sha256(), memoryview(bytearray(modellist.CHUNK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            sha256.update(buffer[:count])
            meter.add(count)
            if stop.is_set():
                raise StartError("told to stop")
    return sha256.hexdigest()


class _Meter:
    """Logs the progress every few seconds."""

    def __init__(self, total: int) -> None:
        self._total, self._read = total, 0
        self._reported = time.monotonic()
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._read += count
            if time.monotonic() - self._reported >= REPORT_SECONDS:
                self._reported = time.monotonic()
                log(f"weights: compared {self._read / 1e9:.1f} of {self._total / 1e9:.1f} GB")

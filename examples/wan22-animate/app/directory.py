"""Job directories: private, and none outlives its job or its worker.

Each holds a lock while its job runs; a directory without one was left by a dead worker.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from errors import FULL, JobError, disk_full, from_system
from log import log

LOCK = ".lock"


@contextlib.contextmanager
def of_job(root: Path, name: str) -> Iterator[Path]:
    """Yield a job's directory, and always remove it."""
    try:
        prepare(root)
        plain = re.sub("[^A-Za-z0-9-]", "", name)[:40]
        path = Path(tempfile.mkdtemp(prefix=f"{plain}-", dir=root))  # mode 0700
    except OSError as err:
        raise from_system(err) from err
    try:
        with _locked(path):
            yield path
    except OSError as err:
        raise from_system(err) from err
    finally:
        remove(path)


def prepare(root: Path) -> None:
    """Create the directory of all job directories, private to us; a JobError says why it can't be used."""
    try:
        with contextlib.suppress(FileExistsError):
            root.mkdir(mode=0o700, parents=True)
        if problem := _problem(root.lstat()):
            raise JobError(f"PROCESSING_DIR {problem}")
        root.chmod(0o700)
    except OSError as err:
        if err.errno in FULL:
            raise disk_full() from err
        why = os.strerror(err.errno or 0).lower()
        raise JobError(f"PROCESSING_DIR can't be used: {why}: set it to a directory that the worker may write") from err


def _problem(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "is a link, which others could change: set it to the directory itself"
    if not stat.S_ISDIR(found.st_mode):
        return "is a file: set it to a directory"
    return "" if found.st_uid == os.geteuid() else "belongs to another user: set it to a different directory"


def check_room(path: Path, wanted: int) -> None:
    """Raise the error for a full disk if fewer bytes are free than wanted."""
    left = shutil.disk_usage(path).free
    if left < wanted:
        raise JobError(
            f"the worker's disk is full: {left // 10**6} MB are left of the {wanted // 10**6} MB that a job "
            "may need: give the endpoint a larger container disk (or set MIN_FREE_BYTES)",
            HTTPStatus.INSUFFICIENT_STORAGE,
        )


def cleanup(root: Path) -> int:
    """Remove the directories that dead workers left, and return how many there were."""
    prepare(root)
    left = [path for path in root.iterdir() if not _in_use(path)]
    for path in left:
        remove(path)
    if left:
        log(f"removed job directories that dead workers left: {len(left)}")
    return len(left)


def remove(path: Path) -> None:
    """Remove a directory or file, even if its content isn't writable."""
    for _ in range(3):  # a program that is being killed may still write
        if not os.path.lexists(path):
            return
        if path.is_dir() and not path.is_symlink():
            _open_up(path)
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    if os.path.lexists(path):
        log("a job's directory can't be removed")


def _open_up(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.chmod(0o700)
        for directory, names, _ in os.walk(path):
            for name in names:
                inner = Path(directory, name)
                if not inner.is_symlink():
                    inner.chmod(0o700)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path / LOCK, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _in_use(path: Path) -> bool:
    try:
        with open(path / LOCK, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False

"""Unpacks source distributions, by the same rules for a lock and for a build."""

import os
import resource
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

PROJECT = ("pyproject.toml", "setup.py", "setup.cfg")

# Limits of an unpacked archive: only one made to exceed them comes near.
SMALL = 1 << 30  # bytes, for any archive
TIMES = 100  # the archive's size, if that is more
ENTRIES = 300_000
MEMORY = 2 << 30  # headers and compression may demand any amount


class Refused(Exception):
    """The reason why an sdist is refused."""


def unpack(name: str, archive: str, directory: str, below: str = "") -> str:
    """Unpacks an archive, of the kind that its name states, into a new directory, and returns the directory in it that has the project, or has it below."""
    os.mkdir(directory)
    try:
        with memory(MEMORY):
            (unzip if name.lower().endswith(".zip") else untar)(archive, directory)
    except Refused:
        raise
    except MemoryError as error:
        raise Refused(f"it can't be unpacked in {MEMORY} bytes of memory") from error
    except Exception as error:  # each kind of archive and compression has its own errors
        raise Refused(f"it can't be unpacked: {error}") from error
    return project_in(directory, below)


@contextmanager
def memory(limit: int) -> Iterator[None]:
    """Limits the memory of this process, and of those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    if before[0] != resource.RLIM_INFINITY:
        limit = min(limit, before[0])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


class Budget:
    """Refuses an archive before it exceeds the limits."""

    def __init__(self, archive: str) -> None:
        self.limit = self.left = max(SMALL, TIMES * os.path.getsize(archive))
        self.entries = 0

    def take(self, size: int) -> None:
        self.left -= size
        self.entries += 1
        if self.left < 0:
            raise Refused(f"it unpacks to more than {self.limit} bytes")
        if self.entries > ENTRIES:
            raise Refused(f"it holds more than {ENTRIES} files")


def unzip(archive: str, directory: str) -> None:
    budget = Budget(archive)
    with zipfile.ZipFile(archive) as file:
        for item in file.infolist():
            budget.take(item.file_size)
        for item in file.infolist():
            mode = item.external_attr >> 16
            named(directory, item.orig_filename)
            if "\\" in item.orig_filename or "\0" in item.orig_filename:
                raise Refused(f"{item.orig_filename!r} is not a valid file name")
            if stat.S_ISLNK(mode):
                link(file.read(item).decode(), directory, item.filename)
                continue
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise Refused(f"{item.filename} is not a file, directory or link")
            path = file.extract(item, directory)
            if not item.is_dir():
                os.chmod(path, 0o644 | mode & 0o111)


def link(target: str, directory: str, name: str) -> None:
    inside(directory, os.path.join(os.path.dirname(name), target), name, target)
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(target, path)


def untar(archive: str, directory: str) -> None:
    budget = Budget(archive)
    with tarfile.open(archive) as file:
        file.extraction_filter = lambda member, _: member  # check follows, also for Pythons without filters
        for member in file:
            budget.take(member.size)
            check(directory, member)
            # Some archives have unreadable files, or owners that don't exist here.
            member.mode = (member.mode or 0) & 0o777 | (0o755 if member.isdir() else 0o644)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            file.extract(member, directory, set_attrs=not member.issym())


def check(directory: str, member: tarfile.TarInfo) -> None:
    """Refuses what leads out of the directory, as the filter "data" of later Pythons does, and special files."""
    named(directory, member.name)
    if member.issym():
        inside(directory, os.path.join(os.path.dirname(member.name), member.linkname), member.name, member.linkname)
    elif member.islnk():
        inside(directory, member.linkname, member.name, member.linkname)
    elif not (member.isfile() or member.isdir()):
        raise Refused(f"{member.name} is not a file, directory or link")


def named(directory: str, name: str) -> None:
    """Refuses invalid names. One that begins with .wh. would remove files if it got into an image."""
    parts = name.split("/")
    if any(part.startswith(".wh.") for part in parts):
        raise Refused(f"{name} is named like a file that removes others in an image")
    if ".." in parts:
        raise Refused(f"{name} leads out of it")
    inside(directory, name, name)


def inside(directory: str, path: str, name: str, link: str = "") -> None:
    """Refuses a path that is absolute or leads out, also through a link that was unpacked before."""
    root = os.path.realpath(directory)
    real = os.path.realpath(os.path.join(root, path))
    if os.path.isabs(path) or os.path.isabs(link) or os.path.commonpath((root, real)) != root:
        raise Refused(f"{name} leads out of it" + (f", to {link}" if link else ""))


def project_in(unpacked: str, below: str) -> str:
    """Returns the one directory with a project in it, or below it; other files may be next to it."""
    inside(unpacked, below, below)
    directories = [os.path.join(unpacked, name) for name in sorted(os.listdir(unpacked))]
    directories = [directory for directory in (unpacked, *directories) if os.path.isdir(directory)]
    found = [directory for directory in directories if any(os.path.isfile(os.path.join(directory, below, name)) for name in PROJECT)]
    if unpacked in found:
        return unpacked
    if len(found or directories[1:]) != 1:
        raise Refused(f"{len(found)} of its directories have one of {', '.join(PROJECT)}")
    return (found or directories[1:])[0]

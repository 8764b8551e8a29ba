"""Installs the wheels in /.lamina/wheels below /.lamina/out, where Debian's Python looks for local packages.

PyPA's installer does it, from a source that checks where a wheel's files go into
a destination whose files depend on nothing but the wheels: what comes out is a
layer as it is, with the one time that every file of a layer has. A wheel is pinned by
its digest, so nobody asks whether its RECORD is right, as pip and uv don't: many
are not. The RECORD installed is written from what was installed. Processes
share the work, divided by the wheels' sizes alone, so that no bytecode can depend
on how many cores there are. They are forked from this one, because starting
Python and loading the installer takes longer than installing most wheels.
"""

import csv
import gc
import hashlib
import importlib.util
import io
import json
import marshal
import os
import re
import stat
import sys
import warnings
import zipfile
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

# Python runs with -I and -S, so that nothing else in the builder interferes.
sys.path += [os.path.dirname(os.path.abspath(__file__)), "/usr/lib/python3/dist-packages"]
sys.dont_write_bytecode = True

from globs import LOCAL, Globs, subject
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.records import Hash, RecordEntry
from installer.scripts import Script
from installer.sources import WheelFile
from installer.utils import SCHEME_NAMES, canonicalize_name, parse_entrypoints

PYTHON = "/usr/bin/python3"
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"{LOCAL}/lib/{VERSION}/dist-packages"
CHUNK = 1 << 16
SHARE = 16_000_000  # bytes of wheels that are worth a process

NEEDED = ("METADATA", "WHEEL", "RECORD")
# RECORD is written anew, which ends its signatures; the others are notes of an installer.
NOT_INSTALLED = ("RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json")


def main(options_file: str, folder: str = "/.lamina/wheels", out: str = "/.lamina/out") -> None:
    os.umask(0o022)
    with open(options_file, encoding="utf-8") as file:
        options = json.load(file)
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".whl"))
    if not paths and not options.get("optional"):
        stop_at([f"no wheel in {folder}"])
    wheels = read_all(paths, Globs(options.get("prune", [])))
    stop_at(collisions(wheels, Globs(options.get("collisions", []))))
    install_all(wheels, out)
    set_times(out)
    report_pruned(wheels)


def stop_at(faults: list[str]) -> None:
    if faults:
        print(*faults, sep="\n", file=sys.stderr)
        raise SystemExit(1)


def read_all(paths: list[str], prune: Globs) -> list["Wheel"]:
    wheels, faults = [], []
    for path in paths:
        try:
            wheels.append(Wheel(path, prune))
        except Exception as error:
            faults.append(fault(path, error))
    stop_at(faults)
    return wheels


def fault(path: str, error: Exception) -> str:
    """Returns one line, whichever library it is that doesn't like the wheel."""
    kind = "" if isinstance(error, Refused) else f"{type(error).__name__}: "
    return f"{os.path.basename(path)}: {kind}{' '.join(str(error).split())}"


def collisions(wheels: list["Wheel"], allowed: Globs) -> list[str]:
    """Finds files that two wheels have with different content. Where that is allowed, the first one's is installed."""
    owners: dict[str, Wheel] = {}
    clashes: dict[tuple[str, str], list[str]] = {}
    for wheel in wheels:
        for target, content in list(wheel.contents.items()):
            owner = owners.setdefault(target, wheel)
            if owner.contents[target] == content:
                continue
            if allowed.decider(subject(target, SITE)):
                del wheel.contents[target]
            else:
                clashes.setdefault((wheel.name, owner.name), []).append(target)
    return [f"{name}: {listed(paths)} in {other} too, with different content"
            for (name, other), paths in clashes.items()]


def listed(paths: list[str]) -> str:
    return paths[0] + (f" and {len(paths) - 1} more are" if len(paths) > 1 else " is")


def install_all(wheels: list["Wheel"], out: str) -> None:
    """Installs as many shares at once as there are cores, the biggest first."""
    waiting = sorted(shares(wheels), key=lambda share: sum(wheel.size for wheel in share))
    running: dict[int, list[Wheel]] = {}
    failed = False
    gc.freeze()  # a collection in a child would copy all that it shares with this process
    while waiting or running:
        if waiting and len(running) < len(os.sched_getaffinity(0)):
            share = waiting.pop()
            running[start(share, out)] = share
            continue
        pid, status = os.wait()
        share = running.pop(pid)
        failed = failed or status != 0
        if os.WIFSIGNALED(status):
            names = ", ".join(wheel.name for wheel in share)
            print(f"{names}: ended by signal {os.WTERMSIG(status)}", file=sys.stderr)
    if failed:
        raise SystemExit(1)


def shares(wheels: list["Wheel"]) -> list[list["Wheel"]]:
    """Divides wheels over processes: neighbours together, as long as they are small."""
    divided: list[list[Wheel]] = []
    size = SHARE
    for wheel in wheels:
        if size + wheel.size > SHARE:
            divided.append([])
            size = 0
        divided[-1].append(wheel)
        size += wheel.size
    return divided


def start(share: list["Wheel"], out: str) -> int:
    """Returns the id of a process that installs the wheels of a share."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        faults = [fault for wheel in share if (fault := install_one(wheel, out))]
        print(*faults, sep="\n", end="\n" * bool(faults), file=sys.stderr, flush=True)
        status = int(bool(faults))
    finally:
        os._exit(status)


def install_one(wheel: "Wheel", out: str) -> str:
    """Returns what is wrong with a wheel."""
    try:
        install(wheel, Destination(wheel, out), additional_metadata={})
    except Exception as error:
        return fault(wheel.name, error)
    return ""


def set_times(out: str) -> None:
    """Gives all files and folders the time that they have in a layer: nothing after this copies them."""
    epoch = (int(os.environ["SOURCE_DATE_EPOCH"]),) * 2
    for folder, _, names in os.walk(out, topdown=False):
        for name in names:
            os.utime(os.path.join(folder, name), epoch)
        os.utime(folder, epoch)


def report_pruned(wheels: list["Wheel"]) -> None:
    files: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for wheel in wheels:
        for rule, size in wheel.pruned:
            files[rule] += 1
            sizes[rule] += size
    for rule in sorted(files):
        print("lamina: pruned", json.dumps({"rule": rule, "files": files[rule], "bytes": sizes[rule]}))


class Refused(Exception):
    """Says what is wrong with a wheel."""


class Wheel(WheelFile):
    """A wheel that was looked through before any of it is installed.

    contents has each path that will be installed, with what tells one content
    from another before it is read: size and CRC in the zip, or a script's text.
    check_distributions.py compares the hashes in the end.
    """

    # The base class works both out of the file's name, which may be spelled otherwise.
    dist_info_dir = data_dir = ""

    def __init__(self, path: str, prune: Globs) -> None:
        self.name = os.path.basename(path)
        self.size = os.path.getsize(path)
        try:
            super().__init__(zipfile.ZipFile(path))
        except (zipfile.BadZipFile, ValueError) as error:
            raise Refused(f"not a wheel: {error}") from error
        self.items = files_of(self._zipfile)
        self.find_folders()
        self.contents: dict[str, str | bytes] = {}
        self.pruned: list[tuple[str, int]] = []
        self.plan(prune)

    def find_folders(self) -> None:
        self.dist_info_dir = self.folder(".dist-info")
        for name in NEEDED:
            if f"{self.dist_info_dir}/{name}" not in self.items:
                raise Refused(f"it has no .dist-info/{name}")
        if not re.search(r"^Wheel-Version:\s*1\.", self.read_dist_info("WHEEL"), re.MULTILINE | re.IGNORECASE):
            raise Refused("its WHEEL names no Wheel-Version 1.x")
        self.data_dir = self.folder(".data") or self.dist_info_dir.removesuffix(".dist-info") + ".data"
        for path in self.items:
            # The installer takes such a file to be in the folder, and never comes back.
            if path.startswith(self.data_dir) and not path.startswith(self.data_dir + "/"):
                raise Refused(f"{path} is named like the folder {self.data_dir}")

    def folder(self, suffix: str) -> str:
        """Returns the one folder with a suffix, whose name is the file's give or take case and punctuation."""
        tops = {path.partition("/")[0] for path in self.items if "/" in path}
        found = sorted(top for top in tops if top.endswith(suffix))
        if len(found) > 1:
            raise Refused(f"it has several {suffix} folders: {', '.join(found)}")
        for name in found:
            if canonicalize_name(name.removesuffix(suffix)) not in self.titles():
                raise Refused(f"its folder {name} is another distribution's or version's")
        return "".join(found)

    def titles(self) -> tuple[str, str]:
        """Returns what folders may be called: a file may have got a local version when it was released."""
        public = self.version.partition("+")[0]
        return canonicalize_name(f"{self.distribution}-{self.version}"), canonicalize_name(f"{self.distribution}-{public}")

    def is_metadata(self, path: str, names: tuple[str, ...]) -> bool:
        folder, _, name = path.partition("/")
        return folder == self.dist_info_dir and name in names

    def plan(self, prune: Globs) -> None:
        self.schemes = schemes(self.distribution)
        self.targets: dict[str, str] = {}
        for path, item in self.items.items():
            # Bytecode that a wheel brings is another interpreter's, or a source's of another time.
            if self.is_metadata(path, NOT_INSTALLED) or "__pycache__" in path.split("/"):
                continue
            self.targets[path] = self.target(path)
            self.add(self.targets[path], f"{item.file_size} {item.CRC:08x}", item.file_size, prune)
        for name, content in self.scripts():
            self.add(f"{self.schemes['scripts']}/{name}", content, len(content), prune)

    def target(self, path: str) -> str:
        folder, _, below = path.partition("/")
        if folder != self.data_dir:
            return f"{SITE}/{path}"
        scheme, _, below = below.partition("/")
        if scheme not in SCHEME_NAMES or not below:
            raise Refused(f"{path} is in no folder that a .data folder may have")
        return f"{self.schemes[scheme]}/{below}"

    def add(self, target: str, content: str | bytes, size: int, prune: Globs) -> None:
        folder, name = os.path.split(target)
        if folder == self.schemes["scripts"] and re.fullmatch(r"python[\d.]*", name):
            raise Refused(f"its script {name} would run in place of Debian's Python")
        is_metadata = target.startswith(f"{SITE}/{self.dist_info_dir}/")
        if not is_metadata and (rule := prune.decider(subject(target, SITE))):
            self.pruned.append((rule, size))
        elif self.contents.setdefault(target, content) != content:
            raise Refused(f"it has {target} twice, with different content")

    def scripts(self) -> Iterator[tuple[str, bytes]]:
        """Yields name and content of the scripts that the installer will make of entry points."""
        if f"{self.dist_info_dir}/entry_points.txt" not in self.items:
            return
        try:
            entries = list(parse_entrypoints(self.read_dist_info("entry_points.txt")))
        except Exception as error:
            raise Refused(f"its entry_points.txt can't be read: {error!r}") from error
        for name, module, attr, section in entries:
            check_path(name)
            if "/" in name:
                raise Refused(f"its script {name} is not a plain name")
            yield Script(name, module, attr, section).generate(PYTHON, "posix")

    def get_contents(self) -> Iterator[tuple[tuple[str, str, str], BinaryIO, bool]]:
        for path, item in self.items.items():
            if self.targets.get(path) not in self.contents:
                continue
            with self._zipfile.open(item) as stream:
                yield (path, "", ""), Hashed(stream), bool(item.external_attr >> 16 & 0o111)


def schemes(distribution: str) -> dict[str, str]:
    headers = f"{LOCAL}/include/{VERSION}/{distribution}"
    return {"purelib": SITE, "platlib": SITE, "scripts": f"{LOCAL}/bin", "data": LOCAL, "headers": headers}


def files_of(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    items: dict[str, zipfile.ZipInfo] = {}
    for item in archive.infolist():
        check_path(item.orig_filename)  # filename ends at a NUL
        if item.is_dir():
            continue
        if stat.S_IFMT(item.external_attr >> 16) not in (0, stat.S_IFREG):
            raise Refused(f"{item.filename} is not a regular file")
        first = items.setdefault(item.filename, item)
        if first is not item and archive.read(first) != archive.read(item):
            raise Refused(f"it has two entries {item.filename}, with different content")
    return items


def check_path(path: str) -> None:
    parts = path.removesuffix("/").split("/")
    if not {"", ".", ".."}.isdisjoint(parts) or re.match(r"[A-Za-z]:|.*[\\\0]", path, re.DOTALL):
        raise Refused(f"it has the path {path!r}, which no file below a folder has")


class Hashed:
    """A stream that hashes what is read from it, so that nothing is read twice."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.hash.update(data)
        self.size += len(data)
        return data

    def record(self, path: str) -> RecordEntry:
        digest = urlsafe_b64encode(self.hash.digest()).rstrip(b"=").decode()
        return RecordEntry(path, Hash(self.hash.name, digest), self.size)


class Destination(SchemeDictionaryDestination):
    """Writes with fixed modes, compiles each source as it passes, and keeps the rows for RECORD."""

    def __init__(self, wheel: Wheel, out: str) -> None:
        super().__init__(wheel.schemes, PYTHON, "posix", destdir=out)
        self.wheel = wheel
        self.out = out
        self.folders: set[str] = set()
        self.installed: dict[str, RecordEntry] = {}

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:
        if f"{self.scheme_dict['scripts']}/{name}" in self.wheel.contents:
            return super().write_script(name, module, attr, section)
        return RecordEntry(name, None, None)

    def write_file(self, scheme: str, path: str, stream: Hashed, is_executable: bool) -> RecordEntry:
        if scheme == "scripts":
            return self.write_to_fs(scheme, path, with_shebang(stream.read()), True)
        target = f"{self.scheme_dict[scheme]}/{path}"
        if not (target.startswith(SITE + "/") and target.endswith(".py")):
            return self.write_to_fs(scheme, path, stream, is_executable)
        source = stream.read()
        if bytecode := compiled(source, target):
            self.write(cache_path(target), io.BytesIO(bytecode), 0o644)
        return self.write_to_fs(scheme, path, io.BytesIO(source), is_executable)

    def write_to_fs(self, scheme: str, path: str, stream: BinaryIO | Hashed, is_executable: bool) -> RecordEntry:
        return self.write(f"{self.scheme_dict[scheme]}/{path}", stream, 0o755 if is_executable else 0o644)

    def write(self, target: str, stream: BinaryIO | Hashed, mode: int) -> RecordEntry:
        hashed = stream if isinstance(stream, Hashed) else Hashed(stream)
        with self.create(target, mode) as file:
            while chunk := hashed.read(CHUNK):
                file.write(chunk)
        record = hashed.record(os.path.relpath(target, SITE))
        self.installed[target] = record
        return record

    def create(self, target: str, mode: int) -> BinaryIO:
        path = self.out + target
        folder = os.path.dirname(path)
        if folder not in self.folders:
            os.makedirs(folder, exist_ok=True)
            self.folders.add(folder)
        try:
            return open(path, "xb", opener=lambda path, flags: os.open(path, flags, mode))
        except FileExistsError:
            if not os.path.isfile(path):
                raise
            # Another wheel has the same file and writes it, perhaps right now.
            return open(os.devnull, "wb")

    def finalize_installation(self, scheme: str, record_file_path: str, records: object) -> None:
        rows = [record.to_row() for record in self.installed.values()]
        rows.append((record_file_path, "", ""))
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(sorted(rows))
        self.write_to_fs(scheme, record_file_path, io.BytesIO(text.getvalue().encode()), False)


def with_shebang(script: bytes) -> BinaryIO:
    if script.startswith(b"#!python"):
        script = f"#!{PYTHON}\n".encode() + script.partition(b"\n")[2]
    return io.BytesIO(script)


def compiled(source: bytes, path: str) -> bytes | None:
    """Returns bytecode that is valid without a look at its source (PEP 552), None for what is not Python 3."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return None
    unchecked_hash = (1).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + unchecked_hash + importlib.util.source_hash(source) + marshal.dumps(code)


def cache_path(path: str) -> str:
    folder, name = os.path.split(path)
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Turns what an installer put below a directory into a layer, whose files depend on nothing but the wheels.

Paths become those of Debian's Python, pruned files are removed, each RECORD lists the
actual files, modes and times are those of a layer, and bytecode is valid without reading
its source. Bytecode depends on what its process compiled before (marshal writes a string
differently if it is also used elsewhere), so processes forked from one state compile
fixed shares of the sources: how many run at a time makes no difference.
"""

import csv
import gc
import hashlib
import json
import os
import py_compile
import shutil
import stat
import sys
from base64 import urlsafe_b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.util import cache_from_source
from typing import Protocol

from globs import LOCAL, Globs, subject

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"{LOCAL}/lib/{VERSION}/dist-packages"
INCLUDE = f"{LOCAL}/include/{VERSION}"
# Where uv puts files below a prefix, and where they belong. RECORD's paths of the first are relative and stay valid.
MOVES = {f"{LOCAL}/lib/{VERSION}/site-packages": SITE, f"{LOCAL}/include/site/{VERSION}": INCLUDE}
# RECORD is rewritten, which invalidates its signatures; the others are notes of an installer.
NOTES = ("RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
SHARE = 100  # sources per process


class Wheel(Protocol):
    info: str  # its .dist-info directory
    files: dict[str, object]  # by their absolute paths in the image


def finish(wheels: list[Wheel], out: str, prune: Globs) -> list[str]:
    """Returns problems: files that must not be in a layer."""
    for old, new in MOVES.items():
        if os.path.isdir(out + old):  # and a wheel may have data in the other
            shutil.copytree(out + old, out + new, symlinks=True, copy_function=os.rename, dirs_exist_ok=True)
            shutil.rmtree(out + old)
    problems = remove_strays(out, {target for wheel in wheels for target in wheel.files})
    if not problems:
        remove_pruned(out, prune, {wheel.info for wheel in wheels})
        compile_all(out, [target for target in files(out) if target.startswith(SITE) and target.endswith(".py")])
        write_records(wheels, out)
        settle(out)
    return problems


def files(out: str) -> list[str]:
    """Returns the paths of all files in the image, sorted."""
    found = (os.path.join(directory, name) for directory, _, names in os.walk(out) for name in names)
    return sorted(path.removeprefix(out) for path in found)


def remove_strays(out: str, known: set[str]) -> list[str]:
    """Removes an installer's leftovers and files of wheels that are not installed; reports other files."""
    problems = []
    for target in files(out):
        directory, name = os.path.split(target)
        if target in known and stat.S_ISREG(os.lstat(out + target).st_mode):
            continue
        os.unlink(out + target)
        if name not in (*NOTES, ".lock") and os.path.basename(directory) != "__pycache__":
            problems.append(f"{target} was installed, but is not a regular file of a wheel")
    return problems


def remove_pruned(out: str, prune: Globs, infos: set[str]) -> None:
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for target in files(out):
        path = subject(target, SITE)
        if path.partition("/")[0] not in infos and (rule := prune.decider(path)):
            count[rule] += 1
            size[rule] += os.path.getsize(out + target)
            os.unlink(out + target)
    for rule in sorted(count):
        print("lamina: pruned", json.dumps({"rule": rule, "files": count[rule], "bytes": size[rule]}))


def compile_all(out: str, sources: list[str]) -> None:
    gc.freeze()  # garbage collection in a child would copy all memory that it shares with this process
    cores, starts = len(os.sched_getaffinity(0)), range(0, len(sources), SHARE)
    for number, start in enumerate(starts):
        if number >= cores:
            wait()
        if not os.fork():
            compile_share(out, sources[start : start + SHARE])
    for _ in starts[-cores:]:
        wait()


def wait() -> None:
    _, status = os.wait()
    if status:
        raise SystemExit(f"compiling bytecode: a process exited with status {status}")


def compile_share(out: str, sources: list[str]) -> None:
    """Compiles what is Python 3, and exits."""
    status = 1
    try:
        for target in sources:
            py_compile.compile(out + target, out + cache_from_source(target), target, quiet=2,
                               invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        status = 0
    finally:
        os._exit(status)


def write_records(wheels: list[Wheel], out: str) -> None:
    """Makes each RECORD list the actual files, whatever the wheel's own listed."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        rows = dict(threads.map(lambda target: (target, row(out, target)), files(out)))
    for wheel in wheels:
        record = f"{SITE}/{wheel.info}/RECORD"
        owned = {*wheel.files, *(cache_from_source(target) for target in wheel.files if target.endswith(".py"))}
        rows[record] = (f"{wheel.info}/RECORD", "", "")
        with open(out + record, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(sorted(rows[path] for path in owned & rows.keys()))


def row(out: str, target: str) -> tuple[str, str, str]:
    with open(out + target, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    encoded = urlsafe_b64encode(digest).rstrip(b"=").decode()
    return os.path.relpath(target, SITE), f"sha256={encoded}", str(os.path.getsize(out + target))


def settle(out: str) -> None:
    """Sets the modes and times that files and directories have in a layer, since no later step copies them."""
    epoch = (int(os.environ["SOURCE_DATE_EPOCH"]),) * 2
    for directory, _, names in os.walk(out, topdown=False):
        for path in (os.path.join(directory, name) for name in names):
            is_program = directory == f"{out}{LOCAL}/bin" or os.stat(path).st_mode & 0o111
            os.chmod(path, 0o755 if is_program else 0o644)
            os.utime(path, epoch)
        if directory != out and not os.listdir(directory):
            os.rmdir(directory)
            continue
        os.chmod(directory, 0o755)
        os.utime(directory, epoch)

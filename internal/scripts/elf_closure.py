"""Checks the shared libraries of the image in /image.

Every needed library must be present. A soname counts as provided if any file has its
name, since programs find libraries in many ways (RUNPATH, dlopen, preloading by a
package). apt has installed what the distribution's packages depend on: if a file of one
still lacks a library, it is a plug-in that nobody requested, and only noted. CUDA's
libraries are large: no needed one may be there twice, and none of the driver's, which
come with the host's driver. A wheel's private copy, under a name of its own, is noted.

The argument is a file with options: "driver" lists the sonames of the driver,
"ignore" the sonames and path globs that the spec ignores, "third_party" the packages
from other repositories than the distribution's.
"""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

# Python runs with -I and -S, so that nothing else in the builder interferes.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from check_layer import Packages, merged, plain
from globs import Globs

IMAGE, LISTS = "/image", "/.lamina/lists"
BATCH = 500
ENTRY = re.compile(r"\((NEEDED|SONAME)\).*\[(.*)\]")
CUDA = re.compile(
    r"lib(cublas(Lt)?|cudart|cudnn\w*|cufftw?|cufile\w*|cupti|curand|cusolver(Mg)?|cusparse(Lt)?|cutensor\w*|nccl"
    r"|npp\w*|nvblas|nvJitLink|nvjpeg|nvrtc|nvToolsExt)\.so"
)

# auditwheel and the builds of torch and torchvision put 8 hash digits into the names of libraries
# that they copy (libcudart-9335f6a2.so.12, libcudart.41118559.so.12), and into the NEEDED entries
# for them. auditwheel changes the SONAME, too; torchvision 0.21.0 doesn't.
PRIVATE = re.compile(r"(lib[^/]*?)[-.][0-9a-f]{8}(\.(?:[^/]*\.)?so(?:\..*)?)")
SITE = re.compile(r"/usr/local/lib/python3[^/]*/dist-packages/")

Entry = tuple[str, str, str]
"""A file, NEEDED or SONAME, and the library that it names."""


def main() -> None:
    with open(sys.argv[1]) as file:
        options = json.load(file)
    driver, ignore = set(options["driver"]), set(options["ignore"])
    ignored = Globs([entry for entry in options["ignore"] if entry.startswith("/")]).decider
    names, programs = scan()
    programs = [path for path in programs if not ignored(path.removeprefix(IMAGE))]
    entries = list(read(programs))
    gone = list(missing(entries, names.keys() | driver | ignore, Debs(LISTS, set(options["third_party"]))))
    problems = [*(text for text, harmless in gone if not harmless), *doubled(entries, ignore), *drivers(names, driver - ignore, ignored)]
    sizes = {path.removeprefix(IMAGE): os.path.getsize(path) for path in programs}
    for note in [*(text for text, harmless in gone if harmless), *private(sizes, ignore), *unasked(entries, sizes, ignore)]:
        print("lamina: note", plain(note), flush=True)  # before the problems, the last of which is shown
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        raise SystemExit(1)
    print(f"{len(programs)} ELF files, all needed libraries are present")


class Debs:
    """The Debian packages of the image, from dpkg's records."""

    def __init__(self, lists: str, third_party: set[str]) -> None:
        self.owners, self.third_party = Packages(lists).owners, third_party

    def owner(self, path: str) -> str:
        """Returns the package of the distribution that owns a file, if any."""
        owners = self.owners.get(merged(path), [])
        return owners[0] if self.third_party.isdisjoint(owners[:1]) and owners else ""

    @cached_property
    def libraries(self) -> dict[str, str]:
        """Describes the libraries in packages, by name, including those that the spec excludes."""
        return {os.path.basename(path): f"{owners[0]} has it as {path}" for path, owners in self.owners.items() if ".so" in path}


def missing(entries: Iterable[Entry], there: set[str], debs: Debs) -> Iterator[tuple[str, bool]]:
    """Yields the missing libraries, and whether each is harmless."""
    users: dict[str, list[str]] = {}
    for path, tag, name in entries:
        if tag == "NEEDED" and name not in there:
            users.setdefault(name, []).append(path)
    for name, paths in sorted(users.items()):
        others = [path for path in paths if not debs.owner(path)]
        first = min(others or paths)
        rest = len(others or paths) - 1
        text = f"{name} is needed by {first}" + (f" and {rest} more" if rest else "")
        if holder := debs.libraries.get(name):
            yield f"{text}, but excluded: {holder}", False
        elif others:
            yield f"{text}, but no file in the image has that name", False
        else:
            yield f"{text}, and nothing that {debs.owner(first)} depends on has it", True


def doubled(entries: list[Entry], ignore: set[str]) -> Iterator[str]:
    """Yields what a process could load twice. Wheels have no links: a library under three names is three copies."""
    needed = {name for _, tag, name in entries if tag == "NEEDED"}
    for name, paths in copies(entries, ignore):
        if name in needed:
            yield f"{name} is there {len(paths)} times, and once is enough: prune all but one of {', '.join(paths)}"


def unasked(entries: list[Entry], sizes: dict[str, int], ignore: set[str]) -> Iterator[str]:
    """Yields what is there twice, but only a program that opens it by its path could load."""
    needed = {name for _, tag, name in entries if tag == "NEEDED"}
    for name, paths in copies(entries, ignore):
        if name not in needed:
            places = ", ".join(f"{place(path)} ({megabytes(sizes[path])})" for path in paths)
            yield f"{name} is there {len(paths)} times, but nothing is linked with it: {places}"


def copies(entries: list[Entry], ignore: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Yields CUDA's libraries that exist in several files, except for private copies."""
    holders: dict[str, list[str]] = {}
    for path, tag, name in entries:
        if tag == "SONAME" and CUDA.match(name) and name not in ignore and not original(path):
            holders.setdefault(name, []).append(path)
    for name, paths in sorted(holders.items()):
        if len(paths) > 1:
            yield name, sorted(paths)


def private(sizes: dict[str, int], ignore: set[str]) -> Iterator[str]:
    """Yields the copies of CUDA's libraries that only their own wheel needs."""
    for path, size in sorted(sizes.items()):
        name = original(path)
        if CUDA.match(name) and ignore.isdisjoint((name, os.path.basename(path))):
            yield f"{place(path)}: a private copy of {name.partition('.')[0]}, {megabytes(size)}"


def original(path: str) -> str:
    """Returns the original name of a private copy; "" for other files."""
    found = PRIVATE.fullmatch(os.path.basename(path))
    return found[1] + found[2] if found else ""


def place(path: str) -> str:
    """Returns a path as users know it: relative to site-packages, if it is there."""
    return SITE.sub("", path, count=1)


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def drivers(names: dict[str, list[str]], driver: set[str], ignored: Callable[[str], str | None]) -> Iterator[str]:
    for name in sorted(driver & names.keys()):
        if paths := [path for path in sorted(names[name]) if not ignored(path)]:
            yield f"{name} belongs to the driver, which the host provides: prune {', '.join(paths)}"


def scan() -> tuple[dict[str, list[str]], list[str]]:
    """Returns the paths of all files by their names, and those of ELF files."""
    names: dict[str, list[str]] = {}
    programs = []
    for directory, _, files in os.walk(IMAGE):
        for name in files:
            path = os.path.join(directory, name)
            names.setdefault(name, []).append(path.removeprefix(IMAGE))
            if is_elf(path):
                programs.append(path)
    return names, programs


def is_elf(path: str) -> bool:
    if not stat.S_ISREG(os.lstat(path).st_mode):  # opening a FIFO would wait for a writer
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def read(programs: list[str]) -> Iterator[Entry]:
    for start in range(0, len(programs), BATCH):
        # readelf names files only if it gets several.
        batch = programs[start : start + BATCH] + ["/proc/self/exe"]
        yield from parse(subprocess.run(["readelf", "-dW", *batch], stdout=subprocess.PIPE, text=True, errors="replace").stdout)


def parse(output: str) -> Iterator[Entry]:
    """Parses readelf's output."""
    path = ""
    for line in output.splitlines():
        if line.startswith("File: "):
            path = line.removeprefix("File: ")
        elif (found := ENTRY.search(line)) and path != "/proc/self/exe":
            yield path.removeprefix(IMAGE), found[1], found[2]


if __name__ == "__main__":
    main()

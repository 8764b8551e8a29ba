"""Looks at the shared libraries of the image in /image.

What something needs has to be there. A soname counts as provided when any file
bears its name, since programs find libraries in many ways (RUNPATH, dlopen,
preloading by a package). Of CUDA's libraries, which are large, none may be there
twice, and none of the driver's own, which comes with the host's driver.

The argument is a file with options: "driver" lists the sonames of the driver,
"ignore" those that the spec lets be.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator

IMAGE = "/image"
BATCH = 500
ENTRY = re.compile(r"\((NEEDED|SONAME)\).*\[(.*)\]")
CUDA = re.compile(
    r"lib(cublas(Lt)?|cudart|cudnn\w*|cufftw?|cufile\w*|cupti|curand|cusolver(Mg)?|cusparse(Lt)?|cutensor\w*|nccl"
    r"|npp\w*|nvblas|nvJitLink|nvjpeg|nvrtc|nvToolsExt)\.so"
)

Entry = tuple[str, str, str]
"""A file, NEEDED or SONAME, and the library that it names."""


def main() -> None:
    with open(sys.argv[1]) as file:
        options = json.load(file)
    names, programs = scan()
    entries = list(read(programs))
    driver, ignore = set(options["driver"]), set(options["ignore"])
    faults = [*missing(entries, names.keys() | driver | ignore), *doubled(entries, ignore), *drivers(names, driver - ignore)]
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        raise SystemExit(1)
    print(f"{len(programs)} ELF files, all their libraries are there")


def missing(entries: Iterable[Entry], there: set[str]) -> Iterator[str]:
    users: dict[str, list[str]] = {}
    for path, tag, name in entries:
        if tag == "NEEDED" and name not in there:
            users.setdefault(name, []).append(path)
    for name, paths in sorted(users.items()):
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        yield f"{name} is needed by {min(paths)}{more}, and no file of the image bears that name"


def doubled(entries: Iterable[Entry], ignore: set[str]) -> Iterator[str]:
    """Yields what is there twice. Wheels know no links: a library under three names is three copies."""
    holders: dict[str, list[str]] = {}
    for path, tag, name in entries:
        if tag == "SONAME" and CUDA.match(name) and name not in ignore:
            holders.setdefault(name, []).append(path)
    for name, paths in sorted(holders.items()):
        if len(paths) > 1:
            yield f"{name} is there {len(paths)} times, and once is enough: prune all but one of {', '.join(sorted(paths))}"


def drivers(names: dict[str, list[str]], driver: set[str]) -> Iterator[str]:
    for name in sorted(driver & names.keys()):
        yield f"{name} is the driver's, and comes with the host's: prune {', '.join(sorted(names[name]))}"


def scan() -> tuple[dict[str, list[str]], list[str]]:
    """Returns the paths of all files by their names, and those of ELF files."""
    names: dict[str, list[str]] = {}
    programs = []
    for folder, _, files in os.walk(IMAGE):
        for name in files:
            path = os.path.join(folder, name)
            names.setdefault(name, []).append(path.removeprefix(IMAGE))
            if not os.path.islink(path) and is_elf(path):
                programs.append(path)
    return names, programs


def is_elf(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def read(programs: list[str]) -> Iterator[Entry]:
    for start in range(0, len(programs), BATCH):
        # readelf names the file only when it is given several.
        batch = programs[start : start + BATCH] + ["/proc/self/exe"]
        yield from parse(subprocess.run(["readelf", "-dW", *batch], stdout=subprocess.PIPE, text=True, errors="replace").stdout)


def parse(output: str) -> Iterator[Entry]:
    """Reads what readelf prints."""
    path = ""
    for line in output.splitlines():
        if line.startswith("File: "):
            path = line.removeprefix("File: ")
        elif (found := ENTRY.search(line)) and path != "/proc/self/exe":
            yield path.removeprefix(IMAGE), found[1], found[2]


if __name__ == "__main__":
    main()

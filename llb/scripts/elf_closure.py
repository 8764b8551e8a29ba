"""Finds shared libraries that something in /image needs and nothing in it provides.

The arguments are sonames that may be missing: the driver's own, and those that
the spec ignores. A soname counts as provided when any file bears its name, since
programs find libraries in many ways (RUNPATH, dlopen, preloading by a package).
"""

import os
import subprocess
import sys

IMAGE = "/image"
BATCH = 500


def main() -> None:
    names, programs = scan()
    missing: dict[str, list[str]] = {}
    for path, soname in needs(programs):
        if soname not in names and soname not in sys.argv[1:]:
            missing.setdefault(soname, []).append(path.removeprefix(IMAGE))
    for soname, users in sorted(missing.items()):
        more = f" and {len(users) - 1} more" if len(users) > 1 else ""
        print(f"{soname} is needed by {min(users)}{more}, and no file of the image bears that name", file=sys.stderr)
    if missing:
        raise SystemExit(1)
    print(f"{len(programs)} ELF files, all their libraries are there")


def scan() -> tuple[set[str], list[str]]:
    names, programs = set(), []
    for folder, folders, files in os.walk(IMAGE):
        names.update(files)
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and is_elf(path):
                programs.append(path)
    return names, programs


def is_elf(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def needs(programs: list[str]):
    """Yields the path of each program with each soname in its NEEDED entries."""
    for start in range(0, len(programs), BATCH):
        # readelf names the file only when it is given several.
        batch = programs[start : start + BATCH] + ["/proc/self/exe"]
        out = subprocess.run(["readelf", "-dW", *batch], stdout=subprocess.PIPE, text=True, errors="replace").stdout
        path = ""
        for line in out.splitlines():
            if line.startswith("File: "):
                path = line.removeprefix("File: ")
            elif "(NEEDED)" in line and path != "/proc/self/exe":
                yield path, line[line.index("[") + 1 : line.rindex("]")]


main()

"""Compares two root file systems made from the same packages, /.lamina/first and /.lamina/second.

It writes the differences as JSON to the file that the argument names: paths, what differs there, and
the packages whose scripts likely made it.
"""

import json
import os
import stat
import sys
from collections.abc import Iterator

# Python runs with -I and -S, so that nothing else in the builder interferes.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from check_layer import Packages, listed, plain

PIECE = 1 << 20


def main(result: str, mounts: str = "/.lamina") -> None:
    packages = Packages(os.path.join(mounts, "lists"))
    found = [
        {"path": plain(path), "what": what, "packages": packages.makers(path)}
        for path, what in compare(os.path.join(mounts, "first"), os.path.join(mounts, "second"))
    ]
    with open(result, "w", encoding="utf-8") as file:
        json.dump(found, file)
    for one in found:
        print(f"{one['path']}: {one['what']}")


def compare(first: str, second: str, path: str = "") -> Iterator[tuple[str, str]]:
    """Yields the differences in a directory of both; a directory that only one has counts once."""
    names = [set(os.listdir(root + path + "/")) for root in (first, second)]
    for name in sorted(names[0] | names[1]):
        below = f"{path}/{name}"
        if name not in names[1]:
            yield below, "it exists only the first time"
        elif name not in names[0]:
            yield below, "it exists only the second time"
        elif what := difference(first + below, second + below):
            yield below, what
        elif stat.S_ISDIR(os.lstat(first + below).st_mode):
            yield from compare(first, second, below)


def difference(first: str, second: str) -> str:
    one, other = os.lstat(first), os.lstat(second)
    if one.st_mode != other.st_mode:
        return f"mode {one.st_mode:o} or {other.st_mode:o}"
    if (one.st_uid, one.st_gid) != (other.st_uid, other.st_gid):
        return f"owner {one.st_uid}:{one.st_gid} or {other.st_uid}:{other.st_gid}"
    if attributes(first) != attributes(second):
        return "extended attributes"
    if stat.S_ISLNK(one.st_mode):
        targets = [plain(os.readlink(link)) for link in (first, second)]
        return "" if targets[0] == targets[1] else "a link to " + " or ".join(targets)
    return content(first, second) if stat.S_ISREG(one.st_mode) else ""


def attributes(path: str) -> dict[str, bytes]:
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in listed(path)}


def content(first: str, second: str) -> str:
    at = 0
    with open(first, "rb") as one, open(second, "rb") as other:
        while True:
            left, right = one.read(PIECE), other.read(PIECE)
            if left != right:
                at += next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
                return f"content, from byte {at} on"
            if not left:
                return ""
            at += len(left)


if __name__ == "__main__":
    main(*sys.argv[1:])

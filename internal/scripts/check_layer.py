"""Checks the layer in /.lamina/layer before it enters an image.

No entry may be outside the layer's places, delete files of other layers, or be a device. Only files
of Debian packages may give privileges to those who run them. A private key may stay only if its source
published it: a key whose hash a .deb or a wheel lists is public, but everybody who has the image would
share one that was made during an installation or compilation.

The argument is JSON: "name" of the layer; "places" that it fills, and "apart", places among them that it
may not; "keep", globs of keys that stay.
"""

import base64
import csv
import hashlib
import io
import json
import os
import re
import stat
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property

# Python runs with -I and -S, so that nothing else in the builder interferes.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from globs import Globs
from private_keys import Keys

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keys.json")
MADE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "made.tsv")
MERGED = ("/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/")


def main(argument: str, mounts: str = "/.lamina") -> None:
    options = json.loads(argument)
    lists = os.path.join(mounts, "lists")
    source = Packages(lists) if os.path.isdir(lists) else Archives(mounts, os.path.join(mounts, "layer"), options["name"])
    check = Check(os.path.join(mounts, "layer"), source, options)
    check.directory("")
    for first, *more in check.made.values():
        others = f" and {len(more)} more next to it were" if more else " was"
        check.notes.append(f"{first}{others} {source.origin(first)}; it may differ between builds")
    for note in check.notes:
        print("lamina: note", plain(note), flush=True)  # the problems come last
    if check.problems:
        print(*map(plain, check.problems), sep="\n", file=sys.stderr)
        raise SystemExit(1)
    print(f"{check.count} entries, all allowed in a layer")


class Packages:
    """dpkg's records of the packages in the layer and below it."""

    special = True  # its files may give privileges, and it may make FIFOs

    def __init__(self, lists: str) -> None:
        self.lists = lists

    def read(self, suffix: str) -> Iterator[tuple[str, str]]:
        """Yields the names of packages and the text of a file of each."""
        for name in sorted(os.listdir(self.lists)):
            if name.endswith(suffix):
                with open(os.path.join(self.lists, name), encoding="utf-8", errors="surrogateescape") as file:
                    yield name.removesuffix(suffix).partition(":")[0], file.read()

    @cached_property
    def owners(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for package, text in self.read(".list"):
            for path in text.splitlines():
                found.setdefault(merged(path), []).append(package)
        with suppress(FileNotFoundError), open(os.path.join(self.lists, "diversions"), encoding="utf-8") as file:
            lines = file.read().splitlines()
            for before, after in zip(lines[::3], lines[1::3], strict=False):  # the third names the diverter
                found.setdefault(merged(after), []).extend(found.get(merged(before), []))
        return found

    @cached_property
    def hashes(self) -> set[str]:
        sums = {line.partition(" ")[0] for _, text in self.read(".md5sums") for line in text.splitlines()}
        for _, status in self.read("status"):
            sums |= set(re.findall(r"(?m)^ /\S.* ([0-9a-f]{32})(?: obsolete)?$", status))  # conffiles
        return sums

    @cached_property
    def conffiles(self) -> dict[str, str]:
        """Returns the hashes of configuration files as packaged."""
        found = {}
        for _, status in self.read("status"):
            found |= dict(re.findall(r"(?m)^ (/\S.*) ([0-9a-f]{32})$", status))
        return found

    @cached_property
    def known(self) -> Globs:
        with open(MADE, encoding="utf-8") as table:
            rows = [line.split("\t") for line in table if not line.startswith("#")]
        return Globs([path for row in rows for path in row[3].split()])

    def made(self, path: str, file: str) -> bool:
        """Reports whether a script made or changed a file that made.tsv doesn't list."""
        if self.owns(path):
            known = path not in self.conffiles or digest(file, "md5").hex() == self.conffiles[path]
        else:
            known = compiled(file) or self.published(file)  # a copy, such as ucf makes
        return not known and not self.known.decider(path)

    def owns(self, path: str) -> bool:
        return merged(path) in self.owners

    def published(self, file: str) -> bool:
        return digest(file, "md5").hex() in self.hashes

    def origin(self, path: str) -> str:
        """Returns where a file without a hash comes from: the package whose script names it, else likely the only owner of its directory."""
        makers = self.makers(path)
        return "made while " + (" or ".join(makers) or "a package") + (" were" if len(makers) > 1 else " was") + " installed"

    def makers(self, path: str) -> list[str]:
        return self.owners.get(merged(path)) or self.scripts(path) or self.having(os.path.dirname(path)) or self.scripts(os.path.basename(path))

    def scripts(self, name: str) -> list[str]:
        named = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])")
        return list(dict.fromkeys(package for package, script in self.maintainers if named.search(script)))

    @cached_property
    def maintainers(self) -> list[tuple[str, str]]:
        return [script for kind in (".postinst", ".preinst") for script in self.read(kind)]

    def having(self, directory: str) -> list[str]:
        while directory != "/":
            if owners := [owner for owner in self.owners.get(merged(directory), []) if owner != "base-files"]:
                return owners if len(owners) <= 3 else []
            directory = os.path.dirname(directory)
        return []


class Archives:
    """The wheels and the sdist that the layer was made from, if any; other sources list no hashes."""

    special = False

    def __init__(self, mounts: str, layer: str, name: str) -> None:
        self.wheels, self.sdist, self.layer, self.name = os.path.join(mounts, "wheels"), os.path.join(mounts, "source"), layer, name

    @cached_property
    def hashes(self) -> dict[str, set[bytes]]:
        """Returns the hashes in the wheels' original RECORDs and of the files in an sdist, by algorithm."""
        found: dict[str, set[bytes]] = {"sha256": set()}
        for directory, read in ((self.wheels, records), (self.sdist, contents)):
            for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
                for algorithm, value in read(os.path.join(directory, name)):
                    found.setdefault(algorithm, set()).add(value)
        return found

    def owns(self, path: str) -> bool:
        return False

    def made(self, path: str, file: str) -> bool:
        return False

    def published(self, file: str) -> bool:
        return any(digest(file, algorithm) in values for algorithm, values in self.hashes.items())

    def origin(self, path: str) -> str:
        for directory, _, names in os.walk(self.layer):
            if directory.endswith(".dist-info") and "RECORD" in names:
                site = os.path.dirname(directory).removeprefix(self.layer)
                with open(os.path.join(directory, "RECORD"), newline="", encoding="utf-8") as file:
                    if any(row and os.path.normpath(os.path.join(site, row[0])) == path for row in csv.reader(file)):
                        return f"of {os.path.basename(directory).removesuffix('.dist-info').replace('-', ' ')}, which has published no hash of it"
        return f"of {self.name}, which has published no hash of it"


class Check:
    """A walk through the layer that finds all problems at once."""

    def __init__(self, layer: str, source: Packages | Archives, options: dict[str, object]) -> None:
        self.layer, self.source, self.keys, self.keep = layer, source, Keys(TABLE), Globs(options["keep"])
        self.places = [place.rstrip("/") for place in options["places"]]
        self.apart = [place.rstrip("/") for place in options["apart"]]
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.made: dict[str, list[str]] = {}  # what made.tsv doesn't list, by directory
        self.count = 0

    def directory(self, path: str) -> None:
        for entry in sorted(os.scandir(self.layer + path + "/"), key=lambda entry: entry.name):
            below = f"{path}/{entry.name}"
            info = entry.stat(follow_symlinks=False)
            self.count += 1
            if problem := self.problem(below, entry.path, info):
                self.problems.append(f"{below} {problem}")
            elif stat.S_ISDIR(info.st_mode):
                self.directory(below)
            elif stat.S_ISREG(info.st_mode):
                self.look(below, entry.path, info.st_size)

    def problem(self, path: str, file: str, info: os.stat_result) -> str:
        kind = stat.S_IFMT(info.st_mode)
        attributes = listed(file)
        device = kind in (stat.S_IFCHR, stat.S_IFBLK)
        if not self.in_place(path, kind == stat.S_IFDIR):
            return "is outside " + " and ".join(self.places) if not within(path, self.apart) else "is where no layer of its kind may be"
        if os.path.basename(path).startswith(".wh.") or device and info.st_rdev == 0 or any(".overlay." in name for name in attributes):
            return "is a whiteout: it deletes files of other layers"
        if device or kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK) and not self.source.special:
            return "is a device node" if device else "is not a file, directory or link"
        if kind == stat.S_IFREG and not self.source.owns(path):
            if info.st_mode & (stat.S_ISUID | stat.S_ISGID):
                return "is setuid or setgid, but no Debian package owns it"
            if "security.capability" in attributes:
                return "has capabilities, but no Debian package owns it"
        return ""

    def in_place(self, path: str, is_directory: bool) -> bool:
        if within(path, self.apart):
            return False
        return within(path, self.places) or is_directory and any(place.startswith(path + "/") for place in self.places)

    def look(self, path: str, file: str, size: int) -> None:
        if self.source.made(path, file):
            self.made.setdefault(os.path.dirname(path), []).append(path)
        if compiled(file) or not (kind := self.keys.kind(path, file, size)):
            return
        if self.keep.decider(path):
            self.notes.append(f"{path} holds a private key ({kind}), and is kept")
        elif self.source.published(file):
            self.notes.append(f"{path} holds a private key ({kind}) that is public: its source lists its hash")
        else:
            self.problems.append(f"{path} holds a private key ({kind}), {self.source.origin(path)}")


def plain(text: str) -> str:
    """Returns text as one line, whatever file names contain."""
    return re.sub("[\x00-\x1f\x7f\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)


def within(path: str, places: list[str]) -> bool:
    return any(path == place or path.startswith(place + "/") for place in places)


def compiled(file: str) -> bool:
    """Reports whether a file is the bytecode of a source next to it, which is checked for both."""
    directory, cache, name = file.rpartition("/__pycache__/")
    return bool(cache) and name.endswith(".pyc") and os.path.isfile(f"{directory}/{name.partition('.')[0]}.py")


def listed(file: str) -> list[str]:
    try:
        return os.listxattr(file, follow_symlinks=False)
    except OSError:  # the file system supports none
        return []


def merged(path: str) -> str:
    """Returns a package's path as it is with a merged /usr."""
    return "/usr" + path if path.startswith(MERGED) else path


def digest(file: str, algorithm: str) -> bytes:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.new(algorithm, usedforsecurity=False)).digest()


def records(wheel: str) -> Iterator[tuple[str, bytes]]:
    """Yields the hashes that a wheel lists, by algorithm; a RECORD may have invalid rows."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not re.fullmatch(r"[^/]+\.dist-info/RECORD", name):
                continue
            for row in csv.reader(io.StringIO(archive.read(name).decode(errors="replace"), newline="")):
                algorithm, _, value = (*row, "", "")[1].partition("=")
                with suppress(ValueError):
                    if algorithm in hashlib.algorithms_guaranteed and not algorithm.startswith("shake"):
                        yield algorithm, base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def contents(sdist: str) -> Iterator[tuple[str, bytes]]:
    """Yields the hashes of the files in an sdist. Its author has published them, and the lock has its hash."""
    if zipfile.is_zipfile(sdist):
        with zipfile.ZipFile(sdist) as archive:
            for name in archive.namelist():
                yield "sha256", hashlib.sha256(archive.read(name)).digest()
        return
    with tarfile.open(sdist) as archive:
        for member in archive:
            if file := archive.extractfile(member) if member.isfile() else None:
                yield "sha256", hashlib.sha256(file.read()).digest()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Checks that the Python distributions in /image fit each other and match their RECORDs.

It does what `pip check` and `uv pip check` do, and also follows the extras that requirements name, which
both ignore. It finds files that two distributions have with different content (an image hides that, since
the upper layer wins) and scripts that hide a Debian program. It runs nothing from the image, follows no
link out of it, and prints all problems at once.
"""

import csv
import json
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from email.parser import HeaderParser
from functools import cache
from pathlib import Path
from stat import S_ISREG

# Python runs with -I and -S, so that nothing else in the builder interferes.
sys.path += [os.path.dirname(os.path.abspath(__file__)), "/usr/lib/python3/dist-packages"]
sys.dont_write_bytecode = True

from globs import Globs, subject
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

INSTALLED = "/usr/local/lib/python3*/dist-packages"
DEBIAN = "/usr/lib/python3*/dist-packages"

SCRIPTS = "/usr/local/bin"
PROGRAMS = ("/usr/sbin", "/usr/bin")  # /sbin and /bin are links to them

# For markers. The build machine's kernel must not decide, and a marker can't compare
# versions like 6.1.0-42-amd64.
KERNEL = {"platform_release": "6.1", "platform_version": "1"}


def main(options_file: str, image: str = "/image") -> None:
    with open(options_file, encoding="utf-8") as file:
        options = json.load(file)
    root = os.path.realpath(image)
    ours = list(distributions(root, INSTALLED))
    debian = {found.key: found for found in distributions(root, DEBIAN)}
    present = {**debian, **{found.key: found for found in ours}}
    optional = {canonicalize_name(name) for name in options.get("optional", [])}
    overridden = {canonicalize_name(name) for name in options.get("overridden", [])}
    allowed = Globs(options.get("collisions", []))
    problems = {
        *misnamed(ours), *wrong_python(ours), *unmet(ours, present, optional, overridden), *wrong_files(root, ours, allowed),
        *unasked(ours, options.get("asked"), options.get("locked", [])), *shadowing(root, [found for found in ours if found.key not in debian], allowed),
    }
    if problems:
        print(*sorted(problems), sep="\n", file=sys.stderr)
        raise SystemExit(1)
    print(f"{len(ours)} distributions, all their requirements are met")


class Installed:
    """A distribution in the image; site is the path in the image of the directory that it is in."""

    def __init__(self, root: str, path: str) -> None:
        self.site = os.path.dirname(path).removeprefix(root)
        self.directory = path
        metadata = read_metadata(path)
        self.name: str = metadata["Name"] or os.path.basename(path)
        self.version: str = metadata["Version"] or ""
        self.key = canonicalize_name(self.name)
        self.requires: list[str] = metadata.get_all("Requires-Dist") or []
        self.python: str = metadata["Requires-Python"] or ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()

    def record(self) -> Iterator[tuple[str, str, str]]:
        """Yields absolute path, hash and size of each row of RECORD."""
        with open(f"{self.directory}/RECORD", newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                path, digest, size = (*row, "", "", "")[:3]
                yield os.path.normpath(os.path.join(self.site, path)), digest, size


def read_metadata(directory: str) -> Message:
    """Reads the headers of METADATA, or of PKG-INFO for an .egg-info directory or file."""
    for path in (f"{directory}/METADATA", f"{directory}/PKG-INFO", directory):
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                return HeaderParser().parse(file)
    return Message()


def distributions(root: str, pattern: str) -> Iterator[Installed]:
    for site in sorted(Path(root).glob(pattern.lstrip("/"))):
        for entry in sorted(os.listdir(site)):
            path = str(site / entry)
            if entry.endswith((".dist-info", ".egg-info")) and is_inside(root, path):
                yield Installed(root, path)


def is_inside(root: str, directory: str) -> bool:
    """Reports whether a distribution's directory and the files read from it are in the image, following all links."""
    names = ("", "METADATA", "PKG-INFO", "RECORD")
    return all(os.path.realpath(os.path.join(directory, name)).startswith(root + "/") for name in names)


def misnamed(ours: list[Installed]) -> Iterator[str]:
    first: dict[str, Installed] = {}
    for found in ours:
        if not found.version:
            yield f"{found.name} has no METADATA with a name and a version"
        if (other := first.setdefault(found.key, found)) is not found:
            yield f"{other} and {found} are one distribution, installed twice"


def unmet(
    ours: list[Installed], present: dict[str, Installed], optional: set[str], overridden: set[str]
) -> Iterator[str]:
    """Follows each distribution's requirements, and those of each extra that a requirement names."""
    waiting = [(found, "") for found in ours]
    seen = set(waiting)
    for user, extra in waiting:  # grows
        for text in user.requires:
            try:
                need = Requirement(readable(text))
                if not applies(need, extra):
                    continue
            except ValueError:
                # The resolver could read all that it resolved.
                print(f"lamina: note {user} has an unreadable requirement, which isn't checked: {text}")
                continue
            provider = present.get(canonicalize_name(need.name))
            if canonicalize_name(need.name) not in overridden:
                yield from judge(user, extra, need, provider, optional)
            extras = {(provider, name) for name in need.extras if provider} - seen
            waiting += extras
            seen |= extras


def unasked(ours: list[Installed], asked: list[str] | None, locked: list[str]) -> Iterator[str]:
    """Finds what neither the spec nor its dependencies require: a lock may list anything."""
    if asked is None:
        return
    mine = {found.key: found for found in ours}
    roots = [Requirement(line) for line in asked]
    waiting = [(need.name, extra) for need in roots for extra in ("", *need.extras)]
    waiting += [(found.name, "") for found in ours if found.key not in locked]  # built from a source tree of the spec
    seen = set()
    for name, extra in waiting:  # grows
        found = mine.get(canonicalize_name(name))
        if found is None or (found, extra) in seen:
            continue
        seen.add((found, extra))
        for text in found.requires:
            try:
                need = Requirement(readable(text))
            except ValueError:  # the resolver could read it, and took what it names
                if not (head := re.match(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?(\s*\[[\w\s.,-]*\])?", text)):
                    continue
                need = Requirement(head[0])
            if not need.marker or need.marker.evaluate({**KERNEL, "extra": extra}):
                waiting += [(need.name, more) for more in ("", *need.extras)]
    for found in ours:
        if (found, "") not in seen:
            yield f"{found} is required by neither the spec nor its dependencies: the lock must not have it"


def readable(text: str) -> str:
    """Removes from a requirement what PEP 440 forbids but old packages have, as uv and old pips do: >=5.1.* is >=5.1."""
    return re.sub(r"([<>]=?\s*[\w.!+-]+?)\.\*", r"\1", text)


def applies(need: Requirement, extra: str) -> bool:
    """Reports whether a requirement applies because of the extra; "" stands for none."""
    def holds(name: str) -> bool:
        return not need.marker or need.marker.evaluate({**KERNEL, "extra": name})

    return holds(extra) and not (extra and holds(""))


def wrong_python(ours: list[Installed]) -> Iterator[str]:
    version = platform.python_version()
    for user in ours:
        # pip ignores an invalid specifier, too.
        with suppress(InvalidSpecifier):
            if not earliest(user.python).contains(version, prereleases=True):
                yield f"{user} needs Python {user.python}, but {version} is installed"


def earliest(python: str) -> SpecifierSet:
    """Returns what a range of Pythons begins with: uv ignores where it ends, a guess of the package's makers."""
    begins = (one for one in SpecifierSet(python) if one.operator in (">", ">=", "~=", "=="))
    return SpecifierSet(",".join(f"{'>' if one.operator == '>' else '>='}{one.version.removesuffix('.*')}" for one in begins))


def judge(
    user: Installed, extra: str, need: Requirement, provider: Installed | None, optional: set[str]
) -> Iterator[str]:
    need.marker = None  # it holds, and need not be printed
    label = f"{user.name}[{extra}] {user.version}" if extra else str(user)
    if provider:
        if not satisfies(provider.version, need.specifier):
            yield f"{label} needs {need}, but {provider.version} is installed"
    elif canonicalize_name(need.name) not in optional:
        yield f"{label} needs {need}, which is not installed"


def satisfies(version: str, wanted: SpecifierSet) -> bool:
    try:
        return wanted.contains(version, prereleases=True)
    except InvalidVersion:
        return not wanted


def wrong_files(root: str, ours: list[Installed], allowed: Globs) -> Iterator[str]:
    rows: dict[str, list[tuple[Installed, str, str]]] = {}
    for found in ours:
        if not os.path.isfile(f"{found.directory}/RECORD"):
            yield f"{found} has no RECORD"
            continue
        for path, digest, size in found.record():
            rows.setdefault(path, []).append((found, digest, size))
    for path, claims in rows.items():
        owners = sorted({str(found) for found, _, _ in claims})
        hashes = {digest for _, digest, _ in claims}
        if len(hashes) > 1 and not allowed.decider(subject(path, claims[0][0].site)):
            yield f"{' and '.join(owners)} have {path} with different content"
        # The file must match one of its owners; conflicts are reported above.
        yield from wrong_size(root, path, owners[0], {size for _, _, size in claims})


def wrong_size(root: str, path: str, owner: str, sizes: set[str]) -> Iterator[str]:
    directory = real_directory(os.path.dirname(root + path))
    file = os.path.join(directory, os.path.basename(path))
    if not directory.startswith(root + "/") or not os.path.lexists(file):
        yield f"{owner}: {path} is missing"
    elif not S_ISREG((info := os.lstat(file)).st_mode):
        yield f"{owner}: {path} is not a regular file"
    elif sizes.isdisjoint(("", str(info.st_size))):
        yield f"{owner}: {path} has {info.st_size} bytes, but RECORD says {' or '.join(sorted(sizes))}"


def shadowing(root: str, ours: list[Installed], allowed: Globs) -> Iterator[str]:
    """Finds scripts that run in place of a Debian program of the same name, even when Debian's own scripts call it."""
    for found in ours:
        if not os.path.isfile(f"{found.directory}/RECORD"):
            continue
        for path, _, _ in found.record():
            directory, name = os.path.split(path)
            if directory != SCRIPTS or allowed.decider(subject(path, found.site)):
                continue
            for program in (f"{directory}/{name}" for directory in PROGRAMS):
                if os.path.lexists(f"{real_directory(root + os.path.dirname(program))}/{name}"):
                    yield f'{found}: {path} runs in place of {program}; collisions = ["bin/{name}"] would allow that'


@cache
def real_directory(directory: str) -> str:
    return os.path.realpath(directory)


if __name__ == "__main__":
    main(*sys.argv[1:])

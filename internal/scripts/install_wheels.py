"""Installs the wheels in /.lamina/wheels below /.lamina/out, where Debian's Python looks for local packages.

uv does it; where no uv is locked there are only trees that were built here, and Debian's
installer does. Before that the directories of the wheels are read, for what neither
refuses: paths that uv would leave out without a word, links that it would make files of,
and files that two wheels have with different content, of which the last one would stay,
whichever that is. finish_wheels.py makes a layer of what came out.
"""

import configparser
import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import zipfile

# Python runs with -I and -S, so that nothing else in the builder interferes.
sys.path += [os.path.dirname(os.path.abspath(__file__)), "/usr/lib/python3/dist-packages"]
sys.dont_write_bytecode = True

from finish_wheels import INCLUDE, NOTES, SITE, finish
from globs import LOCAL, Globs, subject

PYTHON = "/usr/bin/python3"
UV = "/.lamina/uv/uv"
# What a wheel may unpack to: see bulk.go of the resolver, which looks first.
SMALL = 1 << 30
TIMES = 100
CACHE = ".uv"  # below the directory of the layer, so that uv can link what it has unpacked


def main(options_file: str, directory: str = "/.lamina/wheels", out: str = "/.lamina/out", uv: str = UV) -> None:
    os.umask(0o022)
    with open(options_file, encoding="utf-8") as file:
        options = json.load(file)
    paths = sorted(os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(".whl"))
    if not paths and not options.get("optional"):
        stop_at([f"no wheel in {directory}"])
    prune = Globs(options.get("prune", []))
    wheels, problems = read_all(paths)
    stop_at(problems or clashes(wheels, [Globs(options.get("collisions", [])), prune]))
    for together in rounds(wheels):
        if os.path.exists(uv):
            install_by_uv(uv, together, out)
        else:
            install_by_debian(together, out)
    stop_at(finish(wheels, out, prune))


def stop_at(problems: list[str]) -> None:
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
        raise SystemExit(1)


class Refused(Exception):
    """Says what is wrong with a wheel."""


class Wheel:
    """What the directory of a wheel says.

    files has each path that will be installed, with what tells one content from another.
    """

    def __init__(self, path: str) -> None:
        self.path, self.name = path, os.path.basename(path)
        with zipfile.ZipFile(path) as archive:
            # A directory is made for what is in it. filename ends at a NUL.
            items = [item for item in archive.infolist() if not item.orig_filename.endswith("/")]
            for item in items:
                check(item)
            self.largest = max((item.file_size for item in items), default=0)
            unpacked, size = sum(item.file_size for item in items), os.path.getsize(path)
            if unpacked > max(SMALL, TIMES * size) or sum(item.compress_size for item in items) > size:
                raise Refused(f"it unpacks to {unpacked} bytes, which is no wheel of {size}")
            self.info = info_of([item.filename for item in items])
            self.files: dict[str, object] = {}
            for item in items:
                self.add(item)
            if f"{SITE}/{self.info}/entry_points.txt" in self.files:
                text = archive.read(f"{self.info}/entry_points.txt").decode(errors="replace")
                made = scripts(text)
                for name in made:
                    if "/" in name or name.startswith(".wh."):
                        raise Refused(f"its script {name!r} is not a plain name")
                self.files |= {f"{LOCAL}/bin/{name}": value for name, value in made.items()}
        for target in self.files:
            if re.fullmatch(rf"{LOCAL}/bin/python[\d.]*", target):
                raise Refused(f"its script {os.path.basename(target)} would run in place of Debian's Python")

    def add(self, item: zipfile.ZipInfo) -> None:
        # Bytecode that a wheel brings is another interpreter's, or a source's of another time.
        parts = item.filename.split("/")
        if "__pycache__" in parts or (parts[0] == self.info and parts[-1] in NOTES):
            return
        content = (item.CRC, item.file_size, bool(item.external_attr >> 16 & 0o111))
        target = self.target(item.filename)
        if self.files.setdefault(target, content) != content and parts[1:] != ["RECORD"]:
            raise Refused(f"it has {target} twice, with different content")

    def target(self, path: str) -> str:
        directory, _, below = path.partition("/")
        if directory != self.info.removesuffix(".dist-info") + ".data":
            return f"{SITE}/{path}"
        scheme, _, below = below.partition("/")
        return f"{schemes(self.info).get(scheme, SITE)}/{below}"


def check(item: zipfile.ZipInfo) -> None:
    path = item.orig_filename
    if not {"", ".", ".."}.isdisjoint(path.split("/")) or "\\" in path or "\0" in path:
        raise Refused(f"it has the path {path!r}, which no file below a directory has")
    if any(part.startswith(".wh.") for part in path.split("/")):
        raise Refused(f"it has the path {path!r}: names with .wh. in front remove files of an image")
    if stat.S_IFMT(item.external_attr >> 16) not in (0, stat.S_IFREG):
        raise Refused(f"{path} is not a regular file")


def info_of(paths: list[str]) -> str:
    found = {path.removesuffix("/METADATA") for path in paths if re.fullmatch(r"[^/]+\.dist-info/METADATA", path)}
    if len(found) != 1:
        raise Refused(f"it has {len(found)} .dist-info directories with METADATA")
    return found.pop()


def schemes(info: str) -> dict[str, str]:
    name = re.sub(r"[-_.]+", "-", info.removesuffix(".dist-info").rpartition("-")[0]).lower()
    headers = f"{INCLUDE}/{name}"
    return {"purelib": SITE, "platlib": SITE, "scripts": f"{LOCAL}/bin", "data": LOCAL, "headers": headers}


def scripts(text: str) -> dict[str, str]:
    """Returns the scripts that entry points ask for; whether they can be made is the installer's to say.

    Whoever asks for pip3 gets it under the name of this Python's version, too: uv and pip do so.
    """
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False, allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    kinds = [parser[kind] for kind in ("console_scripts", "gui_scripts") if kind in parser]
    found = {name: value for kind in kinds for name, value in kind.items()}
    if "pip3" in found:
        found[f"pip3.{sys.version_info.minor}"] = found["pip3"]
    return found


def read_all(paths: list[str]) -> tuple[list[Wheel], list[str]]:
    wheels, problems = [], []
    for path in paths:
        try:
            wheels.append(Wheel(path))
        except Exception as error:  # whichever library it is that doesn't like the wheel
            kind = "" if isinstance(error, (Refused, zipfile.BadZipFile)) else f"{type(error).__name__}: "
            problems.append(f"{os.path.basename(path)}: {kind}{' '.join(str(error).split())}")
    return wheels, problems


def clashes(wheels: list[Wheel], allowed: list[Globs]) -> list[str]:
    """Finds files that two wheels have with different content, but for those that may be so or don't stay."""
    owners: dict[str, Wheel] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for wheel in wheels:
        for target, content in wheel.files.items():
            owner = owners.setdefault(target, wheel)
            if plain(owner.files[target]) == plain(content):
                continue
            if not any(globs.decider(subject(target, SITE)) for globs in allowed):
                found.setdefault((wheel.name, owner.name), []).append(target)
    return [f"{name}: {listed(paths)} in {other} too, with different content" for (name, other), paths in found.items()]


def plain(content: object) -> object:
    """Returns a file's content without its mode, which may differ."""
    return content[:2] if isinstance(content, tuple) else content


def listed(paths: list[str]) -> str:
    return paths[0] + (f" and {len(paths) - 1} more are" if len(paths) > 1 else " is")


def rounds(wheels: list[Wheel]) -> list[list[Wheel]]:
    """Divides wheels so that of two with one file the first by name is installed after the other, and so stays."""
    order: dict[str, int] = {}
    latest: dict[str, list[Wheel]] = {}
    for wheel in reversed(wheels):
        rivals = [other for target, content in wheel.files.items()
                  for other in latest.get(target, []) if other.files[target] != content]
        order[wheel.name] = max((order[other.name] + 1 for other in rivals), default=0)
        for target in wheel.files:
            latest.setdefault(target, []).append(wheel)
    return [[wheel for wheel in wheels if order[wheel.name] == number] for number in sorted(set(order.values()))]


def install_by_uv(uv: str, wheels: list[Wheel], out: str) -> None:
    # What would vary between builds is not noted: who installed, when, from where.
    environment = {**os.environ, "UV_NO_INSTALLER_METADATA": "1", "UV_CACHE_DIR": f"{out}/{CACHE}"}
    command = [uv, "pip", "install", "--quiet", "--no-config", "--offline", "--no-index", "--no-deps", "--no-build",
               "--no-python-downloads", "--python", PYTHON, "--prefix", out + LOCAL, "--link-mode", "hardlink"]
    # uv unpacks to the end, whatever a directory says.
    most = max(64 << 20, *(wheel.largest for wheel in wheels))
    done = subprocess.run([*command, *(wheel.path for wheel in wheels)], env=environment,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    if done.returncode == -signal.SIGXFSZ:
        stop_at(["a file of " + ", ".join(wheel.name for wheel in wheels) + " is larger than its directory says"])
    if done.returncode:
        raise SystemExit(1)
    shutil.rmtree(f"{out}/{CACHE}")


def install_by_debian(wheels: list[Wheel], out: str) -> None:
    from installer import install
    from installer.destinations import SchemeDictionaryDestination
    from installer.sources import WheelFile

    for wheel in wheels:
        with WheelFile.open(wheel.path) as source:
            install(source, SchemeDictionaryDestination(schemes(wheel.info), PYTHON, "posix", destdir=out), {})


if __name__ == "__main__":
    main(*sys.argv[1:])

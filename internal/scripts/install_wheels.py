"""Installs the wheels in /.lamina/wheels below /.lamina/out, where Debian's Python looks for local packages.

uv installs them; if no uv is locked, there are only trees that were built here, and Debian's
installer does. Before that, the script checks the zip directories for what neither refuses: paths
that uv would silently leave out, links that it would turn into files, and files that two
wheels have with different content, of which whichever is last would stay.
finish_wheels.py turns the result into a layer.
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

from finish_wheels import INCLUDE, MOVES, NOTES, SITE, finish
from globs import LOCAL, Globs, subject

PYTHON = "/usr/bin/python3"
UV = "/.lamina/uv/uv"
# Limits on the unpacked size; the resolver's bulk.go checks them first.
SMALL = 1 << 30
TIMES = 100
CACHE = ".uv"  # in the layer's directory, so that uv can link what it unpacked


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
    """The reason why a wheel is refused."""


class Wheel:
    """The contents of a wheel, from its zip directory.

    files maps each path that will be installed to what distinguishes its content.
    """

    def __init__(self, path: str) -> None:
        self.path, self.name = path, os.path.basename(path)
        with zipfile.ZipFile(path) as archive:
            # Directories are made for their files. filename ends at a NUL.
            items = [item for item in archive.infolist() if not item.orig_filename.endswith("/")]
            for item in items:
                check(item)
            self.largest = max((item.file_size for item in items), default=0)
            unpacked, size = sum(item.file_size for item in items), os.path.getsize(path)
            if unpacked > max(SMALL, TIMES * size) or sum(item.compress_size for item in items) > size:
                raise Refused(f"it unpacks to {unpacked} bytes, too many for a wheel of {size}")
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
        # Bytecode in a wheel is from another interpreter, or from an older source.
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
        target = f"{schemes(self.info).get(scheme, SITE)}/{below}"
        old = next((old for old in MOVES if target.startswith(old + "/")), "")
        return MOVES.get(old, "") + target.removeprefix(old)


def check(item: zipfile.ZipInfo) -> None:
    path = item.orig_filename
    if not {"", ".", ".."}.isdisjoint(path.split("/")) or "\\" in path or "\0" in path:
        raise Refused(f"it has the path {path!r}, which is not a relative path inside a directory")
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
    """Returns the scripts that entry points request; the installer decides whether they can be made.

    A wheel with pip3 also gets one named after this Python's version, as with uv and pip.
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
        except Exception as error:  # any library may refuse the wheel
            kind = "" if isinstance(error, (Refused, zipfile.BadZipFile)) else f"{type(error).__name__}: "
            problems.append(f"{os.path.basename(path)}: {kind}{' '.join(str(error).split())}")
    return wheels, problems


def clashes(wheels: list[Wheel], allowed: list[Globs]) -> list[str]:
    """Finds files that two wheels have with different content, except for allowed and pruned ones."""
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
    """Divides wheels so that of two that have a file, the first by name is installed later, and its file stays."""
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
    # Don't record what varies between builds: who installed, when, from where.
    environment = {**os.environ, "UV_NO_INSTALLER_METADATA": "1", "UV_CACHE_DIR": f"{out}/{CACHE}"}
    command = [uv, "pip", "install", "--quiet", "--no-config", "--offline", "--no-index", "--no-deps", "--no-build",
               "--no-python-downloads", "--python", PYTHON, "--prefix", out + LOCAL, "--link-mode", "hardlink"]
    # uv unpacks a file to its end, whatever its size in the zip directory.
    most = max(64 << 20, *(wheel.largest for wheel in wheels))
    done = subprocess.run([*command, *(wheel.path for wheel in wheels)], env=environment,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    if done.returncode == -signal.SIGXFSZ:
        stop_at(["a file in " + ", ".join(wheel.name for wheel in wheels) + " is larger than its zip directory says"])
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

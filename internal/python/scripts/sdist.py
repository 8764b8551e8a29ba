"""Looks into source trees and sdists, for what they need to be built."""

import contextlib
import gzip
import io
import json
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
import zlib
from typing import IO

from packaging.requirements import InvalidRequirement, Requirement

import web

LEGACY = {"requires": ["setuptools>=40.8.0", "wheel"], "build-backend": "setuptools.build_meta:__legacy__"}

# What the build backend itself asks for beyond what is declared. It runs in the tree.
ASK = """import json, sys
from build import ProjectBuilder
print(json.dumps(sorted(ProjectBuilder(sys.argv[1]).get_requires_for_build("wheel"))))"""


def unpack(name: str, data: bytes, into: str) -> str:
    """Unpacks an sdist and returns its one folder. The fault says what it is, not which one."""
    shutil.rmtree(into, ignore_errors=True)
    os.makedirs(into)
    try:
        extract(name, io.BytesIO(data), into)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile) as e:
        kind = "zip" if name.lower().endswith(".zip") else "tar"
        raise web.Fault("failure", f"it is not a {kind} archive, or not the whole of one") from e
    except (OSError, ValueError, RuntimeError) as e:
        raise web.Fault("failure", f"it can not be unpacked: {e}") from e
    folders = [entry.path for entry in os.scandir(into) if entry.is_dir()]
    if len(folders) != 1:
        raise web.Fault("failure", f"it is not an sdist: it holds {len(folders)} folders")
    return folders[0]


def extract(name: str, file: IO[bytes], into: str) -> None:
    if name.lower().endswith(".zip"):
        with zipfile.ZipFile(file) as archive:
            archive.extractall(into)  # makes paths that lead out lead in
        return
    with tarfile.open(fileobj=file) as tar:
        for member in tar:
            if not stays(member):
                raise web.Fault("failure", f"it is not an sdist: {member.name} leads out of it")
        # Debian's Python 3.11 has no filters.
        tar.extractall(into, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(into)


def stays(member: tarfile.TarInfo) -> bool:
    """Says whether a member, and where it leads as a link, is below the folder it is unpacked in."""
    target = os.path.join(os.path.dirname(member.name), member.linkname) if member.issym() else member.linkname or member.name
    inside = (not os.path.isabs(p) and os.path.normpath(p).split("/")[0] != ".." for p in (member.name, target))
    return all(inside) and not member.isdev()


def checked_tree(tree: str) -> str:
    """Refuses what nothing can be built of."""
    if not any(os.path.exists(os.path.join(tree, name)) for name in ("pyproject.toml", "setup.py")):
        raise web.Fault("failure", "it is not an sdist: it has neither a pyproject.toml nor a setup.py")
    build_system(tree)
    return tree


def build_system(tree: str) -> dict:
    """Returns the [build-system] table, or what PEP 517 has for a tree without one."""
    path = pathlib.Path(tree, "pyproject.toml")
    if not path.exists():
        return LEGACY
    try:
        return {**LEGACY, **tomllib.loads(path.read_text("utf-8")).get("build-system", {})}
    except ValueError as e:
        raise web.Fault("failure", f"{os.path.basename(tree)}/pyproject.toml: {e}") from e


def requires(tree: str) -> list[str]:
    return checked(tree, build_system(tree)["requires"])


def checked(tree: str, lines: list[str]) -> list[str]:
    """Refuses what pip would take for an option, as that of another index."""
    for line in lines:
        try:
            Requirement(line)
        except InvalidRequirement as e:
            raise web.Fault("usage", f"{os.path.basename(tree)} is built with {line!r}, which is no requirement") from e
    return lines


def set_requires(tree: str, wanted: list[str]) -> None:
    """Makes a tree declare what it is built with."""
    path = pathlib.Path(tree, "pyproject.toml")
    system = {**build_system(tree), "requires": wanted}
    kept = without_build_system(path.read_text("utf-8")) if path.exists() else ""
    # Strings and lists of strings are written alike in Python and TOML, but for quotes.
    table = [f"{key} = {toml(value)}" for key, value in system.items()]
    path.write_text("\n".join([kept, "[build-system]", *table, ""]), "utf-8")
    with contextlib.suppress(web.Fault):
        if build_system(tree) == system:
            return
    raise web.Fault("usage", f"{os.path.basename(tree)}/pyproject.toml: [build-system] is written in a way that can not be altered")


def without_build_system(text: str) -> str:
    lines, inside = [], False
    for line in text.split("\n"):  # not splitlines: strings hold what that ends lines at
        if line.lstrip().startswith("["):
            inside = re.match(r"\s*\[\s*(['\"]?)build-system\1\s*\]", line) is not None
        if not inside:
            lines.append(line)
    return "\n".join(lines)


def toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def with_requires(name: str, data: bytes, wanted: list[str]) -> bytes:
    """Returns an sdist that declares other build requirements."""
    with tempfile.TemporaryDirectory() as folder:
        tree = unpack(name, data, os.path.join(folder, "tree"))
        set_requires(tree, wanted)
        return packed(name, tree)


def packed(name: str, tree: str) -> bytes:
    out = io.BytesIO()
    if name.lower().endswith(".zip"):
        with zipfile.ZipFile(out, "w") as archive:
            for path in pathlib.Path(tree).rglob("*"):
                archive.write(path, path.relative_to(pathlib.Path(tree).parent))
    else:
        # pip opens it by its name.
        kind = {"bz2": "bz2", "tbz": "bz2", "xz": "xz", "txz": "xz"}.get(name.lower().rsplit(".")[-1], "gz")
        with tarfile.open(fileobj=out, mode=f"w:{kind}") as tar:
            tar.add(tree, os.path.basename(tree))
    return out.getvalue()


def asked_for(tree: str, environment: str) -> list[str]:
    """Lets the build backend say what it needs beyond what is declared."""
    env = {**os.environ, "PYTHONPATH": environment, "PATH": f"{environment}/bin:{os.environ['PATH']}"}
    run = subprocess.run(
        [sys.executable, "-c", ASK, tree], env=env, cwd=tree, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    if run.returncode:
        raise web.Fault("usage", run.stderr.strip() or run.stdout.strip())
    return checked(tree, json.loads(run.stdout.strip().splitlines()[-1]))

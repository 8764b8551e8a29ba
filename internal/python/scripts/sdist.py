"""Looks into source trees and sdists, for what they need to be built."""

import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import web

LEGACY = {"requires": ["setuptools>=40.8.0", "wheel"], "build-backend": "setuptools.build_meta:__legacy__"}

# What the build backend itself asks for beyond what is declared. It runs in the tree.
ASK = """import json, sys
from build import ProjectBuilder
print(json.dumps(sorted(ProjectBuilder(sys.argv[1]).get_requires_for_build("wheel"))))"""


def unpack(name: str, data: bytes, into: str) -> str:
    """Unpacks an sdist and returns its one folder."""
    shutil.rmtree(into, ignore_errors=True)
    if name.endswith(".zip"):
        zipfile.ZipFile(io.BytesIO(data)).extractall(into)
    else:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            tar.extractall(into, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(into)
    folders = os.listdir(into)
    if len(folders) != 1:
        raise web.Fault("usage", f"{name} is not an sdist: it holds {len(folders)} folders")
    return os.path.join(into, folders[0])


def build_system(tree: str) -> dict:
    """Returns the [build-system] table, or what PEP 517 has for a tree without one."""
    path = pathlib.Path(tree, "pyproject.toml")
    if not path.exists():
        return LEGACY
    return {**LEGACY, **tomllib.loads(path.read_text("utf-8")).get("build-system", {})}


def requires(tree: str) -> list[str]:
    return build_system(tree)["requires"]


def set_requires(tree: str, wanted: list[str]) -> None:
    """Makes a tree declare what it is built with."""
    path = pathlib.Path(tree, "pyproject.toml")
    system = {**build_system(tree), "requires": wanted}
    text = path.read_text("utf-8") if path.exists() else ""
    lines, inside = [], False
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            inside = line.split("#")[0].strip() == "[build-system]"
        if not inside:
            lines.append(line)
    # Strings and lists of strings are written alike in Python and TOML, but for quotes.
    table = [f"{key} = {toml(value)}" for key, value in system.items()]
    path.write_text("\n".join([*lines, "[build-system]", *table, ""]), "utf-8")


def toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def with_requires(name: str, data: bytes, wanted: list[str]) -> bytes:
    """Returns an sdist that declares other build requirements."""
    tree = unpack(name, data, f"/tmp/altered/{name}")
    set_requires(tree, wanted)
    out = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(out, "w") as archive:
            for path in pathlib.Path(tree).rglob("*"):
                archive.write(path, path.relative_to(pathlib.Path(tree).parent))
    else:
        # pip opens it by its name.
        with tarfile.open(fileobj=out, mode="w:" + {"bz2": "bz2", "xz": "xz"}.get(name.rsplit(".")[-1], "gz")) as tar:
            tar.add(tree, os.path.basename(tree))
    return out.getvalue()


def asked_for(tree: str, environment: str) -> str:
    """Lets the build backend say what it needs beyond what is declared, as JSON."""
    env = {**os.environ, "PYTHONPATH": environment, "PATH": f"{environment}/bin:{os.environ['PATH']}"}
    run = subprocess.run([sys.executable, "-c", ASK, tree], env=env, text=True, capture_output=True, cwd=tree)
    if run.returncode:
        raise web.Fault("usage", run.stderr.strip() or run.stdout.strip())
    return run.stdout.strip().splitlines()[-1]

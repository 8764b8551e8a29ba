"""Asks source trees what they need: by what they say of themselves, else by their build backend (PEP 517).

A backend is code of the project's author: it runs in a process of its own, with what it is built with
on its path.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from email.parser import HeaderParser
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

from sdist import Refused, unpack

LEGACY = {"requires": ["setuptools>=40.8.0"], "build-backend": "setuptools.build_meta:__legacy__"}
GIT = "/usr/bin/git"

# The arguments are a hook, the directory of the project, a directory for what it makes, and a file for the result.
HOOK = r"""
import importlib, json, os, sys
hook, tree, directory, result = sys.argv[1:]
os.chdir(tree)
system = json.loads(os.environ["LAMINA_BUILD_SYSTEM"])
sys.path[:1] = [os.path.join(tree, path) for path in system.get("backend-path", [])]  # in place of the current directory
module, _, attribute = system["build-backend"].partition(":")
backend = importlib.import_module(module)
for part in filter(None, attribute.split(".")):
    backend = getattr(backend, part)
if hook == "requires":
    found = getattr(backend, "get_requires_for_build_wheel", lambda settings=None: [])()
elif hasattr(backend, "prepare_metadata_for_build_wheel"):
    found = backend.prepare_metadata_for_build_wheel(directory)
else:
    found = backend.build_wheel(directory)
with open(result, "w") as out:
    json.dump(found, out)
"""


class Problem(Exception):
    """What is wrong with the question. project is what it is about, module what a build imports and nobody declares."""

    def __init__(self, message: str, project: str = "", module: str = "") -> None:
        super().__init__(message)
        self.project = project
        self.module = module

    def about(self, project: str) -> "Problem":
        """Returns the problem as one of a project."""
        return Problem(str(self), self.project or project, self.module)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pyproject(tree: Path) -> dict:
    try:
        return tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Problem(f"pyproject.toml: {error}") from error


def declares(tree: Path) -> str:
    """Returns the headers of an sdist's PKG-INFO, or in that form what pyproject.toml says of licenses."""
    try:
        return (tree / "PKG-INFO").read_text("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
    except OSError:
        pass
    try:
        project = table(pyproject(tree), "project")
        classifiers = texts(project, "classifiers")
    except Problem:  # which who builds it will tell
        return ""
    license = project.get("license", "")
    said = [("License-Expression", license)] if isinstance(license, str) else [("License", str(license.get("text", "")))] if isinstance(license, dict) else []
    return "\n".join(f"{key}: {' '.join(value.split())}" for key, value in [*said, *(("Classifier", c) for c in classifiers)] if value)


def table(parent: dict, key: str) -> dict:
    found = parent.get(key, {})
    if not isinstance(found, dict):
        raise Problem(f"pyproject.toml: {key} is no table")
    return found


def texts(parent: dict, key: str) -> list[str]:
    found = parent.get(key, [])
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise Problem(f"pyproject.toml: {key} is no list of texts")
    return found


def build_system(tree: Path) -> dict:
    return {**LEGACY, **table(pyproject(tree), "build-system")}


def requires(tree: Path) -> list[str]:
    return texts(build_system(tree), "requires")


def declared(tree: Path) -> dict | None:
    """Returns what a tree says itself of what [metadata] returns; None where its backend has to be asked."""
    project = table(pyproject(tree), "project")
    if not project.get("name") or {"dependencies", "optional-dependencies"}.intersection(texts(project, "dynamic")):
        return None
    optional = table(project, "optional-dependencies")
    return {"name": str(project["name"]), "requires": texts(project, "dependencies"), "extras": {normal(extra): texts(optional, extra) for extra in optional}}


def asked_for(tree: Path, environment: str) -> list[str]:
    """Returns what the backend needs beyond what is declared."""
    return call("requires", tree, environment, "")


def metadata(tree: Path, environment: str) -> dict:
    """Returns name, version and requirements of a tree, as its backend has them; those of extras have markers."""
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory, call("metadata", tree, environment, directory))
        if made.suffix == ".whl":
            with zipfile.ZipFile(made) as wheel:
                text = wheel.read(next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))).decode("utf-8", "replace")
        else:
            text = (made / "METADATA").read_text("utf-8", "replace")
    headers = HeaderParser().parsestr(text)
    for key in ("Name", "Version"):
        if not headers[key]:
            raise Problem(f"its build backend says no {key}")
    return {"name": headers["Name"], "version": headers["Version"], "requires": headers.get_all("Requires-Dist") or [], "extras": {}}


def call(hook: str, tree: Path, environment: str, directory: str) -> list[str] | str:
    """Has the backend of a tree answer, in a copy: backends write into their trees."""
    with tempfile.TemporaryDirectory() as work:
        copy, result = Path(work, tree.name), Path(work, "result.json")
        shutil.copytree(tree, copy, symlinks=True)
        env = {
            **os.environ,
            # What setuptools brings for itself it looks for last: Debian's own, which are older, would come before.
            "PYTHONPATH": f"{environment}:{environment}/setuptools/_vendor",
            "PATH": f"{environment}/bin:{os.environ['PATH']}",
            "LAMINA_BUILD_SYSTEM": json.dumps(build_system(tree)),
        }
        command = [sys.executable, "-c", HOOK, hook, str(copy), directory, str(result)]
        run = subprocess.run(command, env=env, text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode or not result.exists():
            missing = re.findall(r"ModuleNotFoundError: No module named '([\w.]+)'", run.stdout)
            raise Problem(f"its build backend fails:\n{run.stdout.strip()[-4000:]}", module=missing[-1] if missing else "")
        return json.loads(result.read_text())


def fetch(dist: dict, directory: Path) -> Path:
    """Returns the source of a distribution, unpacked below a directory."""
    directory.mkdir(parents=True)
    url = dist["url"]
    if dist["kind"] == "git":
        return checkout(url.removeprefix("git+"), directory)
    path = directory / "archive"
    try:
        with urlopen(url) as answer, open(path, "wb") as file:
            shutil.copyfileobj(answer, file)
        return Path(unpack(dist["file"] or unquote(urlsplit(url).path), str(path), str(directory / "tree"), dist["below"]), dist["below"])
    except (OSError, HTTPException, Refused) as error:
        raise Problem(f"{url}: {error}", dist["name"]) from error


def checkout(url: str, directory: Path) -> Path:
    """Fetches the tree of a commit, with its tags: versions come from them."""
    remote, _, below = url.partition("#subdirectory=")
    remote, _, commit = remote.rpartition("@")
    tree = directory / "tree"

    def git(*command: str) -> None:
        run = subprocess.run([GIT, *command], text=True, errors="replace", stdin=subprocess.DEVNULL, capture_output=True)
        if run.returncode:
            raise Problem(f"{url}: {run.stderr.strip()}")

    within = ["-C", str(tree)]
    git("clone", "--quiet", "--no-checkout", remote, str(tree))
    try:
        git(*within, "checkout", "--quiet", commit)
    except Problem:  # it is of no branch and no tag, as that of a pull request
        git(*within, "fetch", "--quiet", "origin", commit)
        git(*within, "checkout", "--quiet", commit)
    git(*within, "submodule", "update", "--quiet", "--init", "--recursive")
    for modules in tree.rglob(".gitmodules"):
        if found := re.search(r"^\s*url\s*=\s*(?:ssh://)?([^\s/:]+@[^\s/:]+)[:/]", modules.read_text("utf-8", "replace"), re.MULTILINE):
            raise Problem(f"{url}: a submodule of it is at {found[1]}, by ssh: what builds it has no key for that\nhint: .gitmodules can name it by https, or by a path relative to its own address")
    found = tree / below
    if not found.is_dir():
        raise Problem(f"{url}: the tree has no such directory")
    return found

"""Determines what source trees require: from their own metadata, else from their build backend (PEP 517).

A backend is code of the project's author: it runs in its own process, with the project's build requirements on its path.
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

# Arguments: a hook, the project's directory, an output directory, and a file for the result.
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
    """A problem with the question: project is what it is about, module an undeclared import of a build."""

    def __init__(self, message: str, project: str = "", module: str = "") -> None:
        super().__init__(message)
        self.project = project
        self.module = module

    def about(self, project: str) -> "Problem":
        """Returns the problem, attributed to a project unless it already has one."""
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
    """Returns the headers of an sdist's PKG-INFO, or the licenses in pyproject.toml as such headers."""
    try:
        return (tree / "PKG-INFO").read_text("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
    except OSError:
        pass
    try:
        project = table(pyproject(tree), "project")
        classifiers = texts(project, "classifiers")
    except Problem:  # the build will report it
        return ""
    license = project.get("license", "")
    said = [("License-Expression", license)] if isinstance(license, str) else [("License", str(license.get("text", "")))] if isinstance(license, dict) else []
    return "\n".join(f"{key}: {' '.join(value.split())}" for key, value in [*said, *(("Classifier", c) for c in classifiers)] if value)


def table(parent: dict, key: str) -> dict:
    found = parent.get(key, {})
    if not isinstance(found, dict):
        raise Problem(f"pyproject.toml: {key} is not a table")
    return found


def texts(parent: dict, key: str) -> list[str]:
    found = parent.get(key, [])
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise Problem(f"pyproject.toml: {key} is not a list of strings")
    return found


def build_system(tree: Path) -> dict:
    return {**LEGACY, **table(pyproject(tree), "build-system")}


def requires(tree: Path) -> list[str]:
    return texts(build_system(tree), "requires")


def declared(tree: Path) -> dict | None:
    """Returns what [metadata] would, from pyproject.toml alone; None if the backend must be asked."""
    project = table(pyproject(tree), "project")
    if not project.get("name") or {"dependencies", "optional-dependencies"}.intersection(texts(project, "dynamic")):
        return None
    optional = table(project, "optional-dependencies")
    return {"name": str(project["name"]), "requires": texts(project, "dependencies"), "extras": {normal(extra): texts(optional, extra) for extra in optional}}


def asked_for(tree: Path, environment: str) -> list[str]:
    """Returns the backend's requirements beyond the declared ones."""
    return call("requires", tree, environment, "")


def metadata(tree: Path, environment: str) -> dict:
    """Returns the name, version and requirements that a tree's backend reports; those of extras have markers."""
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
            raise Problem(f"its build backend reports no {key}")
    return {"name": headers["Name"], "version": headers["Version"], "requires": headers.get_all("Requires-Dist") or [], "extras": {}}


def call(hook: str, tree: Path, environment: str, directory: str) -> list[str] | str:
    """Calls a hook of a tree's backend in a copy, since backends write into their trees."""
    with tempfile.TemporaryDirectory() as work:
        copy, result = Path(work, tree.name), Path(work, "result.json")
        shutil.copytree(tree, copy, symlinks=True)
        env = {
            **os.environ,
            # setuptools searches its vendored packages last: Debian's older ones would come first.
            "PYTHONPATH": f"{environment}:{environment}/setuptools/_vendor",
            "PATH": f"{environment}/bin:{os.environ['PATH']}",
            "LAMINA_BUILD_SYSTEM": json.dumps(build_system(tree)),
        }
        command = [sys.executable, "-c", HOOK, hook, str(copy), directory, str(result)]
        run = subprocess.run(command, env=env, text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode or not result.exists():
            missing = re.findall(r"ModuleNotFoundError: No module named '([\w.]+)'", run.stdout)
            raise Problem(f"its build backend failed:\n{run.stdout.strip()[-4000:]}", module=missing[-1] if missing else "")
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
    """Checks out a commit with its tags, from which versions are derived."""
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
    except Problem:  # it is on no branch or tag, as in a pull request
        git(*within, "fetch", "--quiet", "origin", commit)
        git(*within, "checkout", "--quiet", commit)
    git(*within, "submodule", "update", "--quiet", "--init", "--recursive")
    for modules in tree.rglob(".gitmodules"):
        if found := re.search(r"^\s*url\s*=\s*(?:ssh://)?([^\s/:]+@[^\s/:]+)[:/]", modules.read_text("utf-8", "replace"), re.MULTILINE):
            raise Problem(f"{url}: its submodule at {found[1]} requires ssh, but the build has no key\nhint: .gitmodules can use https, or a path relative to the repository's address")
    found = tree / below
    if not found.is_dir():
        raise Problem(f"{url}: the tree has no such directory")
    return found

"""Shared by the tests of the scripts: wheels made to order, and scripts run as by an exec."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest
import zipfile
from collections.abc import Iterable

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Debian's own Python, which has the libraries; a developer's may come first in PATH.
PYTHON = "/usr/bin/python3"
UV = os.environ.get("UV", "/.lamina/uv/uv")

Files = dict[str, bytes]


def row(path: str, content: bytes, algorithm: str = "sha256") -> str:
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).rstrip(b"=").decode()
    quoted = path.replace('"', '""')
    return f'"{quoted}",{algorithm}={digest},{len(content)}\n'


def wheel_files(name: str, files: Files, version: str = "1.0", metadata: str = "", info: str = "") -> Files:
    """Returns all files of a wheel, RECORD last; info names the directories in place of name and version."""
    info = f"{info or f'{name}-{version}'}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}"
    whole = {**files, f"{info}/METADATA": metadata.encode()}
    whole.setdefault(f"{info}/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    record = "".join(row(path, content) for path, content in whole.items()) + f"{info}/RECORD,,\n"
    return {**whole, f"{info}/RECORD": record.encode()}


def entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    item = zipfile.ZipInfo(name)
    item.external_attr = mode << 16
    item.compress_type = zipfile.ZIP_DEFLATED
    return item


class WithDir(unittest.TestCase):
    """A test with its own directory, in which it runs scripts."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name

    def path(self, *names: str) -> str:
        path = os.path.join(self.directory, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def write(self, content: bytes, *names: str) -> None:
        with open(self.path(*names), "wb") as file:
            file.write(content)

    def wheel(self, name: str, files: Files, modes: dict[str, int] | None = None, **how: str) -> str:
        version = how.get("version", "1.0")
        return self.archive(f"{name}-{version}-py3-none-any.whl", wheel_files(name, files, **how).items(), modes)

    def archive(self, name: str, files: Iterable[tuple[str, bytes]], modes: dict[str, int] | None = None) -> str:
        with zipfile.ZipFile(self.path("wheels", name), "w") as archive:
            for path, content in files:
                archive.writestr(entry(path, (modes or {}).get(path, 0o100644)), content)
        return self.path("wheels", name)

    def run_script(self, script: str, *arguments: str, options: object = None, umask: int = 0o022,
                   env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        self.write(json.dumps(options or {}).encode(), "options.json")
        return self.run_file(script, self.path("options.json"), *arguments, umask=umask, env=env)

    def run_file(self, script: str, *arguments: str, umask: int = 0o022,
                 env: dict[str, str] | None = None, site: bool = False) -> subprocess.CompletedProcess[str]:
        command = [PYTHON, "-I", *["-S"] * (not site), os.path.join(SCRIPTS, script), *arguments]
        return subprocess.run(command, capture_output=True, text=True, umask=umask,
                              env={**os.environ, "SOURCE_DATE_EPOCH": "315532800", **(env or {})})

    def install(self, out: str = "out", uv: str = UV, **how: object) -> subprocess.CompletedProcess[str]:
        os.makedirs(self.path("wheels", ""), exist_ok=True)
        shutil.rmtree(self.path(out), ignore_errors=True)
        os.mkdir(self.path(out))
        return self.run_script("install_wheels.py", self.path("wheels"), self.path(out), uv, **how)

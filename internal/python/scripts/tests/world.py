"""What the tests of the scripts share: a server that fails to order, and archives made to order."""

import hashlib
import http.server
import io
import os
import sys
import tarfile
import tempfile
import threading
import unittest
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["no_proxy"] = "*"
os.environ.pop("NETRC", None)

import router
import web

web.PAUSE = 0.01  # nobody has to wait for what fails to order

JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class File:
    """What lies at a path, and how the server fails to give it; each fault is met once."""

    data: bytes = b""
    kind: str = "application/octet-stream"
    faults: list[int | str] = field(default_factory=list)  # a status, or "cut"; the last one stays where always is set
    always: bool = False
    ranges: bool = True
    length: bool = True
    head: int = 200
    location: str = ""
    login: str = ""  # "Basic …" without which it is not given


class Handler(http.server.BaseHTTPRequestHandler):
    server: "Server"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        file = self.server.files.get(self.path)
        fault = file and self.server.fault_of(file)
        if not file or isinstance(fault, int):
            self.send_error(fault or 404)
        elif file.login and self.headers.get("Authorization") != file.login:
            self.send_error(401)
        elif self.command == "HEAD" and file.head != 200:
            self.send_error(file.head)
        elif file.location:
            self.send_response(302)
            self.send_header("Location", file.location)
            self.end_headers()
        else:
            self.give(file, cut=fault == "cut")

    def give(self, file: File, cut: bool) -> None:
        data, wanted = file.data, self.headers.get("Range")
        if wanted and file.ranges:
            first, last = wanted.removeprefix("bytes=").split("-")
            data = data[int(first) : int(last) + 1]
        self.send_response(206 if wanted and file.ranges else 200)
        self.send_header("Content-Type", file.kind)
        if file.length:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """Serves files by path."""

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), Handler)
        self.files: dict[str, File] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.url = f"http://{host}:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        pass  # a client that went away

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def fault_of(self, file: File) -> int | str | None:
        if not file.faults:
            return None
        return file.faults[0] if file.always and len(file.faults) == 1 else file.faults.pop(0)

    def put(self, path: str, data: bytes = b"", **how: object) -> str:
        self.files[path] = File(data, **how)
        return self.url + path

    def asked(self, path: str) -> list[str]:
        return [method for method, at, _ in self.seen if at == path]

    def index(self, *files: tuple[str, bytes], path: str = "/simple", sums: bool = True) -> str:
        """Publishes files in pages of HTML, by the project that their names begin with."""
        pages: dict[str, str] = {}
        for name, data in files:
            self.put(f"/files/{quote(name)}", data)
            project = name.split("-")[0].replace("_", "-").lower()
            sha256 = f"#sha256={hashlib.sha256(data).hexdigest()}" if sums else ""
            pages[project] = pages.get(project, "") + f'<a href="/files/{quote(name)}{sha256}">{name}</a>\n'
        for project, rows in pages.items():
            self.put(f"{path}/{project}/", rows.encode(), kind="text/html")
        return self.url + path


class WithServer(unittest.TestCase):
    """A test with a folder and a server of its own."""

    def setUp(self) -> None:
        router.read_page.cache_clear()  # another test may have had the same address
        router.is_open.cache_clear()
        router.is_there.cache_clear()
        self.server = self.serve("127.0.0.1")
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def serve(self, host: str) -> Server:
        server = Server(host)
        self.addCleanup(server.stop)
        return server

    def fault(self, call: Callable[[], object]) -> web.Fault:
        with self.assertRaises(web.Fault) as caught:
            call()
        return caught.exception

    def netrc(self, text: str) -> None:
        path = os.path.join(self.folder, "netrc")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.environ["NETRC"] = path
        self.addCleanup(os.environ.pop, "NETRC", None)

    def replace(self, where: object, name: str, value: object) -> None:
        self.addCleanup(setattr, where, name, getattr(where, name))
        setattr(where, name, value)


def wheel(name: str, version: str = "1.0", tag: str = "py3-none-any", requires: list[str] | None = None,
          files: dict[str, bytes] | None = None, metadata: str = "") -> tuple[str, bytes]:
    """Returns file name and content of a wheel."""
    info = f"{name}-{version}.dist-info"
    lines = "".join(f"Requires-Dist: {r}\n" for r in requires or [])
    whole = {
        **(files if files is not None else {f"{name}.py": b""}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{lines}{metadata}".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    whole[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*whole, f"{info}/RECORD"]).encode()
    return f"{name}-{version}-{tag}.whl", zipped(whole)


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)  # of 1980, always
    return out.getvalue()


def sdist(name: str, version: str = "1.0", ending: str = ".tar.gz", files: dict[str, str] | None = None) -> tuple[str, bytes]:
    """Returns file name and content of an sdist, which needs but setuptools in place of files."""
    setup = f"from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=[])\n"
    folder = f"{name}-{version}"
    whole = {f"{folder}/{path}": text.encode() for path, text in (files or {"setup.py": setup}).items()}
    whole[f"{folder}/PKG-INFO"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    return folder + ending, zipped(whole) if ending == ".zip" else tarred(whole, ending)


def tarred(files: dict[str, bytes], ending: str = ".tar.gz", links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:" + {"": "", ".tar.gz": "gz", ".tgz": "gz", ".tar.bz2": "bz2", ".tar.xz": "xz"}[ending]) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for path, target in (links or {}).items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return out.getvalue()

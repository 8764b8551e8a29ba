"""Stands between pip and the indexes: pip has no way to say which index may serve which project.

pip sees one address for each index and page of links; a project that is bound to an index is not
there at any other. What is wrong with an index is remembered, since pip takes a page that it can
not get for one that is empty.
"""

import hashlib
import http.server
import json
import re
import secrets
import threading
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urldefrag, urljoin

import sdist
import web

JSON = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def project_of(filename: str) -> str:
    """Returns the project that a file belongs to, by the name of the file."""
    if filename.endswith(".whl"):
        return normal(filename.split("-")[0])
    return normal(re.sub(r"-[0-9][^-]*(\.tar\.\w+|\.zip|\.tgz)$", "", filename))


class Router:
    """Serves pip what one question may see. Everything lies below an address that nobody can guess."""

    def __init__(self, question: dict) -> None:
        self.indexes, self.links = question["indexes"], question["links"]
        self.build_requires = question["build_requires"]
        self.bound = {name for index in self.indexes for name in index["packages"]}
        self.faults: list[web.Fault] = []
        self.seen: dict[str, list[str]] = {}  # the files that an index has of a project
        self.originals: dict[str, tuple[str, bytes]] = {}  # sdists that pip gets altered
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}/{secrets.token_hex(16)}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def options(self) -> list[str]:
        """Returns what pip is told of the indexes."""
        pages = [f"{self.base}/index/{i}/" for i in range(len(self.indexes))]
        options = ["--index-url", pages[0]] if pages else ["--no-index"]
        for page in pages[1:]:
            options += ["--extra-index-url", page]
        for i, link in enumerate(self.links):
            options += ["--find-links", link if link.startswith("/") else f"{self.base}/links/{i}/"]
        return options

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        router = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = router.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def answer(self, path: str) -> tuple[int, str, bytes]:
        token = "/" + self.base.rsplit("/", 1)[-1] + "/"
        try:
            match path.removeprefix(token).split("/") if path.startswith(token) else []:
                case ["index", i, project, *_]:
                    return self.page(self.indexes[int(i)], normal(unquote(project)))
                case ["links", i, *_]:
                    return self.links_page(self.links[int(i)])
                case ["sdist", number, _]:
                    return self.altered(number)
        except web.Fault as fault:
            self.faults.append(fault)
        return 404, "text/plain", b""

    def page(self, index: dict, project: str) -> tuple[int, str, bytes]:
        own = index["packages"]
        if own and project not in own or not own and project in self.bound:
            return 404, "text/plain", b""
        url = index["url"].rstrip("/") + "/" + project + "/"
        try:
            files = read_page(url)
        except web.Fault as fault:
            if "(404)" in fault.message or "(410)" in fault.message:
                return 404, "text/plain", b""
            raise web.Fault(fault.kind, f"index {index['name']}: {fault.message}", fault.hint) from fault
        self.seen.setdefault(project, []).extend(f["filename"] for f in files)
        body = {"meta": {"api-version": "1.0"}, "name": project, "files": [self.offer(project, f) for f in files]}
        return 200, JSON, json.dumps(body).encode()

    def links_page(self, url: str) -> tuple[int, str, bytes]:
        files = [f for f in read_page(url) if project_of(f["filename"]) not in self.bound]
        rows = (f'<a href="{f["url"]}{fragment(f["hashes"])}">{f["filename"]}</a>' for f in files)
        return 200, "text/html", ("<!DOCTYPE html><html><body>" + "\n".join(rows) + "</body></html>").encode()

    def offer(self, project: str, file: dict) -> dict:
        """Gives pip an sdist with the build requirements of the spec: its own may name none."""
        # Debian's pip 23.0 trips over metadata beside wheels: over its form in JSON, over names in HTML.
        file = {k: v for k, v in file.items() if k not in ("dist-info-metadata", "core-metadata")}
        if project not in self.build_requires or file["filename"].endswith(".whl"):
            return file
        number = str(len(self.originals))
        self.originals[number] = (file["url"] + fragment(file["hashes"]), b"")
        where = f"{self.base}/sdist/{number}/{quote(file['filename'])}"
        return {**file, "url": where, "hashes": {}}

    def altered(self, number: str) -> tuple[int, str, bytes]:
        url, data = self.originals[number]
        if not data:
            url, hash_ = urldefrag(url)
            data = web.read_all(url)[0]
            if hash_ and hash_ != "sha256=" + hashlib.sha256(data).hexdigest():
                raise web.Fault("failure", f"{url}: the index says {hash_}, and that is not what came")
            self.originals[number] = url, data
        name = web.file_name(url)
        return 200, "application/octet-stream", sdist.with_requires(name, data, self.build_requires[project_of(name)])

    def original(self, url: str) -> str:
        """Returns where a file is that pip got from here."""
        rest = url.removeprefix(self.base + "/sdist/")
        return url if rest == url else self.originals[rest.split("/")[0]][0]


def fragment(hashes: dict[str, str]) -> str:
    return f"#sha256={hashes['sha256']}" if "sha256" in hashes else ""


def read_page(url: str) -> list[dict]:
    """Reads the files of a page, in JSON (PEP 691) or HTML (PEP 503), with whole addresses."""
    data, kind, url = web.read_all(url, {"Accept": ACCEPT})
    if kind == JSON:
        files = json.loads(data)["files"]
    else:
        parser = Anchors()
        parser.feed(data.decode("utf-8", "replace"))
        url, files = urljoin(url, parser.base), parser.files
    for file in files:
        file["url"] = urljoin(url, file["url"])
    return files


class Anchors(HTMLParser):
    """Collects the files of a page in HTML, in the form of one in JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.base, self.files = "", []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "base":
            self.base = given.get("href") or ""
        elif tag == "a" and given.get("href"):
            self.files.append(file_of(given))


def file_of(given: dict[str, str | None]) -> dict:
    url, hash_ = urldefrag(given["href"])
    algorithm, _, value = hash_.partition("=")
    file = {"filename": web.file_name(url), "url": url, "hashes": {algorithm: value} if value else {}}
    if requires := given.get("data-requires-python"):
        file["requires-python"] = requires
    if "data-yanked" in given:
        file["yanked"] = given["data-yanked"] or True
    return file

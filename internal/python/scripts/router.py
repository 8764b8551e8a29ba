"""Stands between pip and the indexes: pip has no way to say which index may serve which project.

pip sees one address for each index and page of links; a project that is bound to an index is not
there at any other. What is wrong with an index is remembered, since pip takes a page that it can
not get for one that is empty.
"""

import functools
import hashlib
import http.server
import json
import os
import re
import secrets
import threading
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit
from urllib.request import pathname2url

from packaging.version import InvalidVersion, Version

import sdist
import web

JSON = "application/vnd.pypi.simple.v1+json"
HTML = ("text/html", "application/vnd.pypi.simple.v1+html")
ARCHIVE = re.compile(r"\.(zip|t[gbx]z|tar(\.\w+)?)$")  # of source code
FILE = re.compile(r"\.(whl|egg|exe|zip|t[gbx]z|tar(\.\w+)?)$")  # of whatever kind
ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

Answer = tuple[int, str, bytes]  # status, type, content
NOTHING: Answer = (404, "text/plain", b"")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def project_of(filename: str) -> str:
    """Returns the project that a file belongs to, by the name of the file, as pip reads it."""
    if filename.endswith(".whl"):
        return normal(filename.split("-")[0])
    stem = ARCHIVE.sub("", filename)
    dashes = [m.start() for m in re.finditer("-", stem)]
    return normal(stem[: next((i for i in dashes if is_version(stem[i + 1 :])), None)])


def is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


@dataclass
class Altered:
    """An sdist that pip gets with the build requirements of the spec: its own may name none."""

    project: str
    name: str
    url: str
    sha256: str  # of the original, "" as long as nobody knows
    data: bytes = b""


class Router:
    """Serves pip what one question may see. Everything lies below an address that nobody can guess."""

    def __init__(self, question: dict) -> None:
        self.indexes, self.links = question["indexes"], question["links"]
        self.build_requires = question["build_requires"]
        self.bound = {name for index in self.indexes for name in index["packages"]}
        self.faults: list[web.Fault] = []
        self.doubts: dict[str, web.Fault] = {}  # by project: what is no fault if pip finds it elsewhere
        self.seen: dict[str, list[str]] = {}  # the files that an index has of a project
        self.certain: set[str] = set()  # the URLs that were seen to be those of indexes
        self.missed: dict[str, dict[str, int | str]] = {}  # by project and URL of an index: its status, or what its page is
        self.places: dict[str, str] = {}  # where a file is: pip names some by their names alone
        self.altered: list[Altered] = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.token = secrets.token_hex(16)
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}/{self.token}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def options(self) -> list[str]:
        """Returns what pip is told of the indexes."""
        pages = [f"{self.base}/index/{i}/" for i in range(len(self.indexes))]
        options = ["--index-url", pages[0]] if pages else ["--no-index"]
        for page in pages[1:]:
            options += ["--extra-index-url", page]
        for i in range(len(self.links)):
            options += ["--find-links", f"{self.base}/links/{i}/"]
        return options

    def line(self, line: str) -> str:
        """Returns a requirement as pip gets it: its URL or its hashes may be those of an sdist that is altered."""
        project = normal(re.match(r"[\w.-]*", line)[0])
        if project not in self.build_requires:
            return line
        if direct := re.match(r"[^@;]* @ (\S+)", line):
            line = line.replace(direct[1], self.direct(project, direct[1]), 1)
        promised = re.findall(r" --hash=sha256:(\w+)", line)
        if promised and not direct:
            for index in self.indexes:
                self.page(index, project)
        for i, one in enumerate(self.altered):
            if promised and one.project == project and self.sum_of(i) in promised:
                line += " --hash=sha256:" + hashlib.sha256(self.alter(i)).hexdigest()
        return line

    def sum_of(self, number: int) -> str:
        if not self.altered[number].sha256:
            self.alter(number)
        return self.altered[number].sha256

    def direct(self, project: str, url: str) -> str:
        bare, hash_ = urldefrag(url)
        name, hashes = web.file_name(bare), dict(re.findall(r"(sha256)=(\w+)", hash_))
        if "subdirectory=" in hash_ or not ARCHIVE.search(name):
            return url
        return self.offer(project, {"filename": name, "url": bare, "hashes": hashes})["url"]

    def rename(self, text: str) -> str:
        """Puts the names of indexes and files where pip speaks of this server."""
        base = re.escape(self.base)
        text = re.sub(base + r"/sdist/(\d+)/[^\s#)]*", lambda m: self.altered[int(m[1])].url, text)
        text = re.sub(base + r"/index/(\d+)", lambda m: self.indexes[int(m[1])]["name"].rstrip("/"), text)
        return re.sub(base + r"/links/(\d+)/?", lambda m: self.links[int(m[1])], text)

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

    def answer(self, path: str) -> Answer:
        try:
            return self.find(path)
        except web.Fault as fault:
            self.faults.append(fault)
        except Exception as e:  # would look like an index that has nothing
            self.faults.append(web.Fault("failure", f"internal error at {path.rsplit(self.token)[-1]}: {e!r}"))
        return NOTHING

    def find(self, path: str) -> Answer:
        match path.split("/"):
            case ["", self.token, "index", i, project, *_]:
                return self.page(self.indexes[int(i)], normal(unquote(project)))
            case ["", self.token, "links", i, *_]:
                return self.links_page(self.links[int(i)])
            case ["", self.token, "sdist", i, _]:
                return 200, "application/octet-stream", self.alter(int(i))
        return NOTHING

    def page(self, index: dict, project: str) -> Answer:
        own = index["packages"]
        if own and project not in own or not own and project in self.bound:
            return NOTHING
        missed = self.missed.setdefault(project, {})
        try:
            page = read_page(index["url"].rstrip("/") + "/" + project + "/")
        except web.Fault as fault:
            told = fault.saying(f"index {index['name']}: {fault.message}")
            if fault.status in (404, 410):
                missed[index["url"]] = fault.status
                return NOTHING
            if fault.status == 403 and is_open(index["url"]):
                self.doubts[project] = told
                return NOTHING
            raise told from fault
        if page.certain:
            self.certain.add(index["url"])
        else:
            missed[index["url"]] = page.kind
        self.seen.setdefault(project, []).extend(f["filename"] for f in page.files if FILE.search(f["filename"]))
        return self.offers(project, [(project, f) for f in page.files])

    def doubt(self, project: str) -> web.Fault | None:
        """Returns why a project may not have been found though it is there."""
        if project in self.doubts:
            return self.doubts[project]
        missed = self.missed.get(project, {}).items()
        says = [why for url, answer in missed if url not in self.certain and (why := no_index(url, answer))]
        return web.Fault("usage", "\n".join(says)) if says else None

    def links_page(self, link: str) -> Answer:
        """Answers for a page or folder of files of any project."""
        files = read_folder(link) if link.startswith("/") else read_page(link).files
        by_name = [(project_of(f["filename"]), f) for f in files]
        return self.offers("links", [(project, f) for project, f in by_name if project not in self.bound])

    def offers(self, name: str, files: list[tuple[str, dict]]) -> Answer:
        body = {"meta": {"api-version": "1.0"}, "name": name, "files": [self.offer(project, f) for project, f in files]}
        return 200, JSON, json.dumps(body).encode()

    def offer(self, project: str, file: dict) -> dict:
        # Debian's pip 23.0 trips over metadata beside wheels: over its form in JSON, over names in HTML.
        file = {k: v for k, v in file.items() if k not in ("dist-info-metadata", "core-metadata")}
        self.places[file["filename"]] = file["url"]
        if project not in self.build_requires or not ARCHIVE.search(file["filename"]):
            return file
        number = next((i for i, one in enumerate(self.altered) if one.url == file["url"]), len(self.altered))
        if number == len(self.altered):
            self.altered.append(Altered(project, file["filename"], file["url"], file["hashes"].get("sha256", "")))
        return {**file, "url": f"{self.base}/sdist/{number}/{quote(file['filename'])}", "hashes": {}}

    def alter(self, number: int) -> bytes:
        one = self.altered[number]
        if not one.data:
            data = web.read_all(one.url)[0]
            sha256 = hashlib.sha256(data).hexdigest()
            if one.sha256 not in ("", sha256):
                raise web.Fault("failure", f"{one.url}: its sha256 is {sha256}, and its index says {one.sha256}")
            one.sha256 = sha256
            try:
                one.data = sdist.with_requires(one.name, data, self.build_requires[one.project])
            except web.Fault as fault:
                raise fault.saying(f"{one.url}: {fault.message}") from fault
        return one.data

    def original(self, url: str) -> Altered | None:
        """Returns what pip got altered from here."""
        rest = url.removeprefix(self.base + "/sdist/")
        return None if rest == url else self.altered[int(rest.split("/")[0])]


@functools.cache
def is_open(url: str) -> bool:
    """Says whether an index refuses no more than a project: files in a bucket are forbidden where they do not exist."""
    try:
        return not web.login_for(urlsplit(url).hostname) and bool(web.read_all(url.rstrip("/") + "/"))
    except web.Fault:
        return False


def no_index(url: str, answer: int | str) -> str:
    """Says why a URL may be that of no index, "" where the answer means no more than that a project is not there."""
    url = url.rstrip("/") + "/"
    if isinstance(answer, str):
        return f"{url} answers {answer} without links to files, is it a package index?"
    return "" if is_there(url) else f"{url} answers {answer} for every project, is the path right?"


@functools.cache
def is_there(url: str) -> bool:
    """Asks for an index itself, whose list of projects may be too long to be read."""
    try:
        return web.fetch(url, lambda _: True)
    except web.Fault as fault:
        return fault.status not in (404, 410)


@dataclass
class Page:
    files: list[dict]
    kind: str
    certain: bool  # that it is one of an index, even if it has no files


@functools.cache  # all that is asked about one spec sees the same
def read_page(url: str) -> Page:
    """Reads the files of a page, in JSON (PEP 691) or HTML (PEP 503), with whole addresses."""
    data, kind, url = web.read_all(url, {"Accept": ACCEPT})
    try:
        listed, certain = parsed(data, kind, url)
        files = [{**f, "url": whole(urljoin(url, f["url"])), "hashes": f.get("hashes") or {}} for f in listed]
        files = [f for f in files if f["url"].startswith(("http://", "https://")) and f["filename"]]
        return Page(files, kind, certain or any(FILE.search(f["filename"]) for f in files))
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise web.Fault("failure", f"{url}: what comes is no page of an index, but {kind}") from e


def parsed(data: bytes, kind: str, url: str) -> tuple[list[dict], bool]:
    """Returns the files of a page, and whether it says that it is one of an index."""
    if kind == JSON:
        return json.loads(data)["files"], True
    if kind not in HTML:
        raise ValueError(kind)
    parser = Anchors()
    parser.feed(data.decode("utf-8", "replace"))
    return [{**f, "url": urljoin(parser.base, f["url"])} for f in parser.files], parser.versioned or kind != HTML[0]


def whole(url: str) -> str:
    """Escapes what a browser would, and drops a login: locks name the files of a page."""
    parts = urlsplit(quote(url, safe="%/:=&?~#+!$,;'@()*[]"))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def read_folder(path: str) -> list[dict]:
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    return [{"filename": name, "url": "file://" + pathname2url(os.path.join(path, name)), "hashes": {}} for name in names]


class Anchors(HTMLParser):
    """Collects the files of a page in HTML, in the form of one in JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.base, self.files = "", []
        self.versioned = False  # as PEP 629 has it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "base":
            self.base = self.base or given.get("href") or ""
        elif tag == "meta" and given.get("name") == "pypi:repository-version":
            self.versioned = True
        elif tag == "a" and given.get("href"):
            self.files.append(file_of(given))


def file_of(given: dict[str, str | None]) -> dict:
    url, hash_ = urldefrag(given["href"])
    file = {"filename": web.file_name(url), "url": url, "hashes": dict(re.findall(r"(sha\d+|md5)=(\w+)", hash_))}
    if requires := given.get("data-requires-python"):
        file["requires-python"] = requires
    if "data-yanked" in given:
        file["yanked"] = given["data-yanked"] or True
    return file

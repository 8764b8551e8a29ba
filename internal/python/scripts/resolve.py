"""Answers one question: which distributions answer these requirements, and what are their sdists built with?

Usage: resolve.py QUESTION.json ANSWER.json. It runs at lock time alone, with a network. What is
wrong with the question is an answer, too.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from urllib.parse import unquote, urldefrag

import pylock
import router
import runpip
import sdist
import web
import wheels

PROJECT = "/.lamina/project/"  # the files of the user
TREES = "/tmp/trees/"  # copies of git trees: builds write into them
SDISTS = "/tmp/sdists/"
ENVIRONMENTS = "/tmp/environments/"  # what sdists and trees say they are built with


def main(question_path: str, answer_path: str) -> None:
    with open(question_path, encoding="utf-8") as file:
        question = json.load(file)
    try:
        answer = Resolver(question).answer()
    except web.Fault as fault:
        answer = {"fault": {"kind": fault.kind, "message": fault.message, "hint": fault.hint, "host": fault.host, "lines": fault.lines}}
    with open(answer_path, "w", encoding="utf-8") as file:
        json.dump(answer, file)


class Resolver:
    def __init__(self, question: dict) -> None:
        self.question = question
        self.build_requires: dict[str, list[str]] = question["build_requires"]
        self.omitted: dict[str, str] = {}

    def answer(self) -> dict:
        trees(self.question["git"], self.build_requires)
        dists = self.with_optional()
        builds = {name: self.build_set(lines) for name, lines in self.question["sources"].items()}
        while True:
            try:
                builds |= self.builds(dists)
                break
            except OptionalFault as fault:
                self.omitted[fault.project] = reason(fault)
                dists = self.resolve()
        if faults := wheels.collisions(dists, self.question["collisions"], self.question["prune"]):
            raise web.Fault(
                "usage", "\n".join(faults),
                "leave one of them out, or allow harmless ones: [python] collisions = [\"GLOB\"]",
            )  # fmt: skip
        for d in [*dists, *(d for b in builds.values() for d in b)]:
            d.pop("entries", None)
            d.pop("lines", None)
        omitted = [{"requirement": name, "reason": why} for name, why in self.omitted.items()]
        return {"distributions": dists, "builds": builds, "omitted": omitted}

    def with_optional(self) -> list[dict]:
        """Resolves all; where that fails, without what is optional and does not fit."""
        try:
            return self.resolve()
        except web.Fault as fault:
            if fault.kind != "usage" or not self.question["optional"]:
                raise
            self.omitted = {name: "" for name in self.question["optional"]}
            best = self.resolve()
        for name in self.question["optional"]:
            kept = dict(self.omitted)
            del self.omitted[name]
            try:
                best = self.resolve()
            except web.Fault as fault:
                if fault.kind != "usage":
                    raise
                self.omitted = {**kept, name: reason(fault)}
        return best

    def resolve(self) -> list[dict]:
        if self.question["pylock"]:
            chosen = pylock.choose(PROJECT + self.question["pylock"], self.omitted)
            return self.measured(chosen)
        lines = [r["line"] for r in self.question["requirements"] if r["name"] not in self.omitted]
        return self.asked(lines, self.question["constraints"], self.question["options"])

    def asked(self, lines: list[str], constraints: list[str], options: list[str]) -> list[dict]:
        if not lines:
            return []
        indexes = router.Router(self.question)
        given: dict[str, str] = {}  # by the line that pip gets
        try:
            told = [[indexes.line(line) for line in some] for some in (lines, constraints)]
            given = dict(zip(chain(*told), [*lines, *constraints]))
            report = runpip.resolve(*told, [*indexes.options(), *options], self.renamer(indexes))
        except web.Fault as fault:
            cause = first_cause(indexes, fault)
            cause.lines = [given.get(line, line) for line in fault.lines]
            raise cause from fault
        finally:
            indexes.close()
        # An index that could not be asked may be why another version was taken.
        if indexes.faults:
            raise indexes.faults[0]
        return self.measured([
            {**distribution(entry, indexes, self.question["git"]), "lines": [given[line] for line in entry.get("lines", [])]} for entry in report
        ])  # fmt: skip

    def renamer(self, indexes: router.Router) -> runpip.Renamer:
        """Returns what puts names that the user knows in place of where things are here."""

        def rename(text: str) -> str:
            for tree in self.question["git"]:
                text = text.replace("file://" + source_of(tree), tree["url"]).replace(source_of(tree), tree["name"])
            return indexes.rename(text).replace("file://" + PROJECT, "./").replace(PROJECT, "./")

        return rename

    def measured(self, dists: list[dict]) -> list[dict]:
        def measure(d: dict) -> dict:
            with asked_by(d):
                return d if d["url"].startswith("git+") else wheels.measure(d, local(d["url"]))

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(measure, dists))

    def builds(self, dists: list[dict]) -> dict[str, list[dict]]:
        """Returns what each of the sdists and trees is built with."""
        found = {}
        for d in dists:
            if d["file"].endswith(".whl"):
                continue
            try:
                with asked_by(d):
                    found[d["name"]] = self.build_of(d)
            except web.Fault as fault:
                # What another project needs is there, asked for or not.
                if d["name"] in set(self.question["optional"]) - set(self.omitted) and fault.kind == "usage":
                    raise OptionalFault(d["name"], fault) from fault
                raise
        return found

    def build_of(self, d: dict) -> list[dict]:
        if d["name"] in self.build_requires:
            return self.build_set(self.build_requires[d["name"]])
        tree = tree_of(d, self.question["git"])
        wanted = sdist.requires(tree)
        return self.build_set(sorted({*wanted, *self.dynamic(d, tree, wanted)}))

    def dynamic(self, d: dict, tree: str, wanted: list[str]) -> list[str]:
        environment = ENVIRONMENTS + d["name"]
        indexes = router.Router(self.question)
        try:
            runpip.install(wanted, environment, indexes.options(), self.renamer(indexes))
            return sdist.asked_for(tree, environment)
        except web.Fault as fault:
            raise self.unasked(d, first_cause(indexes, fault)) from fault
        finally:
            indexes.close()

    def unasked(self, d: dict, fault: web.Fault) -> web.Fault:
        if modules := runpip.MODULE.findall(fault.message):
            return runpip.missing_requirement(d["name"], modules[-1])
        message = "\n".join(runpip.errors_of(fault.message))
        return fault.saying(f"{wheels.title(d)}: asking what it is built with: {message}")

    def build_set(self, lines: list[str]) -> list[dict]:
        try:
            return self.asked(lines, [], ["--only-binary=:all:"])
        except web.Fault as fault:
            raise fault.saying(f"what a build needs ({', '.join(lines)}): {fault.message}") from fault


class OptionalFault(web.Fault):
    def __init__(self, project: str, fault: web.Fault) -> None:
        super().__init__(fault.kind, fault.message, fault.hint)
        self.project = project


@contextlib.contextmanager
def asked_by(d: dict) -> Iterator[None]:
    """Lets a fault of a distribution be about the lines that asked for it."""
    try:
        yield
    except web.Fault as fault:
        fault.lines = d.get("lines", [])
        raise


def reason(fault: web.Fault) -> str:
    """Returns the one line that a lock has for why something was left out."""
    return fault.message.strip().splitlines()[-1].strip()


def first_cause(indexes: router.Router, fault: web.Fault) -> web.Fault:
    """Returns what really went wrong: pip takes an index that fails for one that has nothing."""
    if indexes.faults:
        return indexes.faults[0]
    if fault.file and (found := damage(indexes.places.get(fault.file, fault.file))):
        return found
    asked = {router.normal(name) for name in re.findall(r"(?:found for|the requirement) ([\w.-]+)", fault.message)}
    for project in sorted(asked):
        if doubt := indexes.doubt(project):
            return doubt.saying(f"{fault.message}\n{doubt.message}")
    for project in sorted(asked & indexes.seen.keys()):
        files = indexes.seen[project]
        if files and "from versions: none" in fault.message:
            some = ", ".join(sorted(files)[-3:])
            return web.Fault("usage", f"{fault.message}\n{project}: the index has {len(files)} files, none for this Python and platform: {some}")
    return fault


def damage(place: str) -> web.Fault | None:
    """Returns what is wrong with an archive that pip failed at."""
    url = re.sub(rf"^(\./|file://{re.escape(PROJECT)})", "file:", place)
    file = web.file_name(url)
    d = {"name": router.project_of(file), "version": "", "url": url, "file": file, "sha256": "", "size": 0, "unpacked": 0}
    if ":" not in url or not router.FILE.search(file):
        return None  # a folder
    try:
        if file.endswith(".whl"):
            wheels.measure(d, local(url))
        else:
            wheels.look_into(d, io.BytesIO())
            tree_of(d, [])
    except web.Fault as fault:
        return fault
    return None


def trees(git: list[dict], build_requires: dict[str, list[str]]) -> None:
    """Copies the git trees to where builds may write, with the build requirements of the spec."""
    shutil.rmtree(TREES, ignore_errors=True)
    for tree in git:
        shutil.copytree(tree["path"], copy_of(tree), symlinks=True)
        if not os.path.isdir(source_of(tree)):
            raise web.Fault("usage", f"{tree['url']}: the tree has no such folder")
        if tree["name"] in build_requires:
            sdist.set_requires(source_of(tree), build_requires[tree["name"]])


def copy_of(tree: dict) -> str:
    """Returns where a tree is copied to: a project may have several, by markers."""
    return os.path.join(TREES, os.path.basename(tree["path"]), tree["name"])


def source_of(tree: dict) -> str:
    return os.path.join(copy_of(tree), tree["subdirectory"]).rstrip("/")


def distribution(entry: dict, indexes: router.Router, git: list[dict]) -> dict:
    """Turns an entry of pip's report into one of the lock."""
    info = entry["download_info"]
    name = router.normal(entry["metadata"]["name"])
    d = {"name": name, "version": entry["metadata"]["version"], "file": "", "sha256": "", "size": 0, "unpacked": 0}
    for tree in git:
        if info["url"] == "file://" + source_of(tree):
            return {**d, "url": tree["url"]}
    if "vcs_info" in info:
        raise runpip.unpinned(name, info["url"], info["vcs_info"]["commit_id"])
    if "archive_info" not in info or info.get("subdirectory"):
        raise web.Fault("usage", f"{name}: only a whole archive can be locked, and {info['url']} is a folder or needs one of it")
    url = urldefrag(info["url"])[0]
    if one := indexes.original(url):  # pip's hash is that of the altered one
        return {**d, **place_of(one.url), "sha256": one.sha256}
    hashes = info["archive_info"]
    found = hashes.get("hashes", {}).get("sha256") or hashes.get("hash", "").removeprefix("sha256=")
    return {**d, **place_of(url), "sha256": found if len(found) == 64 else ""}


def place_of(url: str) -> dict[str, str]:
    if not url.startswith("file://" + PROJECT):
        return {"url": url, "file": web.file_name(url)}
    path = unquote(url.removeprefix("file://" + PROJECT))
    return {"url": "file:" + path, "file": os.path.basename(path)}


def local(url: str) -> str | None:
    return PROJECT + url.removeprefix("file:") if url.startswith("file:") else None


def tree_of(d: dict, git: list[dict]) -> str:
    """Returns the unpacked source of a distribution."""
    for tree in git:
        if d["url"] == tree["url"]:
            return source_of(tree)
    path = local(d["url"])
    data = pathlib.Path(path).read_bytes() if path else web.read_all(d["url"])[0]
    try:
        return sdist.checked_tree(sdist.unpack(d["file"], data, SDISTS + d["name"]))
    except web.Fault as fault:
        raise fault.saying(f"{wheels.place(d)}: {fault.message}") from fault


if __name__ == "__main__":
    main(*sys.argv[1:])

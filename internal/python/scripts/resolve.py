"""Answers one question: which distributions answer these requirements, and what are their sdists built with?

Usage: resolve.py QUESTION.json ANSWER.json. It runs at lock time alone, with a network. What is
wrong with the question is an answer, too.
"""

import json
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urldefrag

import pylock
import router
import runpip
import sdist
import web
import wheels

PROJECT = "/.lamina/project/"  # the files of the user
TREES = "/tmp/trees/"  # copies of git trees: builds write into them


def main(question_path: str, answer_path: str) -> None:
    with open(question_path, encoding="utf-8") as file:
        question = json.load(file)
    try:
        answer = Resolver(question).answer()
    except web.Fault as fault:
        answer = {"fault": {"kind": fault.kind, "message": fault.message, "hint": fault.hint}}
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
                self.omitted[fault.project] = fault.message
                dists = self.resolve()
        if faults := wheels.collisions(dists, self.question["collisions"], self.question["prune"]):
            raise web.Fault(
                "usage", "\n".join(faults),
                "leave one of them out, or allow harmless ones: [python] collisions = [\"GLOB\"]",
            )  # fmt: skip
        for d in [*dists, *(d for b in builds.values() for d in b)]:
            d.pop("entries", None)
        omitted = [{"requirement": r, "reason": reason} for r, reason in self.omitted.items()]
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
                self.omitted = {**kept, name: fault.message.splitlines()[-1]}
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
        try:
            report = runpip.resolve(lines, constraints, [*indexes.options(), *options])
        except web.Fault as fault:
            raise first_cause(indexes, fault) from fault
        finally:
            indexes.close()
        # An index that could not be asked may be why another version was taken.
        if indexes.faults:
            raise indexes.faults[0]
        return self.measured([distribution(entry, indexes, self.question["git"]) for entry in report])

    def measured(self, dists: list[dict]) -> list[dict]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda d: d if d["url"].startswith("git+") else wheels.measure(d, local(d["url"])), dists))

    def builds(self, dists: list[dict]) -> dict[str, list[dict]]:
        """Returns what each of the sdists and trees is built with."""
        found = {}
        for d in dists:
            if d["file"].endswith(".whl"):
                continue
            try:
                found[d["name"]] = self.build_of(d)
            except web.Fault as fault:
                if d["name"] in self.question["optional"] and fault.kind == "usage":
                    raise OptionalFault(d["name"], fault.message.splitlines()[-1]) from fault
                raise
        return found

    def build_of(self, d: dict) -> list[dict]:
        if d["name"] in self.build_requires:
            return self.build_set(self.build_requires[d["name"]])
        tree = tree_of(d, self.question["git"])
        wanted = sdist.requires(tree)
        return self.build_set(sorted({*wanted, *self.dynamic(d, tree, wanted)}))

    def dynamic(self, d: dict, tree: str, wanted: list[str]) -> list[str]:
        environment = f"/tmp/environment/{d['name']}"
        indexes = router.Router(self.question)
        try:
            runpip.install(wanted, environment, indexes.options())
            return json.loads(sdist.asked_for(tree, environment))
        except web.Fault as fault:
            if module := re.search(r"No module named '([\w.]+)'", fault.message):
                raise runpip.missing_requirement(d["name"], module[1]) from fault
            raise web.Fault(fault.kind, f"{wheels.title(d)}: asking what it is built with: {fault.message}", fault.hint) from fault
        finally:
            indexes.close()

    def build_set(self, lines: list[str]) -> list[dict]:
        try:
            return self.asked(lines, [], ["--only-binary=:all:"])
        except web.Fault as fault:
            raise web.Fault(fault.kind, f"what a build needs ({', '.join(lines)}): {fault.message}", fault.hint) from fault


class OptionalFault(Exception):
    def __init__(self, project: str, message: str) -> None:
        super().__init__(message)
        self.project, self.message = project, message


def first_cause(indexes: router.Router, fault: web.Fault) -> web.Fault:
    """Returns what really went wrong: pip takes an index that fails for one that has nothing."""
    if indexes.faults:
        return indexes.faults[0]
    for project, files in indexes.seen.items():
        if files and f"for {project}" in fault.message.lower().replace("_", "-") and "from versions: none" in fault.message:
            some = ", ".join(sorted(files)[-3:])
            return web.Fault("usage", f"{fault.message}\n{project}: the index has {len(files)} files, none for this Python and platform: {some}")
    return fault


def trees(git: list[dict], build_requires: dict[str, list[str]]) -> None:
    """Copies the git trees to where builds may write, with the build requirements of the spec."""
    shutil.rmtree(TREES, ignore_errors=True)
    for tree in git:
        copy = TREES + tree["name"]
        shutil.copytree(tree["path"], copy, symlinks=True)
        if tree["name"] in build_requires:
            sdist.set_requires(os.path.join(copy, tree["subdirectory"]), build_requires[tree["name"]])


def distribution(entry: dict, indexes: router.Router, git: list[dict]) -> dict:
    """Turns an entry of pip's report into one of the lock."""
    url, hash_ = urldefrag(entry["download_info"]["url"])
    name = router.normal(entry["metadata"]["name"])
    d = {"name": name, "version": entry["metadata"]["version"], "file": "", "sha256": "", "size": 0, "unpacked": 0}
    for tree in git:
        if url == f"file://{os.path.join(TREES + tree['name'], tree['subdirectory'])}".rstrip("/"):
            return {**d, "url": tree["url"]}
    original, promised = urldefrag(indexes.original(url))
    d |= {"url": original, "file": web.file_name(original)}
    if original != url:  # pip's hash is that of the altered one
        return {**d, "sha256": promised.removeprefix("sha256=")}
    hashes = entry["download_info"].get("archive_info", {})
    found = hashes.get("hashes", {}).get("sha256") or hashes.get("hash", "").removeprefix("sha256=")
    if url.startswith("file://" + PROJECT):
        d["url"] = "file:" + url.removeprefix("file://" + PROJECT)
    return {**d, "sha256": found if len(found) == 64 else ""}


def local(url: str) -> str | None:
    return PROJECT + url.removeprefix("file:") if url.startswith("file:") else None


def tree_of(d: dict, git: list[dict]) -> str:
    """Returns the unpacked source of a distribution."""
    for tree in git:
        if d["url"] == tree["url"]:
            return os.path.join(TREES + tree["name"], tree["subdirectory"])
    path = local(d["url"])
    data = open(path, "rb").read() if path else web.read_all(d["url"])[0]
    return sdist.unpack(d["file"], data, f"/tmp/sdist/{d['name']}")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Lets uv answer one question: which files answer these requirements, and what are their sdists built with?

Usage: resolve.py QUESTION.json ANSWER.json, in the builder. uv resolves and says what applies here; of
several wheels of one version the one that uv would install is taken, by the tags of this interpreter.
What is wrong with the question is an answer, too.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date, time
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

sys.path += ["/usr/lib/python3/dist-packages"]

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import parse_tag, sys_tags
from packaging.version import Version

import backend
from backend import Problem, normal

UV = "/.lamina/uv/uv"
PYTHON = "/usr/bin/python3"
PROJECT = Path("/.lamina/project")
WORK = Path("/tmp/lamina")
NOTES: set[str] = set()  # what uv warns of
ROUNDS = 6  # of a resolution that learns the requirements of what it chose


def main(question: str, answer: str) -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    os.chdir(WORK)
    try:
        found = Resolver(json.loads(Path(question).read_text("utf-8"))).answer()
    except Problem as problem:
        offline = isinstance(problem, Offline)
        found = {"problem": {"message": str(problem), "project": problem.project, "module": problem.module, "offline": offline}}
    Path(answer).write_text(json.dumps(found), "utf-8")


class Offline(Problem):
    """Says that an index is needed, and that there is none to ask."""

    def about(self, project: str) -> "Offline":
        return self


class Resolver:
    def __init__(self, question: dict) -> None:
        self.question = question
        self.replaced: dict[str, list[str]] = question["build_requires"]
        self.omitted: dict[str, str] = {}
        self.builds: dict[str, list[dict]] = {}
        self.sources: dict[str, Path] = {}
        self.own: set[str] = set()  # the projects of source trees, which come from nowhere else
        self.refreshed = question["refresh"]
        self.order = {tag: place for place, tag in enumerate(sys_tags())}

    def answer(self) -> dict:
        lines = [*self.question["requirements"], *self.tree_lines()]
        if self.question["pylock"]:
            chosen = self.applying(self.imported(lines))
            there = {dist["name"]: dist["version"] for dist in chosen}
            for need in unmet(self.question["overrides"], there):
                if there.get(normal(need.name)):
                    raise Problem(f"overrides want {need}, and {self.question['pylock']} has {there[normal(need.name)]}", normal(need.name))
            for line in lines:
                if line["name"] not in {*there, *self.question["excludes"]}:
                    raise Problem(f"a source tree needs {line['line']}, and {self.question['pylock']} doesn't have it", line["name"])
        elif lines:
            chosen = self.with_optional(lines)
        else:
            chosen = []
        for dist in list(chosen):
            if dist["kind"] == "wheel" or self.known(dist):
                continue
            try:
                self.build_of(dist)
            except Problem as problem:
                if dist["name"] not in self.question["optional"]:
                    raise
                self.omitted[dist["name"]] = reason(problem)
                chosen.remove(dist)
        omitted = [{"requirement": name, "reason": why} for name, why in self.omitted.items()]
        return {"distributions": chosen, "builds": self.builds, "omitted": omitted, "notes": sorted(NOTES)}

    def known(self, dist: dict) -> bool:
        """Says whether the lock before this one has what dist is built with."""
        return dist["name"] not in self.builds and dist["id"] in self.question["known"]

    # What the project's own trees need.

    def tree_lines(self) -> list[dict]:
        """Returns the requirements of trees that neither other trees nor the image's Debian packages meet; those of their builds are resolved."""
        trees, lines = [], []
        for name, path in self.question["trees"].items():
            directory = Path(path)
            try:
                check_python(directory)
                self.build_of_tree(name, directory)
                trees.append((name, directory, backend.declared(directory) or backend.metadata(directory, self.environment(name))))
            except Problem as problem:
                raise problem.about(name) from problem
        self.own = {normal(found["name"]) for _, _, found in trees}
        asked = [(tree, "") for tree in trees]
        for (name, directory, found), extra in asked:  # which grows
            try:
                missing = unmet([*found["requires"], *found["extras"].get(extra, [])], self.question["image"], extra)
                self.check_sources(directory, missing)
                built = [] if name in self.replaced else [normal(need.name) for need in unmet(backend.requires(directory), self.question["builder"])]
                for other in self.own.union(sources_of(directory)).difference(self.question["bound"]).intersection(built):
                    raise Problem(f"it is built with {other}, which no index shall bring\nhint: [python.build-requires] {name} = […] says what it is built with instead")
            except Problem as problem:
                raise problem.about(name) from problem
            for need in missing:
                asked += [one for tree in trees if normal(tree[2]["name"]) == normal(need.name) for e in sorted(need.extras) if (one := (tree, normal(e))) not in asked]
            more = [{"name": normal(need.name), "line": str(need)} for need in missing if normal(need.name) not in self.own]
            lines += [line for line in more if line not in lines]
        return lines

    def check_sources(self, directory: Path, missing: list[Requirement]) -> None:
        """Refuses what a tree has a source of uv's for that nobody reads: a lock has followed it, and so does uv in a project."""
        decided = self.own | {line["name"] for line in self.question["requirements"]} | set(self.question["bound"])
        unread = sorted(sources_of(directory) & {normal(need.name) for need in missing} - decided)
        if self.question["pylock"] == "uv.lock" and not self.question["locked"]:
            read = [path for at in self.question["directories"] if (path := PROJECT / at / "pyproject.toml").exists()]
        else:
            read = [directory / "pyproject.toml"] if self.question["pylock"] else []
        if unread and all(backend.pyproject(path.parent) != backend.pyproject(directory) for path in read):
            raise Problem(
                f"[tool.uv.sources] of its pyproject.toml says where {unread[0]} comes from, and a source tree is not resolved by that"
                f"\nhint: project = with the directory of the tree, next to sources, has uv resolve what its pyproject.toml says; or name {unread[0]} in a requirement file",
            )

    def build_of_tree(self, name: str, directory: Path) -> None:
        """Resolves what a tree is built with, but for what the builder's Debian packages are."""
        if name in self.replaced:
            self.builds[name] = self.build_set(name, self.replaced[name])
            return
        wanted = unmet(backend.requires(directory), self.question["builder"])
        self.builds[name] = self.build_set(name, [str(r) for r in wanted])
        more = unmet(backend.asked_for(directory, self.environment(name)), self.question["builder"])
        if more := [r for r in more if r not in wanted]:
            self.builds[name] = self.build_set(name, [str(r) for r in [*wanted, *more]])

    # What uv resolves.

    def with_optional(self, lines: list[dict]) -> list[dict]:
        """Resolves all lines; where that fails, without what is optional and does not fit."""
        optional = [line for line in lines if line["name"] in self.question["optional"]]
        try:
            return self.resolve(lines)
        except Problem as problem:
            if not optional:
                raise
            kept = [line for line in lines if line not in optional]
            whole = problem
        try:
            best = self.resolve(kept)
        except Problem:
            raise whole from None
        for line in optional:
            try:
                best = self.resolve([*kept, line])
                kept.append(line)
            except Problem as problem:
                self.omitted[line["name"]] = reason(problem)
        return best

    def resolve(self, lines: list[dict]) -> list[dict]:
        """Resolves lines. Of a project with build requirements of its own, uv is told what it needs: uv would
        fetch what the project declares to be built with, which is what they are there to replace."""
        direct = {line["name"] for line in lines if " @ " in line["line"]}
        needs: dict[str, dict] = {}
        wheels: set[str] = set()
        for _ in range(ROUNDS):
            unknown = sorted(self.replaced.keys() - wheels - (direct & needs.keys()))
            # Of what is required by its address uv wants the version, too.
            told = [{"name": name, **({"version": "0"} if name in direct else {}), "requires-dist": []} for name in unknown]
            chosen = self.compile("", [line["line"] for line in lines], [*told, *needs.values()])
            ours = [dist for dist in chosen if dist["name"] in self.replaced]
            found = {dist["name"]: self.needs_of(dist) for dist in ours if dist["kind"] != "wheel"}
            settled = {dist["name"] for dist in ours if dist["kind"] == "wheel"} - wheels
            if not settled and all(needs.get(name) == need for name, need in found.items()):
                return chosen
            needs |= found
            wheels |= settled
        raise Problem("the requirements of " + ", ".join(sorted(needs)) + " change what is chosen, and the choice changes them")

    def needs_of(self, dist: dict) -> dict:
        name = dist["name"]
        if name not in self.builds:
            self.builds[name] = self.build_set(name, self.replaced[name])
        key = hashlib.sha256(json.dumps([dist["id"], [d["id"] for d in self.builds[name]]]).encode()).hexdigest()
        kept = Path(os.environ["UV_CACHE_DIR"], "lamina", key)
        if kept.exists():
            found = json.loads(kept.read_text())
        else:
            try:
                found = backend.metadata(self.source(dist), self.environment(name))
            except Problem as problem:
                raise problem.about(name) from problem
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found))
        return {"name": name, "version": found["version"], "requires-dist": found["requires"]}

    def compile(self, project: str, lines: list[str], metadata: list[dict]) -> list[dict]:
        """Resolves lines: those of the image, or those of what a project is built with, which are wheels."""
        write("requirements.txt", lines)
        write("uv.toml", ["[[dependency-metadata]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in m.items()) for m in metadata])
        own = ["--only-binary", ":all:"] if project else self.of_the_image()
        self.pinned(project, Path("pylock.toml"), "--config-file", "uv.toml", *self.question["indexes"], *own, "requirements.txt")
        # Compiled for this interpreter, all of it applies.
        entries = tomllib.loads(Path("pylock.toml").read_text("utf-8")).get("packages", [])
        return [self.choice(entry, WORK.absolute()) for entry in entries]

    def of_the_image(self) -> list[str]:
        """Returns uv's options for what the spec says of the image's own distributions."""
        args = [*self.question["formats"]]
        ours = sorted(self.own - {line["name"] for line in self.question["requirements"]})  # which no index shall bring
        for kind, more in (("constraints", []), ("overrides", []), ("excludes", ours)):
            write(f"{kind}.txt", [*self.question[kind], *more])
            args += [f"--{kind}", f"{kind}.txt"] * bool(self.question[kind] or more)
        return args

    def pinned(self, project: str, lock: Path, *args: str) -> None:
        """Has uv resolve into a lock. Versions that were locked stay where they can."""
        before = self.question["before"].get(project)
        while True:
            lock.unlink(missing_ok=True)
            if before:
                lock.write_text(before + "\n", "utf-8")
            refresh = ["--refresh"] * self.refreshed
            try:
                uv("pip", "compile", "--format", "pylock.toml", "--generate-hashes", "-o", str(lock), *self.question["options"], *refresh, *args)
                return
            except Offline:
                raise
            except Problem as problem:
                if self.refreshed or not re.search("No solution found|Failed to fetch", str(problem)):
                    raise
                self.refreshed = True  # what uv kept of the indexes may be why

    def imported(self, lines: list[dict]) -> Path:
        """Returns the lock that the user has, or else one of his project and these lines, as a pylock.toml."""
        if self.question["pylock"] != "uv.lock":
            return PROJECT / self.question["pylock"]
        directory = self.copy()
        lock, project = directory / "pylock.toml", backend.pyproject(directory).get("project")  # its paths are from where it lies
        args = ["--project", str(directory), *self.question["export"], *self.wanted()]
        check_python(directory)
        locked = self.question["locked"]
        if locked or project is None:
            frozen = ["--locked"] * locked
            if locked and project and "dependencies" in project.get("dynamic", []):
                frozen = ["--frozen"]
                NOTES.add("what pyproject.toml needs is dynamic, so that nobody has held uv.lock against it")
            uv("export", *args, *frozen, "--no-default-groups", "--no-emit-project", "--format", "pylock.toml", "-o", str(lock))
        else:
            write("requirements.txt", [line["line"] for line in lines])
            self.pinned("", lock, *args, *self.of_the_image(), str(directory / "pyproject.toml"), "requirements.txt")
        self.question["extras"] = self.question["groups"] = []
        return lock

    def copy(self) -> Path:
        """Returns the directory of the project or the lock, where it may be written to."""
        if not (WORK / "project").exists():
            shutil.copytree(PROJECT, WORK / "project", symlinks=True)
        return WORK / "project" / self.question["directory"]

    def wanted(self) -> list[str]:
        return [word for kind in ("extra", "group") for name in self.question[f"{kind}s"] for word in (f"--{kind}", name)]

    # What of a pylock.toml is installed here.

    def applying(self, path: Path) -> list[dict]:
        path, entries = self.without_trees(path)
        active = self.active(path)

        def applies(entry: dict) -> bool:
            version = active.get(normal(entry["name"]))
            # A lock for many platforms has several versions of a project, and need not say that of an archive.
            return version is not None and (not version or Version(version) == Version(entry.get("version", version)))

        chosen = [self.choice(entry, PROJECT / self.question["directory"]) for entry in entries if applies(entry)]
        for dist in chosen:
            dist["version"] = dist["version"] and active[dist["name"]] or dist["version"]  # uv has the spelling of the file
        for name in sorted(active.keys() - {dist["name"] for dist in chosen}):
            raise Problem(f"{path.name}: uv installs {name} {active[name]}, and no entry has that", name)
        return chosen

    def without_trees(self, path: Path) -> tuple[Path, list[dict]]:
        """Returns a lock without what the spec excludes and builds as source trees, which bring themselves, and its entries."""
        kept = []
        try:
            lock = tomllib.loads(path.read_text("utf-8"))
            for entry in lock.get("packages", []):
                if normal(entry.get("name", "")) in self.question["excludes"]:
                    continue
                if "directory" in entry:
                    directory = os.path.normpath(os.path.join(self.question["directory"], entry["directory"].get("path", "")))
                    if directory in self.question["directories"]:
                        continue
                    raise Problem(f"{entry['name']}: it is the directory {directory!r}", normal(entry["name"]))
                kept.append(entry)
            for kind, key in (("extra", "extras"), ("group", "dependency-groups")):
                known = {normal(name) for name in lock.get(key, [])}
                NOTES.update(f"{path.name} has no {kind} {name}" for name in self.question[f"{kind}s"] if normal(name) not in known)
        except (OSError, ValueError) as error:
            raise Problem(f"{path.name}: {error}") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise Problem(f"{path.name}: its packages are not what a pylock.toml has") from error
        if len(kept) < len(lock.get("packages", [])):
            lock["packages"] = kept
            path = self.copy() / path.name
            path.write_text("".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in lock.items()), "utf-8")
        return path, kept

    def active(self, path: Path) -> dict[str, str]:
        """Returns the projects that apply here, with their versions where uv says them. uv evaluates markers, extras and groups."""
        told = uv("pip", "install", "--dry-run", "--no-config", "--target", str(WORK / "nothing"), "-r", str(path), *self.wanted())
        return {normal(found[1]): found[2] or "" for found in re.finditer(r"^ \+ ([\w.-]+)(?:==(\S+))?", told, re.MULTILINE)}

    def choice(self, entry: dict, directory: Path) -> dict:
        name = normal(entry["name"])
        dist = {"name": name, "version": entry.get("version", ""), "kind": "sdist", "file": "", "url": "", "size": 0, "hashes": {}, "index": re.sub("^file:.*", "", entry.get("index", ""))}
        if "vcs" in entry:
            vcs = entry["vcs"]
            below = f"#subdirectory={vcs['subdirectory']}" if vcs.get("subdirectory") else ""
            url = f"git+{vcs.get('url') or vcs.get('path', '')}@{vcs['commit-id']}{below}"
            return {**dist, "kind": "git", "url": url, "id": url}
        if "directory" in entry:
            raise Problem(f"{name}: it is the directory {entry['directory'].get('path')!r}", name)
        fits = [(self.rank(file_of(w)), w) for w in entry.get("wheels", [])]
        fits += [((), entry[kind]) for kind in ("sdist", "archive") if kind in entry]
        wanted = [known.lower() for known in self.question["hashes"].get(name, [])]
        # What a line has no hash of is not installed.
        fits = [((any(f"{k}:{v}".lower() in wanted for k, v in file.get("hashes", {}).items()), rank), file) for rank, file in fits if rank is not None]
        source = max(fits, key=lambda found: found[0])[1] if fits else None
        if source is None:
            raise Problem(f"{name} {dist['version']}: no wheel of it fits this Python and platform, and it has no sdist", name)
        file = file_of(source)
        dist |= {"file": file, "kind": "wheel" if file.endswith(".whl") else "sdist", "size": source.get("size", 0), "hashes": source.get("hashes", {})}
        url = source["url"] if "url" in source else "file://" + quote(os.path.normpath(directory / source["path"]))
        dist["url"] = url.replace(f"{(WORK / 'project').absolute().as_uri()}/", f"{PROJECT.as_uri()}/")
        dist["below"] = os.path.normpath(source["subdirectory"]) if source.get("subdirectory") else ""
        dist["id"] = (dist["hashes"].get("sha256") or dist["url"]) + f"#{dist['below']}" * bool(dist["below"])
        return dist

    def rank(self, file: str) -> tuple | None:
        """Returns what orders wheels of one version, best last; None for one that doesn't fit, or has another name than wheels have."""
        parts = file.removesuffix(".whl").split("-")
        if len(parts) not in (5, 6):
            return None
        places = [self.order[tag] for tag in parse_tag("-".join(parts[-3:])) if tag in self.order]
        if not places:
            return None
        # Of equal tags the highest build wins, and any build over none.
        number, rest = re.match(r"(\d*)(.*)", parts[2] if len(parts) == 6 else "").groups()
        return (-min(places), int(number or -1), rest)

    # What sdists and trees are built with.

    def build_of(self, dist: dict) -> None:
        name = dist["name"]
        try:
            if name in self.replaced:
                if name not in self.builds:
                    self.builds[name] = self.build_set(name, self.replaced[name])
            else:
                wanted = backend.requires(self.source(dist))
                self.builds[name] = self.build_set(name, wanted)
                if more := [line for line in backend.asked_for(self.source(dist), self.environment(name)) if line not in wanted]:
                    self.builds[name] = self.build_set(name, [*wanted, *more])
            # A lock need not say the version of an archive.
            dist["version"] = dist["version"] or backend.metadata(self.source(dist), self.environment(name))["version"]
            dist["metadata"] = self.declares(dist)
        except Problem as problem:
            raise problem.about(name) from problem

    def declares(self, dist: dict) -> str:
        """Returns what the source of a distribution says of licenses, fetched once."""
        kept = Path(os.environ["UV_CACHE_DIR"], "lamina", hashlib.sha256(f"declares {dist['id']}".encode()).hexdigest())
        if not kept.exists():
            text = backend.declares(self.source(dist))
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(text, "utf-8")
        return kept.read_text("utf-8")

    def build_set(self, name: str, lines: list[str]) -> list[dict]:
        for line in lines:
            try:
                Requirement(line)
            except InvalidRequirement as error:
                raise Problem(f"it is built with {line!r}, which is no requirement", name) from error
        try:
            return self.compile(name, lines, []) if lines else []
        except Offline:
            raise
        except Problem as problem:
            raise Problem(f"what it is built with ({', '.join(lines)}): {problem}", name) from problem

    def environment(self, name: str) -> str:
        """Returns a directory with what a project is built with."""
        directory = WORK / "environments" / hashlib.sha256(json.dumps([d["id"] for d in self.builds[name]]).encode()).hexdigest()
        if self.builds[name] and not directory.exists():
            urls = [f"{d['name']} @ {d['url']}" for d in self.builds[name]]
            uv("pip", "install", "--no-config", "--no-deps", "--no-build", "--target", str(directory), *urls)
        return str(directory)

    def source(self, dist: dict) -> Path:
        """Returns the unpacked source of a distribution."""
        if dist["id"] not in self.sources:
            directory = WORK / "sources" / hashlib.sha256(dist["id"].encode()).hexdigest()
            self.sources[dist["id"]] = backend.fetch(dist, directory)
        return self.sources[dist["id"]]


def uv(*args: str) -> str:
    """Runs uv and returns what it says."""
    if not os.path.exists(UV):
        raise Offline("an index is needed")
    # Progress is shown to nobody; what uv did stands in its last lines.
    command = [UV, *args, "--python", PYTHON, "--no-progress", "--color", "never"]
    run = subprocess.run(command, text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    print(run.stderr, end="", file=sys.stderr)
    if run.returncode:
        raise Problem(told(run.stderr) or f"uv ends with status {run.returncode}")
    NOTES.update(re.findall(r"^warning: (The package .*)$", run.stderr, re.MULTILINE))
    return run.stderr


def told(text: str) -> str:
    """Returns what went wrong, without what uv says of its way there."""
    at = re.search(r"^(error|  ?×)", text, re.MULTILINE)
    return re.sub(r"^error: ", "", text[at.start() :].strip()) if at else text.strip()


def sources_of(directory: Path) -> set[str]:
    """Returns the projects of which a tree says to uv where they come from."""
    return {normal(name) for name in backend.table(backend.table(backend.table(backend.pyproject(directory), "tool"), "uv"), "sources")}


def unmet(wanted: list[str], there: dict[str, str], extra: str = "") -> list[Requirement]:
    """Returns the requirements that apply here, with an extra, and that no Debian package meets."""
    missing = []
    for line in wanted:
        try:
            need = Requirement(line)
        except InvalidRequirement as error:
            raise Problem(f"{line!r} is no requirement") from error
        if need.marker and not need.marker.evaluate({"extra": extra}):
            continue
        version = there.get(normal(need.name))
        if need.url or need.extras or version is None or not need.specifier.contains(version, prereleases=True):
            missing.append(need)
    return missing


def check_python(directory: Path) -> None:
    """Refuses a project that is for other Pythons than the image's, which is the builder's."""
    wanted, version = backend.table(backend.pyproject(directory), "project").get("requires-python"), ".".join(map(str, sys.version_info[:3]))
    try:
        if wanted is not None and not SpecifierSet(wanted).contains(version, prereleases=True):
            raise Problem(f"its pyproject.toml wants Python {wanted}, and the image has {version}")
    except (InvalidSpecifier, AttributeError, TypeError) as error:
        raise Problem(f"its pyproject.toml: requires-python is {wanted!r}, which is no list of versions") from error


def file_of(source: dict) -> str:
    return source.get("name") or os.path.basename(unquote(urlsplit(source.get("url", "")).path)) or os.path.basename(source.get("path", ""))


def toml(value) -> str:
    """Writes a value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, (date, time)):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def reason(problem: Problem) -> str:
    """Returns the one line that a lock has for why something was left out."""
    return str(problem).splitlines()[-1].strip().removeprefix("cause: ")


def write(name: str, lines: list[str]) -> None:
    Path(name).write_text("".join(line + "\n" for line in lines), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

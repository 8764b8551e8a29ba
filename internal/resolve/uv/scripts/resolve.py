"""Has uv answer one question: which files meet these requirements, and what are their sdists built with?

Usage: resolve.py QUESTION.json ANSWER.json, in the builder. uv resolves and reports what applies here; of
several wheels of one version, the answer has the one that uv would install, by the tags of this interpreter.
A problem with the question is an answer, too.
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
from packaging.version import InvalidVersion, Version

import backend
from backend import Problem, normal

UV = "/.lamina/uv/uv"
PYTHON = "/usr/bin/python3"
PROJECT = Path("/.lamina/project")
WORK = Path("/tmp/lamina")
NOTES: set[str] = set()  # uv's warnings
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
    """An index is needed, but there is none to ask."""

    def about(self, project: str) -> "Offline":
        return self


class Resolver:
    def __init__(self, question: dict) -> None:
        self.question = {key: [] if value is None else value for key, value in question.items()}
        self.replaced: dict[str, list[str]] = question["build_requires"]
        self.omitted: dict[str, str] = {}
        self.builds: dict[str, list[dict]] = {}
        self.sources: dict[str, Path] = {}
        self.own: set[str] = set()  # the projects of source trees, which come only from there
        self.refreshed = question["refresh"]
        self.order = {tag: place for place, tag in enumerate(sys_tags())}

    def answer(self) -> dict:
        lines = [*self.question["requirements"], *self.tree_lines()]
        if self.question["pylock"]:
            chosen = self.applying(self.imported(lines))
            for line in lines:
                if line["name"] not in {*(dist["name"] for dist in chosen), *self.question["excludes"]}:
                    raise Problem(f"a source tree requires {line['line']}, which {self.question['pylock']} doesn't have", line["name"])
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
        if self.question["pylock"]:
            self.check_overrides(chosen)
        omitted = [{"requirement": name, "reason": why} for name, why in self.omitted.items()]
        return {"distributions": chosen, "builds": self.builds, "omitted": omitted, "notes": sorted(NOTES)}

    def known(self, dist: dict) -> bool:
        """Reports whether nothing but the build requirements of dist is unknown, and the previous lock has those."""
        return dist["version"] and dist["name"] not in self.builds and dist["id"] in self.question["known"]

    def check_overrides(self, chosen: list[dict]) -> None:
        """Refuses overrides that the user's lock doesn't meet. It may lack the version of a wheel, whose name has it."""
        there = {dist["name"]: dist["version"] or "".join(dist["file"].split("-")[1:2]) for dist in chosen}
        for need in unmet(self.question["overrides"], there):
            if normal(need.name) in there:
                raise Problem(f"overrides require {need}, but {self.question['pylock']} has {there[normal(need.name)]}", normal(need.name))

    # Requirements of the project's own trees.

    def tree_lines(self) -> list[dict]:
        """Returns the trees' requirements that neither other trees nor the image's Debian packages meet; resolves those of their builds."""
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
        for (name, directory, found), extra in asked:  # grows
            try:
                missing = unmet([*found["requires"], *found["extras"].get(extra, [])], self.question["image"], extra)
                self.check_sources(directory, missing)
                built = [] if name in self.replaced else [normal(need.name) for need in unmet(backend.requires(directory), self.question["builder"])]
                for other in self.own.union(sources_of(directory)).difference(self.question["bound"]).intersection(built):
                    raise Problem(f"its build requires {other}, which must not come from an index\nhint: write [python.build-requires] {name} = […] to replace its build requirements")
            except Problem as problem:
                raise problem.about(name) from problem
            for need in missing:
                asked += [one for tree in trees if normal(tree[2]["name"]) == normal(need.name) for e in sorted(need.extras) if (one := (tree, normal(e))) not in asked]
            more = [{"name": normal(need.name), "line": str(need)} for need in missing if normal(need.name) not in self.own]
            lines += [line for line in more if line not in lines]
        return lines

    def check_sources(self, directory: Path, missing: list[Requirement]) -> None:
        """Refuses requirements whose [tool.uv.sources] in a tree nothing reads: a lock has followed them, and so does uv in a project."""
        decided = self.own | {line["name"] for line in self.question["requirements"]} | set(self.question["bound"])
        unread = sorted(sources_of(directory) & {normal(need.name) for need in missing} - decided)
        if self.question["pylock"] == "uv.lock" and not self.question["locked"]:
            read = [path for at in self.question["directories"] if (path := PROJECT / at / "pyproject.toml").exists()]
        else:
            read = [directory / "pyproject.toml"] if self.question["pylock"] else []
        if unread and all(backend.pyproject(path.parent) != backend.pyproject(directory) for path in read):
            raise Problem(
                f"[tool.uv.sources] of its pyproject.toml says where {unread[0]} comes from, but source trees are resolved without it"
                f"\nhint: set project = to the tree's directory, next to sources, so that uv resolves its pyproject.toml; or name {unread[0]} in a requirement file",
            )

    def build_of_tree(self, name: str, directory: Path) -> None:
        """Resolves the build requirements of a tree that the builder's Debian packages don't meet."""
        if name in self.replaced:
            self.builds[name] = self.build_set(name, self.replaced[name])
            return
        wanted = unmet(backend.requires(directory), self.question["builder"])
        self.builds[name] = self.build_set(name, [str(r) for r in wanted])
        more = unmet(backend.asked_for(directory, self.environment(name)), self.question["builder"])
        if more := [r for r in more if r not in wanted]:
            self.builds[name] = self.build_set(name, [str(r) for r in [*wanted, *more]])

    # Resolving with uv.

    def with_optional(self, lines: list[dict]) -> list[dict]:
        """Resolves all lines; if that fails, leaves out optional ones that don't fit."""
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
        """Resolves lines. uv is given the metadata of projects whose build requirements the spec replaces:
        it would download the declared ones to get it."""
        direct = {line["name"] for line in lines if " @ " in line["line"]}
        needs: dict[str, dict] = {}
        wheels: set[str] = set()
        for _ in range(ROUNDS):
            unknown = sorted(self.replaced.keys() - wheels - (direct & needs.keys()))
            # For a requirement by URL, uv also needs the version.
            told = [{"name": name, **({"version": "0"} if name in direct else {}), "requires-dist": []} for name in unknown]
            chosen = self.compile("", [line["line"] for line in lines], [*told, *needs.values()])
            ours = [dist for dist in chosen if dist["name"] in self.replaced]
            found = {dist["name"]: self.needs_of(dist) for dist in ours if dist["kind"] != "wheel"}
            settled = {dist["name"] for dist in ours if dist["kind"] == "wheel"} - wheels
            if not settled and all(needs.get(name) == need for name, need in found.items()):
                return chosen
            needs |= found
            wheels |= settled
        raise Problem("the requirements of " + ", ".join(sorted(needs)) + " change the choice of versions, which changes them again")

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
        """Resolves lines of the image, or of a project's build, for which only wheels are used."""
        write("requirements.txt", lines)
        write("uv.toml", ["[[dependency-metadata]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in m.items()) for m in metadata])
        own = ["--only-binary", ":all:"] if project else self.of_the_image()
        self.pinned(project, Path("pylock.toml"), "--config-file", "uv.toml", *self.question["indexes"], *own, "requirements.txt")
        # The lock is for this interpreter: all entries apply.
        entries = tomllib.loads(Path("pylock.toml").read_text("utf-8")).get("packages", [])
        return [self.choice(entry, WORK.absolute()) for entry in entries]

    def of_the_image(self) -> list[str]:
        """Returns uv's options for the spec's settings of the image's distributions."""
        args = [*self.question["formats"]]
        ours = sorted(self.own - {line["name"] for line in self.question["requirements"]})  # which must not come from an index
        for kind, more in (("constraints", []), ("overrides", []), ("excludes", ours)):
            write(f"{kind}.txt", [*self.question[kind], *more])
            args += [f"--{kind}", f"{kind}.txt"] * bool(self.question[kind] or more)
        return args

    def pinned(self, project: str, lock: Path, *args: str) -> None:
        """Has uv resolve into a lock. Locked versions stay if they can."""
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
                self.refreshed = True  # uv's cached indexes may be the reason

    def imported(self, lines: list[dict]) -> Path:
        """Returns the user's lock, or else one of the user's project and these lines, as a pylock.toml."""
        if self.question["pylock"] != "uv.lock":
            return PROJECT / self.question["pylock"]
        directory = self.copy()
        lock, project = directory / "pylock.toml", backend.pyproject(directory).get("project")  # its paths are relative to its directory
        args = ["--project", str(directory), *self.question["export"], *self.wanted()]
        check_python(directory)
        locked = self.question["locked"]
        if locked or project is None:
            frozen = ["--locked"] * locked
            if locked and project and "dependencies" in project.get("dynamic", []):
                frozen = ["--frozen"]
                NOTES.add("the dependencies in pyproject.toml are dynamic, so uv.lock was not checked against them")
            uv("export", *args, *frozen, "--no-default-groups", "--no-emit-project", "--format", "pylock.toml", "-o", str(lock))
        else:
            write("requirements.txt", [line["line"] for line in lines])
            self.pinned("", lock, *args, *self.of_the_image(), str(directory / "pyproject.toml"), "requirements.txt")
        self.question["extras"] = self.question["groups"] = []
        return lock

    def copy(self) -> Path:
        """Returns a writable copy of the directory of the project or the lock."""
        if not (WORK / "project").exists():
            shutil.copytree(PROJECT, WORK / "project", symlinks=True)
        return WORK / "project" / self.question["directory"]

    def wanted(self) -> list[str]:
        return [word for kind in ("extra", "group") for name in self.question[f"{kind}s"] for word in (f"--{kind}", name)]

    # Selecting the entries of a pylock.toml.

    def applying(self, path: Path) -> list[dict]:
        path, lock = self.without_trees(path)
        entries = lock.get("packages", [])
        active = self.active(path)

        def applies(entry: dict) -> bool:
            version = active.get(normal(entry["name"]))
            # A lock for many platforms has several versions of a project, and may lack that of an archive.
            return version is not None and (not version or "directory" in entry or Version(version) == Version(entry.get("version", version)))

        fitting = [entry for entry in entries if applies(entry)]
        names = [normal(entry["name"]) for entry in fitting]
        for entry, name in zip(list(fitting), names):
            if names.count(name) > 1:  # markers tell entries of one version apart: uv is asked about each alone
                others = [other for other in entries if other is entry or normal(other["name"]) != name]
                if name not in self.active(self.written({**lock, "packages": others}, path.name)):
                    fitting.remove(entry)
        chosen = [self.choice(entry, PROJECT / self.question["directory"]) for entry in fitting]
        for dist in chosen:
            dist["version"] = dist["version"] and active[dist["name"]] or dist["version"]  # uv reports the spelling in the file
        for name in sorted(active.keys() - {dist["name"] for dist in chosen}):
            raise Problem(f"{path.name}: uv installs {name} {active[name]}, but no entry has that", name)
        return chosen

    def without_trees(self, path: Path) -> tuple[Path, dict]:
        """Returns a lock and its content, without what the spec excludes or builds as source trees."""
        kept = []
        try:
            lock = tomllib.loads(path.read_text("utf-8"))
            for entry in lock.get("packages", []):
                is_tree = "directory" in entry and self.directory_of(entry) in self.question["directories"]
                if not is_tree and normal(entry["name"]) not in self.question["excludes"]:
                    kept.append(entry)
            for kind, key in (("extra", "extras"), ("group", "dependency-groups")):
                known = {normal(name) for name in lock.get(key, [])}
                NOTES.update(f"{path.name} has no {kind} {name}" for name in self.question[f"{kind}s"] if normal(name) not in known)
        except (OSError, ValueError) as error:
            raise Problem(f"{path.name}: {error}") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise Problem(f"{path.name}: its packages are not those of a pylock.toml") from error
        if len(kept) < len(lock.get("packages", [])) or any("directory" in entry for entry in kept):
            lock["packages"] = kept
            path = self.written(lock, path.name)
        return path, lock

    def directory_of(self, entry: dict) -> str:
        """Returns the directory that an entry is, below the project."""
        return os.path.normpath(os.path.join(self.question["directory"], entry["directory"].get("path", "")))

    def written(self, lock: dict, name: str) -> Path:
        """Writes another lock of the project, in which wheels stand in for directories: uv reports whether they apply, and builds nothing."""
        path = self.copy() / name
        lock = {**lock, "packages": [stand_in(entry) if "directory" in entry else entry for entry in lock["packages"]]}
        path.write_text("".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in lock.items()), "utf-8")
        return path

    def active(self, path: Path) -> dict[str, str]:
        """Returns the projects that apply here, with the versions that uv reports. uv evaluates markers, extras and groups."""
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
            raise Problem(f"{name}: it is the directory {self.directory_of(entry)!r}", name)
        fits = [(self.rank(file_of(w)), w) for w in entry.get("wheels", [])]
        fits += [((), entry[kind]) for kind in ("sdist", "archive") if kind in entry]
        wanted = [known.lower() for known in self.question["hashes"].get(name, [])]
        # Prefer files whose hash a line lists: others are not installed.
        fits = [((any(f"{k}:{v}".lower() in wanted for k, v in file.get("hashes", {}).items()), rank), file) for rank, file in fits if rank is not None]
        source = max(fits, key=lambda found: found[0])[1] if fits else None
        if source is None:
            raise Problem(f"{name} {dist['version']}: no wheel fits this Python and platform, and there is no sdist", name)
        file = file_of(source)
        dist |= {"file": file, "kind": "wheel" if file.endswith(".whl") else "sdist", "size": source.get("size", 0), "hashes": source.get("hashes", {})}
        url = source["url"] if "url" in source else "file://" + quote(os.path.normpath(directory / source["path"]))
        dist["url"] = url.replace(f"{(WORK / 'project').absolute().as_uri()}/", f"{PROJECT.as_uri()}/")
        dist["below"] = os.path.normpath(source["subdirectory"]) if source.get("subdirectory") else ""
        dist["id"] = (dist["hashes"].get("sha256") or dist["url"]) + f"#{dist['below']}" * bool(dist["below"])
        return dist

    def rank(self, file: str) -> tuple | None:
        """Returns a key that orders wheels of one version, best last; None for one that doesn't fit or isn't named like a wheel."""
        parts = file.removesuffix(".whl").split("-")
        if len(parts) not in (5, 6):
            return None
        places = [self.order[tag] for tag in parse_tag("-".join(parts[-3:])) if tag in self.order]
        if not places:
            return None
        # With equal tags, the highest build number wins, and any over none.
        number, rest = re.match(r"(\d*)(.*)", parts[2] if len(parts) == 6 else "").groups()
        return (-min(places), int(number or -1), rest)

    # Build requirements of sdists and trees.

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
            # A lock may lack the version of an archive.
            dist["version"] = dist["version"] or backend.metadata(self.source(dist), self.environment(name))["version"]
            dist["metadata"] = self.declares(dist)
        except Problem as problem:
            raise problem.about(name) from problem

    def declares(self, dist: dict) -> str:
        """Returns the license headers in the source of a distribution, from the cache if possible."""
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
                raise Problem(f"its build requires {line!r}, which is not a valid requirement", name) from error
        try:
            return self.compile(name, lines, []) if lines else []
        except Offline:
            raise
        except Problem as problem:
            raise Problem(f"its build requirements ({', '.join(lines)}): {problem}", name) from problem

    def environment(self, name: str) -> str:
        """Returns a directory with the installed build requirements of a project."""
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
    """Runs uv and returns its messages."""
    if not os.path.exists(UV):
        raise Offline("an index is needed")
    # Nobody sees the progress; uv's last lines report what it did.
    command = [UV, *args, "--python", PYTHON, "--no-progress", "--color", "never"]
    run = subprocess.run(command, text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    print(run.stderr, end="", file=sys.stderr)
    if run.returncode:
        raise Problem(told(run.stderr) or f"uv exited with status {run.returncode}")
    NOTES.update(re.findall(r"^warning: (The package .*)$", run.stderr, re.MULTILINE))
    return run.stderr


def told(text: str) -> str:
    """Returns uv's error without its messages before it."""
    at = re.search(r"^(error|  ?×)", text, re.MULTILINE)
    return re.sub(r"^error: ", "", text[at.start() :].strip()) if at else text.strip()


def sources_of(directory: Path) -> set[str]:
    """Returns the projects in a tree's [tool.uv.sources]."""
    return {normal(name) for name in backend.table(backend.table(backend.table(backend.pyproject(directory), "tool"), "uv"), "sources")}


def unmet(wanted: list[str], there: dict[str, str], extra: str = "") -> list[Requirement]:
    """Returns the requirements that apply here, with an extra, and that no Debian package meets."""
    missing = []
    for line in wanted:
        try:
            need = Requirement(line)
        except InvalidRequirement as error:
            raise Problem(f"{line!r} is not a valid requirement") from error
        if need.marker and not need.marker.evaluate({"extra": extra}):
            continue
        version = there.get(normal(need.name))
        try:
            met = version is not None and need.specifier.contains(version, prereleases=True)
        except InvalidVersion:  # as some Debian packages have
            met = False
        if need.url or need.extras or not met:
            missing.append(need)
    return missing


def check_python(directory: Path) -> None:
    """Refuses a project that excludes the image's Python, which is also the builder's."""
    wanted, version = backend.table(backend.pyproject(directory), "project").get("requires-python"), ".".join(map(str, sys.version_info[:3]))
    try:
        if wanted is not None and not SpecifierSet(wanted).contains(version, prereleases=True):
            raise Problem(f"its pyproject.toml requires Python {wanted}, but the image has {version}")
    except (InvalidSpecifier, AttributeError, TypeError) as error:
        raise Problem(f"its pyproject.toml: requires-python is {wanted!r}, which is not a list of version specifiers") from error


def stand_in(entry: dict) -> dict:
    """Returns an entry of a wheel instead of a directory, for the same environments."""
    wheel = {"url": f"https://lamina.invalid/{normal(entry['name']).replace('-', '_')}-0-py3-none-any.whl", "hashes": {"sha256": "0" * 64}}
    return {**{key: entry[key] for key in ("name", "marker") if key in entry}, "version": "0", "wheels": [wheel]}


def file_of(source: dict) -> str:
    return source.get("name") or os.path.basename(unquote(urlsplit(source.get("url", "")).path)) or os.path.basename(source.get("path", ""))


def toml(value) -> str:
    """Formats a value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, (date, time)):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def reason(problem: Problem) -> str:
    """Returns the line with which a lock explains why something was left out."""
    return str(problem).splitlines()[-1].strip().removeprefix("cause: ")


def write(name: str, lines: list[str]) -> None:
    Path(name).write_text("".join(line + "\n" for line in lines), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

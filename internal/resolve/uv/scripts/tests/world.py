"""Shared by the tests of the scripts: a uv with prepared answers, source trees, sdists."""

import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
import textwrap
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import backend
import resolve

# It records its arguments and the files in its directory, and gives the next prepared answer for the command.
UV = """#!%s
import json, os, sys
at = os.path.dirname(os.path.abspath(__file__))
args = sys.argv[1:]
command = next(word for word in ("compile", "install", "export") if word in args)
read = lambda name: open(name).read() if os.path.exists(name) else None
call = {"command": command, "args": args}
if command == "compile":
    call |= {name: read(name) for name in ("requirements.txt", "uv.toml", "pylock.toml")}
    call["before"] = read(args[args.index("-o") + 1])
    call |= {name: read(name) for name in ("constraints.txt", "overrides.txt", "excludes.txt") if name in args}
if command == "install" and "-r" in args:
    call["lock"] = read(args[args.index("-r") + 1])
with open(at + "/calls", "a") as out:
    print(json.dumps(call), file=out)
answers = json.load(open(at + "/answers.json"))
if not answers.get(command):
    print("error: no prepared answer for", " ".join(args), read("requirements.txt"), file=sys.stderr)
    sys.exit(9)
answer = answers[command].pop(0)
json.dump(answers, open(at + "/answers.json", "w"))
if "text" in answer:
    open(args[args.index("-o") + 1], "w").write(answer["text"])
for name in args[args.index("--target") + 1:][:1] if "--target" in args else []:
    os.makedirs(name, exist_ok=True)
    for file, text in answer.get("files", {}).items():
        open(os.path.join(name, file), "w").write(text)
print(answer.get("stderr", ""), file=sys.stderr)
sys.exit(answer.get("code", 0))
"""


def wheel(name: str, version: str = "1.0", tags: str = "py3-none-any", **more) -> dict:
    file = f"{name.replace('-', '_')}-{version}-{tags}.whl"
    return {"name": name, "version": version, "wheels": [{"url": f"https://f.example/{file}", "hashes": {"sha256": "of " + file}, **more}]}


def pylock(*entries: dict) -> dict:
    """Returns the answer of a uv that writes a lock."""
    return {"text": 'lock-version = "1.0"\ncreated-by = "uv"\n' + f"packages = {resolve.toml(list(entries))}\n"}


def error(text: str) -> dict:
    return {"stderr": text, "code": 1}


# A backend inside its tree, which returns prepared METADATA.
BACKEND = """
import os
def prepare_metadata_for_build_wheel(directory, settings=None):
    os.mkdir(directory + "/it.dist-info")
    with open(directory + "/it.dist-info/METADATA", "w") as out:
        out.write(%r)
    return "it.dist-info"
"""


class World(unittest.TestCase):
    """A test with temporary directories instead of those of an exec."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name).resolve()
        self.addCleanup(os.chdir, os.getcwd())
        for name in ("work", "project", "uv", "cache", "trees"):
            (self.directory / name).mkdir()
        os.chdir(self.directory / "work")
        for name, value in {"UV": str(self.directory / "uv/uv"), "PYTHON": sys.executable, "PROJECT": self.directory / "project", "WORK": self.directory / "work", "NOTES": set()}.items():
            self.addCleanup(setattr, resolve, name, getattr(resolve, name))
            setattr(resolve, name, value)
        os.environ["UV_CACHE_DIR"] = str(self.directory / "cache")

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")
        return path

    def uv(self, **answers: list[dict]) -> None:
        """Installs a uv that gives these answers, by command."""
        self.write("uv/uv", UV % sys.executable).chmod(0o755)
        self.write("uv/answers.json", json.dumps(answers))

    def calls(self, command: str = "compile") -> list[dict]:
        path = self.directory / "uv/calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in map(json.loads, lines) if call["command"] == command]

    def question(self, *lines: str, **more) -> dict:
        empty = dict.fromkeys(("constraints", "overrides", "excludes", "options", "formats", "indexes", "export", "extras", "groups", "directories", "optional", "known", "bound"))
        question = empty | {"pylock": "", "directory": "", "refresh": False, "locked": False}
        question |= {key: {} for key in ("build_requires", "hashes", "trees", "before", "image", "builder")}
        question["requirements"] = [{"name": backend.normal(line.split(" @ ")[0].split("=")[0]), "line": line} for line in lines]
        return question | more

    def answer(self, *lines: str, **more) -> dict:
        shutil.rmtree(self.directory / "work/sources", ignore_errors=True)  # of another exec
        return resolve.Resolver(self.question(*lines, **more)).answer()

    def problem(self, *lines: str, **more) -> backend.Problem:
        with self.assertRaises(backend.Problem) as raised:
            self.answer(*lines, **more)
        return raised.exception

    def tree(self, name: str, pyproject: str, **files: str) -> Path:
        for file, text in files.items():
            self.write(f"{name}/{file}.py", text)
        return self.write(f"{name}/pyproject.toml", pyproject).parent

    def own_backend(self, name: str, *needs: str, asks: str = "", version: str = "1.0", requires: str = "[]") -> Path:
        """Makes a tree with its own backend, which must be asked for everything."""
        metadata = f"Name: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {need}\n" for need in needs)
        hook = f"def get_requires_for_build_wheel(settings=None):\n    return {asks}\n" if asks else ""
        return self.tree(name, f'[build-system]\nrequires = {requires}\nbuild-backend = "maker"\nbackend-path = ["."]\n', maker=BACKEND % metadata + hook)

    def sdist(self, name: str, *needs: str, version: str = "1.0", **more: str) -> dict:
        """Returns the entry of an sdist that is made from such a tree."""
        self.own_backend(f"sdists/{name}", *needs, version=version, **more)
        return {"name": name, "version": version, "sdist": {"url": self.packed(name, version).as_uri(), "hashes": {"sha256": f"of {name} {version}"}}}

    def packed(self, name: str, version: str = "1.0") -> Path:
        path = self.directory / f"sdists/{name}-{version}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(self.directory / "sdists" / name, f"{name}-{version}")
        return path

    def archive(self, *members: tarfile.TarInfo, **content: bytes) -> Path:
        path = self.directory / "archive.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for member in members:
                data = content.get(member.name.replace("/", "_").replace(".", "_"), b"x" if member.isreg() else b"")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644, uid: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.uid, info.gid = kind, link, mode, uid, uid
    return info

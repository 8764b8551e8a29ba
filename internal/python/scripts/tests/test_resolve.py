import contextlib
import hashlib
import io
import json
import os
import pathlib
import unittest

from world import WithServer, sdist, wheel

import resolve
import router
import runpip
import sdist as sdists
import web

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BACKEND = {
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": """import os
def get_requires_for_build_wheel(config=None):
    return ["tool>=1"] if os.path.exists("asks") else []
def prepare_metadata_for_build_wheel(folder, config=None):
    os.mkdir(folder + "/NAME-1.0.dist-info")
    with open(folder + "/NAME-1.0.dist-info/METADATA", "w") as file:
        file.write("Metadata-Version: 2.1\\nName: NAME\\nVersion: 1.0\\n")
    return "NAME-1.0.dist-info"
def build_wheel(*_): pass
""",
}


def backend(name: str) -> dict[str, str]:
    return {path: text.replace("NAME", name) for path, text in BACKEND.items()}


class WithQuestion(WithServer):
    def setUp(self) -> None:
        super().setUp()
        for name in "PROJECT", "TREES", "SDISTS", "ENVIRONMENTS":
            self.replace(resolve, name, os.path.join(self.folder, name.lower()) + "/")
        os.mkdir(resolve.PROJECT)
        log = contextlib.redirect_stdout(io.StringIO())
        self.log = log.__enter__()
        self.addCleanup(log.__exit__, None, None, None)

    def question(self, *lines: str, **more: object) -> dict:
        return {
            "requirements": [{"name": router.normal(line.split("=")[0].split(" ")[0]), "line": line} for line in lines], "constraints": [], "options": [],
            "indexes": [{"name": "own", "url": self.server.url + "/simple", "packages": []}], "links": [], "pylock": "", "build_requires": {}, "sources": {},
            "optional": [], "collisions": [], "prune": [], "git": [], **more,
        }  # fmt: skip

    def tree(self, name: str, number: int, files: dict[str, str], below: str = "") -> dict:
        for path, text in files.items():
            at = pathlib.Path(self.folder, "git", str(number), below, path)
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(text)
        url = f"git+https://g.example/{name}.git@{COMMIT}" + (f"#subdirectory={below}" if below else "")
        return {"name": name, "url": url, "path": f"{self.folder}/git/{number}", "subdirectory": below}


class OptionalTest(WithQuestion):
    """What pip can resolve is made up: which requirements do not fit, and why."""

    def pip(self, bad: dict[str, web.Fault], together: tuple[str, ...] = ()) -> None:
        self.asked: list[list[str]] = []

        def resolved(lines: list[str], *_: object) -> list[dict]:
            self.asked.append(lines)
            for line in lines:
                if line in bad:
                    raise bad[line]
            if together and set(together) <= set(lines):
                raise web.Fault("usage", "no\nthey conflict")
            return [self.entry(line) for line in lines]

        self.replace(runpip, "resolve", resolved)

    def entry(self, name: str, ending: str = "-1.0-py3-none-any.whl") -> dict:
        data = wheel(name)[1]
        url = self.server.put(f"/files/{name}{ending}", data)
        return {"download_info": {"url": url, "archive_info": {"hash": f"sha256={hashlib.sha256(data).hexdigest()}"}}, "metadata": {"name": name, "version": "1.0"}}

    def answer(self, *lines: str, optional: list[str]) -> tuple[list[str], dict[str, str]]:
        answer = resolve.Resolver(self.question(*lines, optional=optional)).answer()
        return [d["name"] for d in answer["distributions"]], {o["requirement"]: o["reason"] for o in answer["omitted"]}

    def usage(self, message: str) -> web.Fault:
        return web.Fault("usage", message)

    def test_all_fits_at_once(self) -> None:
        self.pip({})
        self.assertEqual(self.answer("a", "b", optional=["b"]), (["a", "b"], {}))
        self.assertEqual(len(self.asked), 1)

    def test_what_does_not_fit_is_left_out_with_its_reason(self) -> None:
        self.pip({"b": self.usage("much\nno b\n"), "d": self.usage("no d")})
        self.assertEqual(self.answer("a", "b", "c", "d", optional=["b", "c", "d"]), (["a", "c"], {"b": "no b", "d": "no d"}))

    def test_the_first_of_two_that_conflict_stays(self) -> None:
        self.pip({}, together=("b", "c"))
        self.assertEqual(self.answer("a", "b", "c", optional=["c", "b"]), (["a", "c"], {"b": "they conflict"}))

    def test_others_are_not_optional(self) -> None:
        self.pip({"a": self.usage("no a")})
        self.assertEqual(self.fault(lambda: self.answer("a", "b", optional=["b"])).message, "no a")

    def test_trouble_that_passes_leaves_nothing_out(self) -> None:
        passing = web.Fault("transient", "down")
        self.pip({"b": passing})
        self.assertIs(self.fault(lambda: self.answer("a", "b", optional=["b"])), passing)
        self.pip({"c": self.usage("no c"), "b": passing})
        self.assertIs(self.fault(lambda: self.answer("a", "c", "b", optional=["c", "b"])), passing)

    def builds(self, fault: web.Fault) -> None:
        """Resolves x, and what needs it, to an sdist that can not be built."""
        self.pip({})
        made = runpip.resolve

        def resolved(lines: list[str], *_: object) -> list[dict]:
            source = [self.entry("x", "-1.0.tar.gz")] if set(lines) & {"x", "needsx"} else []
            return [*made([line for line in lines if line != "x"]), *source]

        def broken(*_: object) -> str:
            raise fault

        self.replace(runpip, "resolve", resolved)
        self.replace(resolve, "tree_of", broken)

    def test_what_can_not_be_built_is_left_out(self) -> None:
        self.builds(self.usage("much\nx does not build"))
        self.assertEqual(self.answer("a", "x", optional=["x"]), (["a"], {"x": "x does not build"}))
        self.assertEqual(self.fault(lambda: self.answer("a", "x", optional=["a"])).message, "much\nx does not build")

    def test_what_others_need_can_not_be_left_out(self) -> None:
        """Leaving it out changes nothing: this once went round for ever."""
        self.builds(self.usage("x does not build"))
        self.assertEqual(self.fault(lambda: self.answer("needsx", optional=["x"])).message, "x does not build")

    def test_a_build_that_fails_for_a_moment(self) -> None:
        self.builds(web.Fault("transient", "down"))
        self.assertEqual(self.fault(lambda: self.answer("a", "x", optional=["x"])).kind, "transient")


class CauseTest(WithQuestion):
    def cause(self, message: str, **found: object) -> web.Fault:
        indexes = router.Router({"indexes": [], "links": [], "build_requires": {}})
        self.addCleanup(indexes.close)
        for name, value in found.items():
            setattr(indexes, name, value)
        return resolve.first_cause(indexes, web.Fault("usage", message))

    NONE = "Could not find a version that satisfies the requirement A_b>=1 (from versions: none)\nNo matching distribution found for A_b>=1"

    def test_an_index_that_fails_comes_first(self) -> None:
        fault = web.Fault("transient", "down")
        self.assertIs(self.cause(self.NONE, faults=[fault, web.Fault("usage", "x")]), fault)

    def test_files_for_others_are_named(self) -> None:
        files = [f"a_b-{i}-cp39-cp39-win_amd64.whl" for i in range(5)]
        self.assertEqual(self.cause(self.NONE, seen={"a": ["x"], "a-b": files}).message.splitlines()[2],
                         "a-b: the index has 5 files, none for this Python and platform: " + ", ".join(files[2:]))
        self.assertEqual(self.cause(self.NONE, seen={"a": ["x"], "a-b": []}).message, self.NONE)
        some = self.NONE.replace("none)", "0.1)")
        self.assertEqual(self.cause(some, seen={"a-b": files}).message, some)

    def test_an_index_that_may_have_refused_it(self) -> None:
        doubt = web.Fault("usage", "index own: (403)", "log in")
        told = self.cause(self.NONE, doubts={"a-b": doubt}, seen={"a-b": ["x"]})
        self.assertEqual((told.message, told.hint), (self.NONE + "\nindex own: (403)", "log in"))
        self.assertEqual(self.cause("The conflict is caused by:\n a", doubts={"a-b": doubt}).message, "The conflict is caused by:\n a")


class DamageTest(WithQuestion):
    """What pip says of an archive that it can not read is no more than where to look."""

    def test_who_asked_and_what_for(self) -> None:
        good = wheel("rightly")
        self.server.index(
            wheel("top", requires=["middle"]), wheel("middle", requires=["garbage"]), ("garbage-1.0-py3-none-any.whl", b"garbage"),
            ("wrongly-1.0-py3-none-any.whl", good[1]), ("rubbish-1.0.tar.gz", b"rubbish"),
        )  # fmt: skip
        for lines, file, says, asked in (
            (["wrongly", "top"], "wrongly-1.0-py3-none-any.whl", "its file name is of wrongly 1.0, and its METADATA is of rightly 1.0", "wrongly"),
            (["middle; python_version<'3'", "top"], "garbage-1.0-py3-none-any.whl", "it is not a wheel: File is not a zip file", "top"),
            ([f"rubbish @ {self.server.url}/files/rubbish-1.0.tar.gz"], "rubbish-1.0.tar.gz", "it is not a tar archive, or not the whole of one", ""),
        ):
            with self.subTest(file=file):
                told = self.fault(lambda: resolve.Resolver(self.question(*lines, optional=[])).answer())
                self.assertEqual((told.kind, told.message, told.lines), ("failure", f"{self.server.url}/files/{file}: {says}", [asked or lines[0]]))

    def test_archives_that_pip_names_by_their_names_alone(self) -> None:
        url = self.server.put("/files/a-1.0.zip", b"garbage")
        fault = web.Fault("failure", "pip failed")
        fault.file = "a-1.0.zip"
        indexes = router.Router(self.question())
        self.addCleanup(indexes.close)
        self.assertIs(resolve.first_cause(indexes, fault), fault)
        indexes.offers("a", [("a", {"filename": "a-1.0.zip", "url": url})])
        self.assertEqual(resolve.first_cause(indexes, fault).message, f"{url}: it is not a zip archive, or not the whole of one")

    def test_archives_of_the_project(self) -> None:
        pathlib.Path(resolve.PROJECT, "a-1.0.tar.gz").write_bytes(b"")
        for place in "./a-1.0.tar.gz", f"file://{resolve.PROJECT}a-1.0.tar.gz":
            self.assertEqual(resolve.damage(place).message, "./a-1.0.tar.gz: it is not a tar archive, or not the whole of one")

    def test_what_is_sound_or_a_folder(self) -> None:
        for name, data in sdist("a"), wheel("b"):
            self.assertIsNone(resolve.damage(self.server.put(f"/{name}", data)))
        self.assertIsNone(resolve.damage("sam2"))

    def test_names_that_no_file_can_have(self) -> None:
        self.assertIn("its name has 312 bytes", resolve.damage(f"https://f.example/{'a' * 300}-1.00.tar.gz").message)


class DistributionTest(WithQuestion):
    def lock(self, info: dict, git: list[dict] | None = None, indexes: router.Router | None = None) -> dict:
        if not indexes:
            indexes = router.Router({"indexes": [], "links": [], "build_requires": {}})
            self.addCleanup(indexes.close)
        d = resolve.distribution({"download_info": info, "metadata": {"name": "A.b", "version": "1.0"}}, indexes, git or [])
        self.assertEqual((d["name"], d["version"]), ("a-b", "1.0"))
        return {key: d[key] for key in ("url", "file", "sha256")}

    def test_archives(self) -> None:
        sha256 = "f" * 64
        for archive, want in ({"hash": f"sha256={sha256}"}, sha256), ({"hashes": {"sha256": sha256}}, sha256), ({"hash": "md5=00"}, ""), ({}, ""):
            self.assertEqual(self.lock({"url": "https://f.example/a%2Bb-1.0.whl#egg=x", "archive_info": archive}), {"url": "https://f.example/a%2Bb-1.0.whl", "file": "a+b-1.0.whl", "sha256": want})

    def test_files_of_the_project(self) -> None:
        d = self.lock({"url": f"file://{resolve.PROJECT}wheels/a-1.0%2Bcu1.whl", "archive_info": {}})
        self.assertEqual(d, {"url": "file:wheels/a-1.0+cu1.whl", "file": "a-1.0+cu1.whl", "sha256": ""})
        self.assertEqual(resolve.local(d["url"]), resolve.PROJECT + "wheels/a-1.0+cu1.whl")

    def test_trees(self) -> None:
        git = [self.tree("a-b", 0, {"x": ""}), self.tree("a-b", 1, {"x": ""}, "sub")]
        for tree in git:
            self.assertEqual(self.lock({"url": "file://" + resolve.source_of(tree), "dir_info": {}}, git), {"url": tree["url"], "file": "", "sha256": ""})

    def test_what_can_not_be_locked(self) -> None:
        url = "https://g.example/x.git"
        pinned = self.fault(lambda: self.lock({"url": url, "vcs_info": {"vcs": "git", "commit_id": COMMIT}}))
        self.assertEqual(pinned.hint, f'pin it in the requirements: "a-b @ git+{url}@{COMMIT}"')
        for info in {"url": "file:///x", "dir_info": {}}, {"url": "https://f.example/a.zip", "archive_info": {}, "subdirectory": "s"}:
            self.assertIn("only a whole archive can be locked", self.fault(lambda: self.lock(info)).message)


class TreesTest(WithQuestion):
    def test_copies_have_the_build_requirements_of_the_spec(self) -> None:
        git = [self.tree("a", 0, backend("a"), "sub"), self.tree("b", 1, backend("b"))]
        resolve.trees(git, {"a": ["numpy"]})
        self.assertEqual([sdists.requires(resolve.source_of(tree)) for tree in git], [["numpy"], []])
        self.assertEqual(pathlib.Path(self.folder, "git", "0", "sub", "pyproject.toml").read_text(), BACKEND["pyproject.toml"])

    def test_a_project_may_have_two(self) -> None:
        git = [self.tree("a", 0, {"x": ""}), self.tree("a", 1, {"y": ""})]
        resolve.trees(git, {})
        self.assertEqual([os.listdir(resolve.source_of(tree)) for tree in git], [["x"], ["y"]])

    def test_a_folder_that_is_not_there(self) -> None:
        tree = {**self.tree("a", 0, {"x": ""}), "subdirectory": "gone"}
        self.assertIn("the tree has no such folder", self.fault(lambda: resolve.trees([tree], {})).message)


class MainTest(WithQuestion):
    def main(self, question: dict) -> dict:
        paths = [os.path.join(self.folder, name) for name in ("question.json", "answer.json")]
        pathlib.Path(paths[0]).write_text(json.dumps(question))
        resolve.main(*paths)
        return json.loads(pathlib.Path(paths[1]).read_text())

    def test_every_kind_by_a_real_pip(self) -> None:
        local, data = wheel("here", "1.0+cu1")
        pathlib.Path(resolve.PROJECT, local).write_bytes(data)
        source = sdist("source", files={**backend("source"), "asks": ""})
        direct = {name: self.server.put("/elsewhere/" + name, data) for name, data in (wheel("direct"), wheel("nameless"), sdist("built", files=backend("built")))}
        self.server.index(wheel("alpha", requires=["beta"]), wheel("beta"), wheel("tool"), source)
        linked, content = wheel("linked", "2.0+cu1")
        os.mkdir(resolve.PROJECT + "wheels")
        pathlib.Path(resolve.PROJECT, "wheels", linked).write_bytes(content)
        tree = self.tree("tree", 0, backend("tree"), "below")
        answer = self.main(self.question(
            "alpha", "linked", *(f"{name.split('-')[0]} @ {url}" if name[0] == "d" else url for name, url in direct.items()), f"here @ file://{resolve.PROJECT}{local}", "source==1.0", f"tree @ file://{resolve.source_of(tree)}", git=[tree], build_requires={"tree": ["tool"]},
            links=[resolve.PROJECT + "wheels"],
        ))  # fmt: skip
        self.assertNotIn("fault", answer)
        got = {d["name"]: (d["version"], d["file"], d["url"].replace(self.server.url, "URL")) for d in answer["distributions"]}
        self.assertEqual(got, {
            "alpha": ("1.0", "alpha-1.0-py3-none-any.whl", "URL/files/alpha-1.0-py3-none-any.whl"),
            "beta": ("1.0", "beta-1.0-py3-none-any.whl", "URL/files/beta-1.0-py3-none-any.whl"),
            **{name.split("-")[0]: ("1.0", name, "URL/elsewhere/" + name) for name in direct},
            "here": ("1.0+cu1", local, "file:" + local),
            "linked": ("2.0+cu1", linked, "file:wheels/" + linked),
            "source": ("1.0", "source-1.0.tar.gz", "URL/files/source-1.0.tar.gz"),
            "tree": ("1.0", "", tree["url"]),
        })  # fmt: skip
        self.assertEqual({name: [d["name"] for d in dists] for name, dists in answer["builds"].items()}, {"source": ["tool"], "tree": ["tool"], "built": []})
        self.assertNotRegex(json.dumps(answer), "entries|lines")
        self.assertNotRegex(self.log.getvalue(), "/index/0|lines-r|" + self.folder)

    def test_a_fault_is_an_answer(self) -> None:
        self.server.put("/simple/a/", faults=[403], always=True)
        fault = self.main(self.question("a"))["fault"]
        self.assertEqual((fault["kind"], fault["hint"]), ("usage", "put a login for 127.0.0.1 into ~/.netrc"))
        self.assertIn("index own: ", fault["message"])
        self.assertEqual(fault["lines"], ["a"])

    def test_an_altered_line_is_told_as_it_was(self) -> None:
        self.server.index(sdist("a", files=backend("a")))
        url = self.server.put("/f/a-2.0.tar.gz", sdist("a", files=backend("a"))[1])
        line = f"a @ {url}"
        fault = self.main(self.question(line, "a==1.0", constraints=["c<2"], build_requires={"a": ["tool"]}))["fault"]
        self.assertEqual(fault["lines"], [line, "a==1.0"], fault)

    def test_an_altered_sdist_keeps_its_hash(self) -> None:
        name, data = sdist("a", files=backend("a"))
        self.server.index((name, data), wheel("tool"))
        sha256 = hashlib.sha256(data).hexdigest()
        answer = self.main(self.question(f"a==1.0 --hash=sha256:{sha256}", build_requires={"a": ["tool"]}))
        self.assertEqual([(d["sha256"], d["size"]) for d in answer["distributions"]], [(sha256, len(data))], answer)
        self.assertEqual([d["name"] for d in answer["builds"]["a"]], ["tool"])

    def test_a_pylock(self) -> None:
        name, data = wheel("a")
        url = self.server.put("/" + name, data)
        text = f'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1.0"\nwheels = [{{ url = "{url}", hashes = {{ sha256 = "%s" }} }}]\n'
        path = pathlib.Path(resolve.PROJECT, "pylock.toml")
        path.write_text(text % hashlib.sha256(data).hexdigest())
        self.assertEqual([(d["name"], d["size"]) for d in self.main(self.question(pylock="pylock.toml"))["distributions"]], [("a", len(data))])
        path.write_text(text % "")
        self.assertEqual(self.main(self.question(pylock="pylock.toml"))["fault"]["kind"], "usage")


if __name__ == "__main__":
    unittest.main()

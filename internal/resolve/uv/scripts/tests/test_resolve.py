import json
import unittest
from pathlib import Path

from world import World, error, pylock, wheel

import resolve


def titles(dists: list[dict]) -> list[str]:
    return [f"{d['name']} {d['version']}" for d in dists]


class CompileTest(World):
    def test_what_uv_is_asked(self) -> None:
        self.uv(compile=[pylock(wheel("a"))])
        found = self.answer(
            "a<2", "b @ https://f.example/b.whl", constraints=["c<3"], overrides=["d==1"], excludes=["e"], options=["--index-strategy", "first-index"],
            formats=["--no-binary", "f"], indexes=["--default-index", "https://i.example"],
        )
        self.assertEqual(titles(found["distributions"]), ["a 1.0"])
        (call,) = self.calls()
        self.assertEqual(call["requirements.txt"], "a<2\nb @ https://f.example/b.whl\n")
        self.assertEqual([call["constraints.txt"], call["overrides.txt"], call["excludes.txt"]], ["c<3\n", "d==1\n", "e\n"])
        self.assertIsNone(call["pylock.toml"])
        self.assertEqual(call["uv.toml"], "")
        text = " ".join(call["args"])
        for words in [
            "pip compile --format pylock.toml --generate-hashes -o pylock.toml ", "--config-file uv.toml --default-index https://i.example",
            "--index-strategy first-index", "--no-binary f", "--constraints constraints.txt", "--overrides overrides.txt", "--excludes excludes.txt",
        ]:
            self.assertIn(words, text)
        self.assertNotIn("--refresh", text)

    def test_nothing_is_asked_for_nothing(self) -> None:
        self.assertEqual(self.answer(), {"distributions": [], "builds": {}, "omitted": [], "notes": []})

    def test_without_uv_an_index_is_a_problem_of_its_own(self) -> None:
        question = self.write("question.json", json.dumps(self.question("a")))
        resolve.main(str(question), str(self.directory / "answer.json"))
        found = json.loads((self.directory / "answer.json").read_text())
        self.assertEqual(found["problem"], {"message": "an index is needed", "project": "", "module": "", "offline": True})

    def test_problems_are_answers(self) -> None:
        self.uv(compile=[error("Using Python\nerror: No solution found\n  cause: a is too old"), error("error: No solution found\n  cause: a is too old")])
        question = self.write("question.json", json.dumps(self.question("a")))
        resolve.main(str(question), str(self.directory / "answer.json"))
        found = json.loads((self.directory / "answer.json").read_text())
        self.assertEqual(found["problem"], {"message": "No solution found\n  cause: a is too old", "project": "", "module": "", "offline": False})

    def test_uv_that_says_nothing(self) -> None:
        self.uv(compile=[error(""), error("")])
        self.assertEqual(str(self.problem("a")), "uv exited with status 1")

    def test_indexes_are_asked_anew_once_after_a_failure(self) -> None:
        self.uv(compile=[error("error: No solution found"), pylock(wheel("a"))])
        self.assertEqual(titles(self.answer("a")["distributions"]), ["a 1.0"])
        self.assertEqual([("--refresh" in call["args"]) for call in self.calls()], [False, True])

    def test_indexes_are_asked_anew_where_it_is_wanted(self) -> None:
        self.uv(compile=[error("error: No solution found")])
        self.assertEqual(str(self.problem("a", refresh=True)), "No solution found")
        self.assertEqual([("--refresh" in call["args"]) for call in self.calls()], [True])

    def test_versions_before_are_preferred_each_time(self) -> None:
        before = 'lock-version = "1.0"\n'
        self.uv(compile=[error("error: No solution found"), pylock(wheel("a"))])
        self.answer("a", before={"": before})
        self.assertEqual([call["pylock.toml"] for call in self.calls()], [before + "\n"] * 2)

    def test_warnings_about_packages_are_noted(self) -> None:
        self.uv(compile=[pylock(wheel("a")) | {"stderr": "warning: The package `a` has no extra x\nwarning: other\nResolved 1 package"}])
        self.assertEqual(self.answer("a")["notes"], ["The package `a` has no extra x"])


class ChoiceTest(World):
    def chosen(self, *files: str, **more) -> str:
        entry = {"name": "a", "version": "1.0", "wheels": [{"url": f"https://f.example/{file}", "hashes": {}} for file in files], **more}
        self.uv(compile=[pylock(entry)] * 2)
        found = resolve.Resolver(self.question("a"))
        # As on the image: a stable order of tags, whatever runs the tests.
        found.order = {tag: at for at, tag in enumerate([*resolve.parse_tag("cp311-cp311-manylinux_2_36_x86_64"), *resolve.parse_tag("cp311-abi3-manylinux_2_17_x86_64"), *resolve.parse_tag("py3-none-any")])}
        (dist,) = found.answer()["distributions"]
        return dist["file"]

    def test_the_best_tag_wins(self) -> None:
        own, stable, any_ = "a-1.0-cp311-cp311-manylinux_2_36_x86_64.whl", "a-1.0-cp311-abi3-manylinux_2_17_x86_64.whl", "a-1.0-py2.py3-none-any.whl"
        other = "a-1.0-cp312-cp312-manylinux_2_36_x86_64.whl"
        self.assertEqual(self.chosen(any_, stable, other, own), own)
        self.assertEqual(self.chosen(any_, other, stable), stable)
        self.assertEqual(self.chosen(other, any_), any_)
        self.assertEqual(self.chosen("a-1.0-cp310.cp311-abi3-manylinux_2_12_x86_64.manylinux_2_17_x86_64.whl", any_), "a-1.0-cp310.cp311-abi3-manylinux_2_12_x86_64.manylinux_2_17_x86_64.whl")

    def test_what_its_line_has_a_hash_of_wins(self) -> None:
        any_, own = "a-1.0-py3-none-any.whl", "a-1.0-cp311-cp311-manylinux_2_36_x86_64.whl"
        entry = {"name": "a", "version": "1.0", "wheels": [{"url": f"https://f.example/{file}", "hashes": {"sha256": file, "md5": file}} for file in (any_, own, "a-1.0-cp27-cp27m-win32.whl")], "sdist": {"url": "https://f.example/a-1.0.tar.gz", "hashes": {"sha512": "sdist"}}}
        for hashes, want in [([], own), (["sha256:none"], own), ([f"md5:{any_}"], any_), ([f"sha256:{any_}", f"sha256:{own}"], own), (["sha512:sdist"], "a-1.0.tar.gz"), (["sha256:a-1.0-cp27-cp27m-win32.whl"], own)]:
            self.uv(compile=[pylock(entry)])
            found = resolve.Resolver(self.question("a", hashes={"a": hashes}, known=["https://f.example/a-1.0.tar.gz"]))
            found.order = {tag: at for at, tag in enumerate([*resolve.parse_tag("cp311-cp311-manylinux_2_36_x86_64"), *resolve.parse_tag("py3-none-any")])}
            (dist,) = found.answer()["distributions"]
            self.assertEqual(dist["file"], want)

    def test_of_equal_tags_the_highest_build_wins(self) -> None:
        builds = ["a-1.0-py3-none-any.whl", "a-1.0-2-py3-none-any.whl", "a-1.0-10-py3-none-any.whl", "a-1.0-10b-py3-none-any.whl", "a-1.0-10a-py3-none-any.whl", "a-1.0-0-py3-none-any.whl"]
        self.assertEqual(self.chosen(*builds), "a-1.0-10b-py3-none-any.whl")
        self.assertEqual(self.chosen(*builds[:3]), "a-1.0-10-py3-none-any.whl")
        self.assertEqual(self.chosen(*builds[:2]), "a-1.0-2-py3-none-any.whl")
        self.assertEqual(self.chosen(builds[0], builds[5]), "a-1.0-0-py3-none-any.whl")

    def test_names_that_no_wheel_has_fit_nowhere(self) -> None:
        for sloppy in ("a.whl", "a-1.0.whl", "any.whl", "a-1.0-py3-none.whl", "a-1.0-1-x-py3-none-any.whl"):
            with self.subTest(sloppy):
                self.assertEqual(self.chosen(sloppy, "a-1.0-py3-none-any.whl"), "a-1.0-py3-none-any.whl")

    def test_an_sdist_where_no_wheel_fits(self) -> None:
        entry = self.sdist("a")
        self.uv(compile=[pylock(entry | {"wheels": [{"url": "https://f.example/a-1.0-cp27-cp27m-win32.whl", "hashes": {}}]})])
        (dist,) = self.answer("a")["distributions"]
        self.assertEqual((dist["kind"], dist["file"], dist["id"]), ("sdist", "a-1.0.tar.gz", "of a 1.0"))

    def test_nothing_fits(self) -> None:
        self.uv(compile=[pylock({"name": "A_b", "version": "1.0", "wheels": [{"url": "https://f.example/A_b-1.0-cp27-cp27m-win32.whl"}]})])
        problem = self.problem("a-b")
        self.assertEqual((str(problem), problem.project), ("a-b 1.0: no wheel fits this Python and platform, and there is no sdist", "a-b"))

    def test_what_is_told_of_files(self) -> None:
        self.uv(compile=[pylock(
            {"name": "A.b", "version": "1.0", "index": "https://i.example", "wheels": [{"name": "a_b-1.0-py3-none-any.whl", "url": "https://f.example/x%2By", "size": 7, "hashes": {"sha256": "s"}}]},
            {"name": "d", "version": "1.0", "archive": {"url": "https://f.example/d.zip", "subdirectory": "py/", "hashes": {"sha256": "u"}}},
            {"name": "c", "archive": {"path": "../project/my wheels/c-1.0-py3-none-any.whl", "hashes": {"sha256": "t"}}},
        )])
        one, below, two = self.answer("a-b", "c", known=["u#py"])["distributions"]
        self.assertEqual((below["url"], below["below"], below["id"]), ("https://f.example/d.zip", "py", "u#py"))
        self.assertEqual(one, {"name": "a-b", "version": "1.0", "kind": "wheel", "file": "a_b-1.0-py3-none-any.whl", "url": "https://f.example/x%2By", "size": 7, "hashes": {"sha256": "s"}, "index": "https://i.example", "below": "", "id": "s"})
        self.assertEqual((two["url"], two["file"], two["version"]), ((self.directory / "project/my wheels/c-1.0-py3-none-any.whl").as_uri(), "c-1.0-py3-none-any.whl", ""))

    def test_commits(self) -> None:
        resolver = resolve.Resolver(self.question())
        vcs = {"type": "git", "url": "https://g.example/r", "commit-id": "c" * 40}
        self.assertEqual(resolver.choice({"name": "r", "vcs": vcs}, Path("/"))["url"], "git+https://g.example/r@" + "c" * 40)
        self.assertEqual(resolver.choice({"name": "r", "vcs": {**vcs, "subdirectory": "x/y"}}, Path("/"))["id"], "git+https://g.example/r@" + "c" * 40 + "#subdirectory=x/y")

class OptionalTest(World):
    def test_what_does_not_fit_is_left_out(self) -> None:
        fails = error("error: No solution found\n  cause: there is no flash for this")
        # All, all again, without the optional ones, then with each one.
        self.uv(compile=[fails, fails, pylock(wheel("a")), fails, pylock(wheel("a"), wheel("c"))])
        found = self.answer("a", "flash", "c", optional=["flash", "c", "other"])
        self.assertEqual(titles(found["distributions"]), ["a 1.0", "c 1.0"])
        self.assertEqual(found["omitted"], [{"requirement": "flash", "reason": "there is no flash for this"}])
        self.assertEqual([call["requirements.txt"].split() for call in self.calls()], [["a", "flash", "c"], ["a", "flash", "c"], ["a"], ["a", "flash"], ["a", "c"]])

    def test_where_the_rest_fails_the_first_problem_is_told(self) -> None:
        self.uv(compile=[error("error: all of it"), error("error: all of it"), error("error: the rest")])
        self.assertEqual(str(self.problem("a", "flash", optional=["flash"])), "all of it")

    def test_what_fits_is_no_matter(self) -> None:
        self.uv(compile=[pylock(wheel("a"), wheel("flash"))])
        self.assertEqual(self.answer("a", "flash", optional=["flash"])["omitted"], [])

    def test_a_build_that_fails(self) -> None:
        fails = error("error: there is no such thing")
        self.uv(compile=[pylock(wheel("a"), self.sdist("flash", requires='["nothing"]')), fails, fails])
        found = self.answer("a", "flash", optional=["flash"])
        self.assertEqual(titles(found["distributions"]), ["a 1.0"])
        self.assertEqual(found["omitted"], [{"requirement": "flash", "reason": "its build requirements (nothing): there is no such thing"}])

    def test_a_build_that_fails_and_is_needed(self) -> None:
        fails = error("error: there is no such thing")
        self.uv(compile=[pylock(self.sdist("flash", requires='["nothing"]')), fails, fails])
        problem = self.problem("flash")
        self.assertEqual((str(problem), problem.project), ("its build requirements (nothing): there is no such thing", "flash"))


class BuildsTest(World):
    def test_declared_and_asked_for(self) -> None:
        sdist = self.sdist("a", requires='["setuptools"]', asks='["numpy", "setuptools"]')
        self.uv(compile=[pylock(sdist), pylock(wheel("setuptools")), pylock(wheel("setuptools"), wheel("numpy"))], install=[{}, {}])
        found = self.answer("a", options=["--prerelease", "allow"], formats=["--no-binary", "x"], constraints=["x<2"], before={"": "own", "a": "of its build"})
        self.assertEqual({name: titles(dists) for name, dists in found["builds"].items()}, {"a": ["setuptools 1.0", "numpy 1.0"]})
        image, first, second = self.calls()
        self.assertEqual((first["requirements.txt"], second["requirements.txt"]), ("setuptools\n", "setuptools\nnumpy\n"))
        self.assertEqual((image["pylock.toml"], second["pylock.toml"]), ("own\n", "of its build\n"))
        self.assertIn("--only-binary :all: ", " ".join(second["args"]))
        for word in ("--no-binary", "--constraints"):
            self.assertIn(word, image["args"])
            self.assertNotIn(word, second["args"])
        self.assertIn("--prerelease", second["args"])
        install = self.calls("install")[0]["args"]
        self.assertIn("setuptools @ https://f.example/setuptools-1.0-py3-none-any.whl", install)
        for word in ("--no-deps", "--no-build", "--no-config"):
            self.assertIn(word, install)

    def test_known_ones_are_not_looked_at(self) -> None:
        self.uv(compile=[pylock(self.sdist("a"), self.sdist("b"))])
        found = self.answer("a", known=["of a 1.0"])
        self.assertEqual(found["builds"], {"b": []})

    def test_versions_of_archives_are_those_of_their_metadata(self) -> None:
        sdist = self.sdist("a", version="3.0")
        for known in ([], ["of a 3.0"]):
            self.uv(compile=[pylock({"name": "a", "archive": sdist["sdist"]})])
            self.assertEqual(titles(self.answer("a @ x", known=known)["distributions"]), ["a 3.0"])

    def test_a_module_that_is_missing(self) -> None:
        sdist = self.sdist("a", asks='__import__("nobody.declares")')
        self.uv(compile=[pylock(sdist)])
        problem = self.problem("a")
        self.assertEqual((problem.project, problem.module), ("a", "nobody"))

    def test_requirements_that_are_none(self) -> None:
        self.uv(compile=[pylock(self.sdist("a", requires='["x y"]'))])
        problem = self.problem("a")
        self.assertEqual((str(problem), problem.project), ("its build requires 'x y', which is not a valid requirement", "a"))


class ReplacedTest(World):
    """uv gets the metadata of projects that have build requirements in the spec."""

    def metadata(self) -> list[str]:
        return [call["uv.toml"] for call in self.calls() if "--only-binary" not in call["args"]]

    def test_metadata_is_learnt(self) -> None:
        sam = self.sdist("sam", "torch>=2")
        both = pylock(sam, wheel("torch"))
        self.uv(compile=[pylock(sam), pylock(wheel("setuptools")), both], install=[{}])
        found = self.answer("sam", build_requires={"sam": ["setuptools"]})
        self.assertEqual(titles(found["distributions"]), ["sam 1.0", "torch 1.0"])
        self.assertEqual(titles(found["builds"]["sam"]), ["setuptools 1.0"])
        self.assertEqual(self.metadata(), [
            '[[dependency-metadata]]\nname = "sam"\nrequires-dist = []\n\n',
            '[[dependency-metadata]]\nname = "sam"\nrequires-dist = []\n\n[[dependency-metadata]]\nname = "sam"\nversion = "1.0"\nrequires-dist = ["torch>=2"]\n\n',
        ])

    def test_of_an_address_the_version_is_wanted(self) -> None:
        sam = self.sdist("sam", "torch")
        self.uv(compile=[pylock(sam), pylock(sam, wheel("torch"))])
        self.answer("sam @ https://f.example/sam.tar.gz", build_requires={"sam": []})
        self.assertEqual(self.metadata(), [
            '[[dependency-metadata]]\nname = "sam"\nversion = "0"\nrequires-dist = []\n\n',
            '[[dependency-metadata]]\nname = "sam"\nversion = "1.0"\nrequires-dist = ["torch"]\n\n',
        ])

    def test_what_has_a_wheel_says_itself_what_it_needs(self) -> None:
        self.uv(compile=[pylock(wheel("sam")), pylock(wheel("sam"), wheel("torch"))])
        found = self.answer("sam", build_requires={"sam": ["setuptools"]})
        self.assertEqual(titles(found["distributions"]), ["sam 1.0", "torch 1.0"])
        self.assertEqual((found["builds"], self.metadata()[1]), ({}, ""))

    def test_another_version_is_asked_for_its_own(self) -> None:
        new, old = self.sdist("sam", "torch<2", version="2.0"), self.sdist("sam", "torch", version="1.0")
        self.uv(compile=[pylock(new), pylock(old, wheel("torch")), pylock(old, wheel("torch"))])
        found = self.answer("sam", build_requires={"sam": []})
        self.assertEqual(titles(found["distributions"]), ["sam 1.0", "torch 1.0"])
        self.assertIn('version = "1.0"\nrequires-dist = ["torch"]', self.metadata()[2])

    def test_what_changes_each_time_is_a_problem(self) -> None:
        two = [self.sdist("sam", "torch<2", version="2.0"), self.sdist("sam", "torch", version="1.0")]
        self.uv(compile=[pylock(two[i % 2]) for i in range(resolve.ROUNDS)])
        versions = iter(range(100))
        self.addCleanup(setattr, resolve.backend, "metadata", resolve.backend.metadata)
        resolve.backend.metadata = lambda *_: {"version": str(next(versions)), "requires": []}
        self.addCleanup(setattr, Path, "exists", Path.exists)
        real = Path.exists
        Path.exists = lambda path: "lamina" not in path.parts and real(path)  # nothing is cached
        self.assertEqual(str(self.problem("sam", build_requires={"sam": []})), "the requirements of sam change the choice of versions, which changes them again")

    def test_problems_name_the_project(self) -> None:
        sam = self.sdist("sam")
        (self.directory / "sdists/sam/maker.py").write_text("import nobody\n")
        self.uv(compile=[pylock(sam | {"sdist": {"url": self.packed("sam").as_uri()}})])
        problem = self.problem("sam", build_requires={"sam": []})
        self.assertEqual((problem.project, problem.module), ("sam", "nobody"))

    def test_metadata_is_kept(self) -> None:
        sam = self.sdist("sam", "torch")
        for _ in range(2):
            self.uv(compile=[pylock(sam), pylock(sam, wheel("torch"))])
            found = self.answer("sam", build_requires={"sam": []})
            self.assertEqual(titles(found["distributions"]), ["sam 1.0", "torch 1.0"])
            (self.directory / "sdists/sam-1.0.tar.gz").unlink(missing_ok=True)


class TreesTest(World):
    def test_what_debian_has_is_not_asked_for(self) -> None:
        tree = self.tree("trees/native", """
            [build-system]
            requires = ["setuptools>=60", "wheel"]
            build-backend = "maker"
            backend-path = ["."]
            [project]
            name = "native"
            dependencies = ["Pillow>=9", "numpy>=2", "six", "tomli; python_version < '3'", "requests[socks]"]
            """, maker="")
        self.uv(compile=[pylock(wheel("numpy", "2.0"))])
        found = self.answer(
            trees={"native": str(tree)}, builder={"setuptools": "66.1", "wheel": "0.38"},
            image={"pillow": "9.4.0", "numpy": "1.24", "six": "1.16.0rc1", "requests": "2.28"},
        )
        self.assertEqual((titles(found["distributions"]), found["builds"]), (["numpy 2.0"], {"native": []}))
        self.assertEqual(self.calls()[0]["requirements.txt"], "numpy>=2\nrequests[socks]\n")

    def test_odd_versions_meet_nothing(self) -> None:
        tree = self.tree("trees/native", '[build-system]\nrequires = []\nbuild-backend = "maker"\nbackend-path = ["."]\n[project]\nname = "native"\ndependencies = ["six>1"]\n', maker="")
        self.uv(compile=[pylock(wheel("six"))])
        self.assertEqual(titles(self.answer(trees={"native": str(tree)}, image={"six": "2.0+ds-unknown~1"})["distributions"]), ["six 1.0"])

    def test_all_is_there(self) -> None:
        tree = self.tree("trees/native", '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "maker"\nbackend-path = ["."]\n[project]\nname = "native"\n', maker="")
        self.assertEqual(self.answer(trees={"native": str(tree)}, builder={"setuptools": "66"})["builds"], {"native": []})  # without any uv

    def test_an_index_is_needed(self) -> None:
        tree = self.tree("trees/native", '[project]\nname = "native"\n')
        problem = self.problem(trees={"native": str(tree)}, builder={"setuptools": "39"})
        self.assertIsInstance(problem, resolve.Offline)

    def test_dynamic_dependencies_are_asked_of_the_backend(self) -> None:
        tree = self.own_backend("trees/native", "numpy", "six", asks='["setuptools", "cython"]')
        self.uv(compile=[pylock(wheel("cython")), pylock(wheel("numpy"))], install=[{}])
        found = self.answer(trees={"native": str(tree)}, builder={"setuptools": "66"}, image={"six": "1"})
        self.assertEqual((titles(found["distributions"]), titles(found["builds"]["native"])), (["numpy 1.0"], ["cython 1.0"]))

    def test_replaced_build_requirements(self) -> None:
        tree = self.tree("trees/native", '[build-system]\nrequires = ["torch"]\n[project]\nname = "native"\n')
        self.uv(compile=[pylock(wheel("pybind11"))])
        found = self.answer(trees={"native": str(tree)}, build_requires={"native": ["pybind11"]})
        self.assertEqual(titles(found["builds"]["native"]), ["pybind11 1.0"])

    def static(self, name: str, needs: str, more: str = "") -> str:
        return str(self.tree(f"trees/{name}", f'[build-system]\nrequires = []\nbuild-backend = "maker"\nbackend-path = ["."]\n[project]\nname = "{name}"\ndependencies = {needs}\n{more}', maker=""))

    def test_trees_need_each_other_and_no_index(self) -> None:
        trees = {
            "core": self.static("Lib.Core", '["lib_two[GPU,x]>=1", "lib-three", "six"]'), "two": self.static("lib-two", '["lib-core"]', 'optional-dependencies = { gpu = ["torch", "six"], no = ["never"] }\n'),
            "three": str(self.own_backend("lib-three", "lib-two[x]", "cupy; extra == 'y'")),
        }
        self.uv(compile=[pylock(wheel("six"), wheel("torch"))])
        self.answer("alpha", trees=trees, excludes=["e"])
        (call,) = self.calls()
        self.assertEqual((call["requirements.txt"], call["excludes.txt"]), ("alpha\nsix\ntorch\n", "e\nlib-core\nlib-three\nlib-two\n"))
        # A lock of the user doesn't need them, either.
        self.lock_of_six()
        self.uv(install=[{"stderr": " + six==1.0\n + torch==1.0\n"}])
        self.assertEqual(titles(self.answer(pylock="pylock.toml", directory=".", trees=trees)["distributions"]), ["six 1.0", "torch 1.0"])

    def lock_of_six(self) -> None:
        self.write("project/pylock.toml", pylock(wheel("six"), wheel("torch"))["text"])

    def test_sources_that_nobody_reads(self) -> None:
        tree = {"svc": self.static("svc", '["six", "torch; python_version < \'3\'"]', '[tool.uv.sources]\nSix = { git = "https://g.example/six" }\ntorch = { index = "x" }\n')}
        problem = self.problem(trees=tree)
        self.assertRegex(str(problem), "^\\[tool.uv.sources\\] of its pyproject.toml says where six comes from, .*\nhint: set project = ")
        self.assertEqual(problem.project, "svc")
        for question in ({"bound": ["six"]}, {"image": {"six": "1.0"}}):
            self.uv(compile=[pylock(wheel("six"))])
            self.answer(trees=tree, **question)
        self.uv(compile=[pylock(wheel("six"))])
        self.answer("six @ https://f.example/six-1.0-py3-none-any.whl", trees=tree)
        self.lock_of_six()
        self.uv(install=[{"stderr": " + six==1.0\n"}])
        self.answer(pylock="pylock.toml", directory=".", trees=tree)
        # A project without a lock is resolved with its own sources only.
        self.write("project/pyproject.toml", '[project]\nname = "other"\n')
        self.problem(pylock="uv.lock", directory=".", directories=["."], trees=tree)
        self.write("project/pyproject.toml", (self.directory / "trees/svc/pyproject.toml").read_text())
        self.uv(compile=[pylock(wheel("six"))], install=[{"stderr": " + six==1.0\n"}])
        self.answer(pylock="uv.lock", directory=".", directories=["."], trees=tree)

    def test_trees_that_are_built_with_what_no_index_shall_bring(self) -> None:
        two = self.static("two", "[]")
        for source, name in [("", "two"), ('[tool.uv.sources]\nx = { git = "https://g.example/x" }\n', "x")]:
            tree = self.tree("trees/one", f'[build-system]\nrequires = ["{name}"]\nbuild-backend = "maker"\nbackend-path = ["."]\n[project]\nname = "one"\n{source}', maker="")
            self.uv(compile=[pylock(wheel(name))] * 2, install=[{}] * 2)
            problem = self.problem(trees={"one": str(tree), "two": two})
            self.assertEqual((str(problem).partition("\n")[0], problem.project), (f"its build requires {name}, which must not come from an index", "one"))
            self.uv(compile=[pylock(wheel("cython"))], install=[{}])
            self.answer(trees={"one": str(tree), "two": two}, build_requires={"one": ["cython"]})

    def test_problems_name_the_tree(self) -> None:
        for text in ("[project", '[project]\nname = "a"\ndependencies = ["x y"]\n[build-system]\nrequires = []\nbuild-backend = "maker"\nbackend-path = ["."]\n'):
            tree = self.tree("trees/native", text, maker="")
            self.assertEqual(self.problem(trees={"native": str(tree)}).project, "native")


class LockTest(World):
    """uv selects what applies here from a user's own lock."""

    def lock(self, text: str, name: str = "pylock.toml") -> None:
        self.write(f"project/{name}", text)

    def test_only_what_applies(self) -> None:
        self.lock("""
            lock-version = "1.0"
            [[packages]]
            name = "Numpy"
            version = "1.26"
            wheels = [{ url = "https://f.example/numpy-1.26-py3-none-any.whl" }]
            [[packages]]
            name = "numpy"
            version = "2.0"
            wheels = [{ url = "https://f.example/numpy-2.0-py3-none-any.whl" }]
            [[packages]]
            name = "colorama"
            version = "0.4"
            marker = "sys_platform == 'win32'"
            [[packages]]
            name = "here"
            archive = { path = "wheels/here-1.0-py3-none-any.whl" }
            """)
        self.uv(install=[{"stderr": "Would install 2 packages\n + numpy==1.26\n + here==1.0 (from file:///x)\n"}])
        found = self.answer(pylock="pylock.toml", directory=".", extras=["gpu"], groups=["dev"])
        self.assertEqual(titles(found["distributions"]), ["numpy 1.26", "here "])
        self.assertEqual(found["distributions"][1]["url"], (self.directory / "project/wheels/here-1.0-py3-none-any.whl").as_uri())
        (call,) = self.calls("install")
        for words in ("--dry-run", f"-r {self.directory}/project/pylock.toml", "--extra gpu --group dev"):
            self.assertIn(words, " ".join(call["args"]))

    def test_versions_in_another_spelling(self) -> None:
        for told, entry in [("1.0", "1.0.0"), ("1.0", "v1.0"), ("1.0rc1+cu124", "1.0-rc.1+CU124")]:
            self.lock(pylock(wheel("a", entry))["text"])
            self.uv(install=[{"stderr": f" + a=={told}\n"}])
            self.assertEqual(titles(self.answer(pylock="pylock.toml", directory=".")["distributions"]), [f"a {told}"])

    def test_entries_of_one_version(self) -> None:
        mine = wheel("b")
        here, there = ({**wheel("a"), "marker": f"sys_platform == '{name}'", "index": f"https://{name}.example"} for name in ("linux", "win32"))
        self.lock(pylock(there, mine, here)["text"])
        self.uv(install=[{"stderr": told} for told in (" + a==1.0\n + b==1.0\n", " + b==1.0\n", " + a==1.0\n + b==1.0\n")])
        found = self.answer(pylock="pylock.toml", directory=".")["distributions"]
        self.assertEqual([(dist["name"], dist["index"]) for dist in found], [("b", ""), ("a", "https://linux.example")])
        locks = [resolve.tomllib.loads(call["lock"])["packages"] for call in self.calls("install")]
        self.assertEqual(locks, [[there, mine, here], [there, mine], [mine, here]])

    def test_extras_that_it_does_not_have(self) -> None:
        self.lock('extras = ["Fast"]\ndependency-groups = ["dev"]\n' + pylock(wheel("a"))["text"])
        self.uv(install=[{"stderr": " + a==1.0\n"}])
        found = self.answer(pylock="pylock.toml", directory=".", extras=["fast", "slow"], groups=["dev", "test"])
        self.assertEqual(found["notes"], ["pylock.toml has no extra slow", "pylock.toml has no group test"])

    def test_what_uv_installs_is_never_left_out(self) -> None:
        self.lock(pylock(wheel("a"), wheel("b"))["text"])
        self.uv(install=[{"stderr": " + a==2.0\n + b==1.0\n"}])
        problem = self.problem(pylock="pylock.toml", directory=".")
        self.assertEqual((str(problem), problem.project), ("pylock.toml: uv installs a 2.0, but no entry has that", "a"))

    DIRS = """
        lock-version = "1.0"
        created-by = "me \\"x\\""
        [[packages]]
        name = "six"
        version = "1.16"
        [[packages.wheels]]
        url = "https://f.example/six-1.16-py3-none-any.whl"
        upload-time = 2021-05-05T14:18:17Z
        hashes = { sha256 = "s" }
        [[packages]]
        name = "own"
        directory = { path = "own" }
        [[packages.attestation-identities]]
        kind = "x"
        [[packages]]
        name = "seven"
        version = "1.0"
        [[packages.wheels]]
        url = "https://f.example/seven-1.0-py3-none-any.whl"
        [tool.x]
        y = true
        """

    def test_directories_are_built_as_source_trees(self) -> None:
        self.lock(self.DIRS, "locks/pylock.toml")
        self.uv(install=[{"stderr": " + six==1.16\n + seven==1.0\n"}])
        found = self.answer(pylock="locks/pylock.toml", directory="locks", directories=["locks/own"])
        self.assertEqual(titles(found["distributions"]), ["six 1.16", "seven 1.0"])
        lock = resolve.tomllib.loads(self.calls("install")[0]["lock"])
        whole = resolve.tomllib.loads((self.directory / "project/locks/pylock.toml").read_text())
        del whole["packages"][1]
        self.assertEqual(lock, whole)

    def test_directories_that_nobody_builds(self) -> None:
        self.lock(self.DIRS, "locks/pylock.toml")
        others = " + six==1.16\n + seven==1.0\n"
        self.uv(install=[{"stderr": " + own==0\n" + others}, {"stderr": others}])
        where = {"pylock": "locks/pylock.toml", "directory": "locks", "directories": ["other"]}
        problem = self.problem(**where)
        self.assertEqual((str(problem), problem.project), ("own: it is the directory 'locks/own'", "own"))
        self.assertEqual(titles(self.answer(**where)["distributions"]), ["six 1.16", "seven 1.0"])  # it doesn't apply here
        (stand_in,) = (entry for entry in resolve.tomllib.loads(self.calls("install")[0]["lock"])["packages"] if entry["name"] == "own")
        self.assertEqual(stand_in["wheels"][0]["url"], "https://lamina.invalid/own-0-py3-none-any.whl")

    def test_the_spec_decides_over_a_lock(self) -> None:
        self.lock(self.DIRS)
        told = [{"stderr": " + six==1.16\n"}] * 3
        self.uv(install=told)
        where = {"pylock": "pylock.toml", "directory": ".", "excludes": ["seven", "own"]}
        self.write("trees/t/pyproject.toml", "[project]\nname = 't'\nversion = '1'\ndependencies = ['seven']\n")
        found = self.answer(**where, overrides=["six<2", "absent==3", "six==1.0; sys_platform == 'win32'"], trees={"t": str(self.directory / "trees/t")}, build_requires={"t": []})
        self.assertEqual(titles(found["distributions"]), ["six 1.16"])
        self.assertEqual([entry["name"] for entry in resolve.tomllib.loads(self.calls("install")[0]["lock"])["packages"]], ["six"])
        problem = self.problem(**where, overrides=["Six[x]<1"])
        self.assertEqual((str(problem), problem.project), ("overrides require Six[x]<1, but pylock.toml has 1.16", "six"))

    def test_overrides_of_what_a_lock_has_no_version_of(self) -> None:
        built, made = {"name": "built", "archive": self.sdist("built", version="3.0")["sdist"]}, wheel("made", "2.0")
        del made["version"]
        self.lock(pylock(built, made)["text"])
        where = {"pylock": "pylock.toml", "directory": "."}
        told = {"install": [{"stderr": " + built==3.0\n + made==2.0\n"}]}
        self.uv(**told)
        self.assertEqual(titles(self.answer(**where, overrides=["built>2", "made==2"])["distributions"]), ["built 3.0", "made "])
        for override, want in (("built<3", "3.0"), ("made<2", "2.0")):
            self.uv(**told)
            self.assertEqual(str(self.problem(**where, overrides=[override])), f"overrides require {override}, but pylock.toml has {want}")

    def test_a_lock_that_is_none(self) -> None:
        for text in ("[[packages", "packages = 3", "[[packages]]\ndirectory = { path = 'x' }", 'packages = [{name = "a", directory = "x"}]', 'packages = [{name = "a", directory = {path = 1}}]', 'packages = ["directory"]'):
            self.lock(text)
            self.assertRegex(str(self.problem(pylock="pylock.toml", directory=".")), "^pylock.toml: ")

    def test_a_project(self) -> None:
        self.lock("", "api/pyproject.toml")
        self.lock("", "api/uv.lock")
        export = pylock(wheel("six", "1.16"), {"name": "a", "archive": {"path": "../wheels/a-1.0-py3-none-any.whl"}}, {"name": "own", "directory": {"path": "."}})
        self.uv(export=[export], install=[{"stderr": " + six==1.16\n + a==1.0\n"}])
        found = self.answer(pylock="uv.lock", locked=True, directory="api", directories=["api"], extras=["gpu"], groups=["dev"], export=["--default-index", "https://i.example"])
        self.assertEqual(titles(found["distributions"]), ["six 1.16", "a "])
        self.assertEqual(found["distributions"][1]["url"], (self.directory / "project/wheels/a-1.0-py3-none-any.whl").as_uri())
        text = " ".join(self.calls("export")[0]["args"])
        project = self.directory / "work" / "project" / "api"
        for words in (f"--project {project} ", "--locked", "--extra gpu --group dev", "--no-default-groups", "--no-emit-project", "--default-index https://i.example"):
            self.assertIn(words, text)
        self.assertNotIn("--extra", self.calls("install")[0]["args"])
        self.assertEqual(sorted(path.name for path in (self.directory / "project/api").iterdir()), ["pyproject.toml", "uv.lock"])

    def test_directories_that_a_project_takes_for_indexes(self) -> None:
        self.lock("", "pyproject.toml")
        copied = (self.directory / "work/project/wheels").as_uri()
        entry = {"name": "own", "version": "1.0", "index": copied, "wheels": [{"url": copied + "/own-1.0-py3-none-any.whl", "hashes": {"sha256": "s"}}]}
        self.uv(export=[pylock(entry)], install=[{"stderr": " + own==1.0\n"}])
        (dist,) = self.answer(pylock="uv.lock", directory=".")["distributions"]
        self.assertEqual((dist["index"], dist["url"]), ("", (self.directory / "project/wheels/own-1.0-py3-none-any.whl").as_uri()))

    def test_a_project_without_a_lock(self) -> None:
        self.lock('[project]\nname = "api"\ndynamic = ["version"]\ndependencies = ["six"]\n', "api/pyproject.toml")
        tree = self.tree("trees/svc", '[build-system]\nrequires = []\nbuild-backend = "maker"\nbackend-path = ["."]\n[project]\nname = "svc"\ndependencies = ["numpy"]\n', maker="")
        self.uv(compile=[error("error: No solution found"), pylock(wheel("six", "1.16"), wheel("numpy"))], install=[{"stderr": " + six==1.16\n + numpy==1.0\n"}])
        found = self.answer(
            pylock="uv.lock", directory="api", extras=["gpu"], groups=["dev"], export=["--index", "https://i.example"], before={"": "pins"}, overrides=["o"], excludes=["e"],
            options=["--index-strategy", "unsafe-best-match"], trees={"svc": str(tree)},
        )
        self.assertEqual(titles(found["distributions"]), ["six 1.16", "numpy 1.0"])
        project = self.directory / "work/project/api"
        for call in self.calls():
            text = " ".join(call["args"])
            for words in (
                f"-o {project}/pylock.toml", f"--project {project} --index https://i.example --extra gpu --group dev", "--index-strategy unsafe-best-match",
                "--overrides overrides.txt", "--excludes excludes.txt", f"{project}/pyproject.toml requirements.txt",
            ):
                self.assertIn(words, text)
            self.assertNotIn("--config-file", text)  # the project's own settings of uv apply
            self.assertEqual((call["requirements.txt"], call["before"]), ("numpy\n", "pins\n"))

    def test_a_workspace_without_a_lock(self) -> None:
        self.lock("[tool.uv.workspace]\nmembers = []\n", "pyproject.toml")
        self.uv(export=[pylock()], install=[{}])
        self.assertEqual(self.answer(pylock="uv.lock", directory=".")["distributions"], [])
        self.assertNotIn("--locked", self.calls("export")[0]["args"])

    def test_a_lock_of_what_is_dynamic(self) -> None:
        self.lock('[project]\nname = "api"\ndynamic = ["dependencies"]\n', "pyproject.toml")
        self.lock("", "uv.lock")
        self.uv(export=[pylock()], install=[{}])
        self.assertIn("dynamic", self.answer(pylock="uv.lock", locked=True, directory=".")["notes"][0])
        self.assertIn("--frozen", self.calls("export")[0]["args"])


class WordsTest(unittest.TestCase):
    def test_reasons_are_one_line(self) -> None:
        self.assertEqual(resolve.reason(resolve.Problem("a\n  cause: b")), "b")

    def test_what_uv_tells(self) -> None:
        for text, want in [("error: no", "no"), ("Using x\n  × no\n  ╰─▶ why\n", "× no\n  ╰─▶ why"), ("odd\n", "odd"), ("", "")]:
            self.assertEqual(resolve.told(text), want)

    def test_toml_comes_back(self) -> None:
        value = {"a": ["x", 1, True, 1.5], "b c": {"d": "\"\\\n\u00e4\U0001f600"}, "e": resolve.tomllib.loads("e = 2021-05-05T14:18:17Z\nf = 2021-05-05\ng = 01:02:03")}
        self.assertEqual(resolve.tomllib.loads("x = " + resolve.toml(value))["x"], value)


if __name__ == "__main__":
    unittest.main()

import os
import shutil
import subprocess
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from world import World, member

import backend
import inventory


class MetadataTest(World):
    def test_what_a_tree_says_itself(self) -> None:
        for text, requires, dependencies in [
            ("", ["setuptools>=40.8.0"], None),
            ('[build-system]\nrequires = ["hatchling"]\n', ["hatchling"], None),
            ('[project]\nname = "a"\n', ["setuptools>=40.8.0"], {"name": "a", "requires": [], "extras": {}}),
            ('[project]\nname = "a"\ndependencies = ["b"]\n', ["setuptools>=40.8.0"], {"name": "a", "requires": ["b"], "extras": {}}),
            ('[project]\nname = "a"\ndynamic = ["version"]\noptional-dependencies.X_y = ["b"]\n', ["setuptools>=40.8.0"], {"name": "a", "requires": [], "extras": {"x-y": ["b"]}}),
            ('[project]\nname = "a"\ndynamic = ["dependencies"]\n', ["setuptools>=40.8.0"], None),
            ('[project]\nname = "a"\ndynamic = ["optional-dependencies"]\n', ["setuptools>=40.8.0"], None),
        ]:
            with self.subTest(text):
                tree = self.tree("tree", text)
                self.assertEqual((backend.requires(tree), backend.declared(tree)), (requires, dependencies))

    def test_a_tree_without_a_pyproject(self) -> None:
        (self.directory / "tree").mkdir()
        self.assertEqual(backend.build_system(self.directory / "tree"), backend.LEGACY)

    def test_files_that_are_no_toml(self) -> None:
        for data in (b"[project", b"\xff"):
            self.write("tree/pyproject.toml", "").write_bytes(data)
            with self.assertRaisesRegex(backend.Problem, "^pyproject.toml: "):
                backend.requires(self.directory / "tree")

    def test_files_of_other_types(self) -> None:
        for text, want in [
            ("build-system = 1", "build-system is not a table"), ('[build-system]\nrequires = "setuptools"', "requires is not a list of strings"), ("[build-system]\nrequires = [1]", "requires is not a list of strings"),
            ("project = 1", "project is not a table"), ('[project]\nname = "a"\ndependencies = "alpha"', "dependencies is not a list of strings"), ('[project]\nname = "a"\ndynamic = 1', "dynamic is not a list of strings"),
            ('[project]\nname = "a"\noptional-dependencies = ["b"]', "optional-dependencies is not a table"), ('[project]\nname = "a"\noptional-dependencies.x = "b"', "x is not a list of strings"),
        ]:
            tree = self.tree("tree", text)
            with self.subTest(text), self.assertRaisesRegex(backend.Problem, f"^pyproject.toml: {want}$"):
                backend.requires(tree), backend.declared(tree)

    def test_what_a_tree_says_of_licenses(self) -> None:
        for text, want in [
            ('[project]\nlicense = "MIT"\nclassifiers = ["A :: b"]\n', "License-Expression: MIT\nClassifier: A :: b"), ('[project]\nlicense.text = "BSD\\nClassifier: forged"\n', "License: BSD Classifier: forged"),
            ('[project]\nlicense.file = "COPYING"\n', ""), ("[project]\nlicense = 1\n", ""), ("[project", ""), ("", ""),
        ]:
            with self.subTest(text):
                self.assertEqual(backend.declares(self.tree("tree", text)), want)
        self.write("tree/PKG-INFO", "").write_bytes(b"Name: a\r\nLicense: MIT\r\n\r\nLicense: no\xff\r\n")
        self.assertEqual(backend.declares(self.directory / "tree"), "Name: a\nLicense: MIT")

    def test_metadata_without_what_it_must_have(self) -> None:
        for name, version, missing in [("", "1.0", "Name"), ("a", "", "Version")]:
            tree = self.own_backend("tree", version=version)
            self.write("tree/maker.py", (tree / "maker.py").read_text().replace("Name: tree", f"Name: {name}"))
            with self.assertRaisesRegex(backend.Problem, f"its build backend reports no {missing}"):
                backend.metadata(tree, "")

    def test_what_a_backend_asks_for(self) -> None:
        self.assertEqual(backend.asked_for(self.own_backend("one", asks='["numpy"]'), ""), ["numpy"])
        self.assertEqual(backend.asked_for(self.own_backend("two"), ""), [])

    def test_metadata_that_is_prepared(self) -> None:
        tree = self.own_backend("tree", "numpy>=2; python_version > '3'", "six", version="1.2.3")
        self.assertEqual(backend.metadata(tree, ""), {"name": "tree", "version": "1.2.3", "extras": {}, "requires": ["numpy>=2; python_version > '3'", "six"]})

    def test_metadata_of_a_wheel(self) -> None:
        tree = self.own_backend("tree")
        self.write("tree/maker.py", """
            import zipfile
            class Inner:
                @staticmethod
                def build_wheel(directory, settings=None):
                    with zipfile.ZipFile(directory + "/a-1.0-py3-none-any.whl", "w") as out:
                        out.writestr("a-1.0.dist-info/METADATA", "Name: a\\nVersion: 1.0\\n")
                    return "a-1.0-py3-none-any.whl"
            """)
        self.write("tree/pyproject.toml", '[build-system]\nrequires = []\nbuild-backend = "maker:Inner"\nbackend-path = ["."]\n')
        self.assertEqual(backend.metadata(tree, ""), {"name": "a", "version": "1.0", "requires": [], "extras": {}})

    def test_backends_work_in_a_copy_with_their_environment(self) -> None:
        tree = self.own_backend("tree", asks='[__import__("helper").NAME, __import__("os").environ["PATH"].split(":")[0]]')
        with open(tree / "maker.py", "a") as file:
            file.write("open('left behind', 'w').close()\n")
        self.write("environment/helper.py", "NAME = 'of the environment'\n")
        environment = str(self.directory / "environment")
        self.assertEqual(backend.asked_for(tree, environment), ["of the environment", environment + "/bin"])
        self.assertEqual(sorted(path.name for path in tree.iterdir()), ["maker.py", "pyproject.toml"])

    def test_modules_of_a_tree_are_not_in_the_way(self) -> None:
        tree = self.own_backend("tree", asks='[__import__("base64").__file__]')
        self.write("tree/src/maker.py", (tree / "maker.py").read_text())
        self.write("tree/pyproject.toml", '[build-system]\nrequires = []\nbuild-backend = "maker"\nbackend-path = ["src"]\n')
        self.write("tree/base64.py", "raise SystemExit('of the tree')")
        (found,) = backend.asked_for(tree, "")
        self.assertNotIn(str(self.directory), found)

    def test_backends_that_fail(self) -> None:
        for asks, words, module in [
            ('__import__("torch.x")', "No module named 'torch'", "torch"),
            ('__import__("sys").exit("it is dark")', "its build backend failed:\nit is dark", ""),
            ('__import__("os")._exit(0)', "its build backend failed:", ""),
        ]:
            with self.subTest(asks), self.assertRaises(backend.Problem) as raised:
                backend.asked_for(self.own_backend("tree", asks=asks), "")
            self.assertIn(words, str(raised.exception))
            self.assertEqual(raised.exception.module, module)

    def test_long_output_ends_with_why(self) -> None:
        with self.assertRaises(backend.Problem) as raised:
            backend.asked_for(self.own_backend("tree", asks='[print("x" * 100000), __import__("sys").exit("why")]'), "")
        self.assertLess(len(str(raised.exception)), 5000)
        self.assertTrue(str(raised.exception).endswith("why"))

    def test_problems_are_about_the_first_project_that_is_named(self) -> None:
        self.assertEqual(backend.Problem("x", module="m").about("a").about("b").project, "a")


class FetchTest(World):
    def fetch(self, path: Path | str, below: str = "") -> Path:
        url = path.as_uri() if isinstance(path, Path) else path
        return backend.fetch({"kind": "sdist", "url": url, "file": "", "name": "a", "below": below}, self.directory / "fetched")

    def test_the_directory_that_is_a_project(self) -> None:
        top = self.fetch(self.archive(member("stray"), member("docs/x"), member("./a-1.0/setup.py"), member("a-1.0/a.py")))
        self.assertEqual(top, self.directory / "fetched/tree/a-1.0")
        shutil.rmtree(self.directory / "fetched")
        self.assertEqual(self.fetch(self.archive(member("x-main/setup.py"), member("x-main/py/setup.py")), "py"), self.directory / "fetched/tree/x-main/py")
        shutil.rmtree(self.directory / "fetched")
        self.assertEqual(self.fetch(self.archive(member("setup.py"), member("a/a.py"))), self.directory / "fetched/tree")

    def test_archives_that_are_no_sdist(self) -> None:
        for members, want in [([member("a.py")], "0 of its directories have one of "), ([member("a/setup.py"), member("b/pyproject.toml")], "2 of its directories have"), ([member("../evil")], "../evil leads out of it")]:
            shutil.rmtree(self.directory / "fetched", ignore_errors=True)
            with self.assertRaisesRegex(backend.Problem, "archive.tar.gz: " + want) as raised:
                self.fetch(self.archive(*members))
            self.assertEqual(raised.exception.project, "a")

    def test_archives_that_are_none(self) -> None:
        for name in ("x.tar.gz", "x.zip"):
            shutil.rmtree(self.directory / "fetched", ignore_errors=True)
            with self.assertRaisesRegex(backend.Problem, f"{name}: it can't be unpacked: ") as raised:
                self.fetch(self.write(name, "<html>"))
            self.assertEqual(raised.exception.project, "a")
        shutil.rmtree(self.directory / "fetched")
        whole = self.archive(member("a/setup.py")).read_bytes()
        (self.directory / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
        with self.assertRaisesRegex(backend.Problem, "it can't be unpacked"):
            self.fetch(self.directory / "cut.tar.gz")

    def test_servers_that_have_it_not(self) -> None:
        class Nothing(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_error(404)

            def log_message(self, *_) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Nothing)
        self.addCleanup(server.server_close)
        Thread(target=server.handle_request, daemon=True).start()
        with self.assertRaisesRegex(backend.Problem, "x.tar.gz: HTTP Error 404") as raised:
            self.fetch(f"http://127.0.0.1:{server.server_port}/x.tar.gz")
        self.assertEqual(raised.exception.project, "a")


@unittest.skipUnless(os.path.exists(backend.GIT), "there is no git here")
class CheckoutTest(World):
    def git(self, *args: str) -> str:
        command = [backend.GIT, "-C", str(self.directory / "repository"), "-c", "user.name=x", "-c", "user.email=x@example.com", *args]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            self.write(f"repository/{name}/setup.py", text)
        self.git("add", ".")
        self.git("commit", "-qm", "x")
        return self.git("rev-parse", "HEAD")

    def setUp(self) -> None:
        super().setUp()
        (self.directory / "repository").mkdir()
        self.git("init", "-q")
        self.first = self.commit(one="first")
        self.git("tag", "v1.0")
        self.commit(one="second")
        self.remote = (self.directory / "repository").as_uri()

    def fetch(self, url: str) -> Path:
        return backend.fetch({"kind": "git", "url": f"git+{url}", "file": "", "name": "a"}, self.directory / "fetched")

    def test_a_commit_with_its_tags(self) -> None:
        tree = self.fetch(f"{self.remote}@{self.first}")
        self.assertEqual((tree / "one/setup.py").read_text(), "first")
        described = subprocess.run([backend.GIT, "-C", str(tree), "describe", "--tags"], check=True, capture_output=True, text=True)
        self.assertEqual(described.stdout.strip(), "v1.0")

    def test_a_commit_of_no_branch(self) -> None:
        pulled = self.commit(one="pulled")
        self.git("update-ref", "refs/pull/1/head", pulled)
        self.git("reset", "-q", "--hard", self.first)
        self.assertEqual((self.fetch(f"{self.remote}@{pulled}") / "one/setup.py").read_text(), "pulled")

    def test_submodules_that_a_build_can_not_fetch(self) -> None:
        for address in ("git@g.example:x/inner.git", "ssh://git@g.example/inner.git"):
            shutil.rmtree(self.directory / "fetched", ignore_errors=True)
            self.write("repository/.gitmodules", f'[submodule "a"]\n\tpath = a\n\turl = ../a.git\n[submodule "b"]\n\tpath = b\n\turl = {address}\n')
            with self.assertRaisesRegex(backend.Problem, "its submodule at git@g.example requires ssh"):
                self.fetch(f"{self.remote}@{self.commit(one='third ' + address)}")

    def test_a_directory_of_it(self) -> None:
        tree = self.fetch(f"{self.remote}@{self.first}#subdirectory=one")
        self.assertEqual((tree / "setup.py").read_text(), "first")

    def test_what_is_not_there(self) -> None:
        for url, want in [
            (f"{self.remote}@{self.first}#subdirectory=two", "the tree has no such directory"),
            (f"{self.remote}@{'0' * 40}", "0000000"),
            (f"{self.remote}-none@{self.first}", "does not"),
        ]:
            shutil.rmtree(self.directory / "fetched", ignore_errors=True)
            with self.subTest(url), self.assertRaisesRegex(backend.Problem, want):
                self.fetch(url)


class InventoryTest(World):
    def test_what_debian_packages_bring(self) -> None:
        for name, text in {"My_Pkg-1.0.dist-info/METADATA": "Name: My.Pkg\nVersion: 1.0\n", "old-2.egg-info": "Name: old\nVersion: 2\n", "none-1.dist-info/METADATA": "Summary: x\n", "x.py": ""}.items():
            self.write(f"root{inventory.SITE}/{name}", text)
        for name in ("usr/bin/b", "usr/sbin/c", "usr/bin/a"):
            self.write(f"root/{name}", "")
        root = str(self.directory / "root")
        self.assertEqual(inventory.debian(root), {"my-pkg": "1.0", "old": "2"})
        self.assertEqual(inventory.programs(root), ["a", "b", "c"])
        self.assertEqual(inventory.debian(str(self.directory)), {})


if __name__ == "__main__":
    unittest.main()

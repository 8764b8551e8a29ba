import os
import pathlib
import tomllib
import unittest

from world import WithServer, sdist, tarred, zipped

import sdist as sdists

MESSY = '''# [build-system] in a comment
[project]
name = "a"
classifiers = [
  "x",
  # [build-system]
]
description = "has \u2028 and \u0085 in it"
[build-system]  # what builds it
requires = [ # [x]
    "setuptools>=61",  # ]
    "wheel",
]
build-backend = 'backend'
backend-path = ["."]

[tool.a]
matrix = [
  [1, 2],
  [3, 4],
]
[[tool.a.b]]
requires = ["kept"]
'''


class PyprojectTest(WithServer):
    def tree(self, text: str | None) -> str:
        path = pathlib.Path(self.folder, "a-1.0", "pyproject.toml")
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text, "utf-8")
        return str(path.parent)

    def altered(self, text: str | None, *wanted: str) -> dict:
        tree = self.tree(text)
        sdists.set_requires(tree, list(wanted))
        self.assertEqual(sdists.requires(tree), list(wanted))
        return tomllib.loads(pathlib.Path(tree, "pyproject.toml").read_text("utf-8"))

    def test_a_tree_without_a_pyproject(self) -> None:
        self.assertEqual(sdists.requires(self.tree(None)), ["setuptools>=40.8.0", "wheel"])
        self.assertEqual(self.altered(None, "numpy<2"), {"build-system": {"requires": ["numpy<2"], "build-backend": "setuptools.build_meta:__legacy__"}})

    def test_everything_else_stays(self) -> None:
        before = tomllib.loads(MESSY)
        after = self.altered(MESSY, 'x; python_version > "3"')
        self.assertEqual(after["build-system"], {"requires": ['x; python_version > "3"'], "build-backend": "backend", "backend-path": ["."]})
        self.assertEqual({**after, "build-system": 0}, {**before, "build-system": 0})
        self.assertEqual(self.altered(MESSY.replace("\n", "\r\n"), "x")["tool"], before["tool"])

    def test_tables_of_every_form(self) -> None:
        for text in ('[build-system]\nrequires=["a"]', '[ build-system ]\nrequires=["a"]\n', '["build-system"]\nrequires=["a"]\n[x]\n', "[x]\n['build-system']\nrequires=[]\n", "", "\n", "[x]\ny=1"):
            with self.subTest(text=text):
                self.assertEqual(self.altered(text, "b")["build-system"]["requires"], ["b"])

    def test_what_can_not_be_altered_is_told(self) -> None:
        for text in 'build-system.requires = ["a"]\n', 'build-system = {requires = ["a"]}\n':
            with self.subTest(text=text):
                told = self.fault(lambda: sdists.set_requires(self.tree(text), ["b"]))
                self.assertEqual((told.kind, told.message), ("usage", "a-1.0/pyproject.toml: [build-system] is written in a way that can not be altered"))

    def test_broken_files(self) -> None:
        for text in "[build-system\n", "requires = \n":
            told = self.fault(lambda: sdists.requires(self.tree(text)))
            self.assertEqual(told.kind, "failure")
            self.assertIn("a-1.0/pyproject.toml: ", told.message)

    def test_options_are_no_requirements(self) -> None:
        for line in "--extra-index-url http://evil.example", "-e .", "a b":
            told = self.fault(lambda: sdists.requires(self.tree(f'[build-system]\nrequires = ["setuptools", "{line}"]\n')))
            self.assertEqual(told.message, f"a-1.0 is built with {line!r}, which is no requirement")

    def test_a_table_without_all(self) -> None:
        self.assertEqual(sdists.requires(self.tree('[build-system]\nbuild-backend = "x"\n')), ["setuptools>=40.8.0", "wheel"])
        self.assertEqual(sdists.build_system(self.tree('[build-system]\nrequires = ["x"]\n'))["build-backend"], "setuptools.build_meta:__legacy__")


class UnpackTest(WithServer):
    def unpack(self, name: str, data: bytes) -> str:
        return sdists.unpack(name, data, os.path.join(self.folder, "into"))

    def test_one_folder(self) -> None:
        for ending in ".tar.gz", ".zip", ".tar.xz", ".tar.bz2":
            with self.subTest(ending=ending):
                tree = self.unpack(*sdist("a", ending=ending))
                self.assertEqual((os.path.basename(tree), sorted(os.listdir(tree))), ("a-1.0", ["PKG-INFO", "setup.py"]))

    def test_what_nothing_can_be_built_of(self) -> None:
        told = self.fault(lambda: sdists.checked_tree(self.unpack("a-1.0.tar.gz", tarred({"a-1.0/x": b""}))))
        self.assertEqual((told.kind, told.message), ("failure", "it is not an sdist: it has neither a pyproject.toml nor a setup.py"))
        for files in {"setup.py": ""}, {"pyproject.toml": ""}:
            tree = self.unpack(*sdist("a", files=files))
            self.assertEqual(sdists.checked_tree(tree), tree)

    def test_files_beside_it_are_nothing(self) -> None:
        self.assertEqual(os.path.basename(self.unpack("a-1.0.tar.gz", tarred({"a-1.0/x": b"", "._a-1.0": b""}))), "a-1.0")

    def test_odd_archives_are_refused(self) -> None:
        up = "leads out of it"
        for name, data, says in [
            ("x.tar.gz", tarred({}), "it holds 0 folders"),
            ("x.tar.gz", tarred({"a": b""}), "it holds 0 folders"),
            ("x.zip", zipped({"a/x": b"", "b/x": b""}), "it holds 2 folders"),
            ("x.tar.gz", tarred({"a/x": b"", "../x": b""}), f"../x {up}"),
            ("x.tar.gz", tarred({"a/../../x": b""}), f"a/../../x {up}"),
            ("x.tar.gz", tarred({"/etc/x": b""}), f"/etc/x {up}"),
            ("x.tar.gz", tarred({"a/x": b""}, links={"a/l": "../../x"}), f"a/l {up}"),
            ("x.tar.gz", tarred({"a/x": b""}, links={"a/l": "/etc"}), f"a/l {up}"),
            ("x.tar.gz", b"garbage", "archive, or not the whole of one"),
            ("x.zip", b"garbage", "archive, or not the whole of one"),
            ("x.tar.gz", sdist("a")[1][:100], "archive, or not the whole of one"),
            ("x.tar.gz", b"", "archive, or not the whole of one"),
        ]:
            with self.subTest(name=name, says=says):
                told = self.fault(lambda: self.unpack(name, data))
                self.assertIn(says, told.message)
                self.assertEqual(told.kind, "failure")
        self.assertEqual(os.listdir(self.folder), ["into"])

    def test_links_that_stay_are_fine(self) -> None:
        tree = self.unpack("a-1.0.tar.gz", tarred({"a-1.0/d/x": b"1"}, links={"a-1.0/e/l": "../d/x", "a-1.0/..m": "d"}))
        self.assertEqual(pathlib.Path(tree, "e", "l").read_bytes(), b"1")

    def test_a_zip_can_not_leave_either(self) -> None:
        tree = self.unpack("a-1.0.zip", zipped({"a-1.0/x": b"", "../a-1.0/y": b"", "/a-1.0/z": b""}))
        self.assertEqual(sorted(os.listdir(tree)), ["x", "y", "z"])


class AskedForTest(WithServer):
    def tree(self, does: str) -> str:
        _, data = sdist("a", files={
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
            "backend.py": f"def get_requires_for_build_wheel(config=None):\n    {does}\n",
        })
        return sdists.unpack("a-1.0.tar.gz", data, os.path.join(self.folder, "into"))

    def test_the_backend_says_more(self) -> None:
        self.assertEqual(sdists.asked_for(self.tree("print('noise'); return ['numpy<2', 'cython']"), self.folder), ["cython", "numpy<2"])

    def test_a_backend_that_fails(self) -> None:
        self.assertIn("No module named 'nothing_such'", self.fault(lambda: sdists.asked_for(self.tree("import nothing_such"), self.folder)).message)

    def test_what_it_says_is_checked(self) -> None:
        self.assertIn("is built with '-e .'", self.fault(lambda: sdists.asked_for(self.tree("return ['-e .']"), self.folder)).message)


if __name__ == "__main__":
    unittest.main()

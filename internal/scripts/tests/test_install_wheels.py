import csv
import importlib.util
import marshal
import os
import stat
import sys
import unittest
import warnings
import zipfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import UV, Files, WithDir, entry, row, wheel_files

SITE = "usr/local/lib/python3.11/dist-packages"
LOCAL = "usr/local"
PYC = "__pycache__/{}.cpython-311.pyc"

SMALL: Files = {
    "p/__init__.py": b"",
    "p/m.py": b"def f(a):\n    return [x for x in a if x]\n",
    "p/x.so": b"\x7fELF" * 99,
}
NOTES = ("INSTALLER", "REQUESTED", "direct_url.json", "RECORD.jws", "RECORD.p7s")


def tree(root: str) -> dict[str, tuple[int, bytes]]:
    """Returns mode and content of everything below a directory; a directory's content is empty."""
    found = {}
    for directory, _, files in os.walk(root):
        found[os.path.relpath(directory, root)] = (os.stat(directory).st_mode, b"")
        for name in files:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, root)] = (os.stat(path).st_mode, file.read())
    return found


class WithInstallation(WithDir):
    def installed(self, **how: object) -> dict[str, tuple[int, bytes]]:
        done = self.install(**how)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.stdout = done.stdout
        return {p: v for p, v in tree(self.path("out")).items() if stat.S_ISREG(v[0])}


@unittest.skipUnless(os.path.exists(UV), "UV names no uv")
class InstalledTest(WithInstallation):
    def test_pip3_is_there_by_its_version_too(self) -> None:
        self.wheel("p", {"p/m.py": b"", "p-1.0.dist-info/entry_points.txt": b"[console_scripts]\npip3 = p.m:f\n"})
        made = self.installed()
        self.assertLessEqual({f"{LOCAL}/bin/pip3", f"{LOCAL}/bin/pip3.11"}, made.keys())
        self.assertIn(b"/bin/pip3.11,sha256=", made[f"{SITE}/p-1.0.dist-info/RECORD"][1])

    def test_a_file_that_is_larger_than_its_directory_says(self) -> None:
        path = self.path("wheels/p-1.0-py3-none-any.whl")
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in wheel_files("p", {"p/zeros": bytes(80 << 20)}).items():
                archive.writestr(entry(name), content)
            archive.getinfo("p/zeros").file_size = 1000
        with open(path, "r+b") as file:  # it is the first entry
            file.seek(22)
            file.write((1000).to_bytes(4, "little"))
        done = self.install()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("p-1.0-py3-none-any.whl is larger than its zip directory says", done.stderr)

    def test_a_bomb(self) -> None:
        path = self.path("wheels/p-1.0-py3-none-any.whl")
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in wheel_files("p", {"p/zeros": b"x"}).items():
                archive.writestr(entry(name), content)
            archive.getinfo("p/zeros").file_size = 2_000_000_000
        done = self.install()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^p-1.0-py3-none-any.whl: it unpacks to 20000\d+ bytes, too many for a wheel of \d+\n$")

    def test_a_file_that_got_a_local_version_when_it_was_released(self) -> None:
        self.wheel("p", {"p/m.py": b"x = 1\n", "p-1.0.data/scripts/tool": b"#!python\n"})
        os.rename(self.path("wheels/p-1.0-py3-none-any.whl"), self.path("wheels/p-1.0+cu12x-py3-none-any.whl"))
        installed = self.installed()
        self.assertTrue(any(path.endswith("/p-1.0.dist-info/METADATA") for path in installed), installed)
        self.assertTrue(any(path.endswith("/bin/tool") for path in installed), installed)

    def test_goes_where_debians_python_looks(self) -> None:
        self.wheel("p", {
            **SMALL,
            "p-1.0.data/purelib/q.py": b"1",
            "p-1.0.data/platlib/r.so": b"2",
            "p-1.0.data/scripts/run": b"#!python\nprint()\n",
            "p-1.0.data/scripts/plain": b"#!/bin/sh\n",
            "p-1.0.data/data/share/p/d": b"3",
            "p-1.0.data/headers/p.h": b"4",
            "p-1.0.dist-info/entry_points.txt": (
                b"[console_scripts]\np-run = p.m:f\n[gui_scripts]\np-gui = p.m:f\n[x]\ny = z\n"),
        }, modes={"p/x.so": 0o100700, "p/m.py": 0o100600})
        files = self.installed(umask=0o077)
        self.assertEqual(set(files), {f"{SITE}/{name}" for name in (
            "p/__init__.py", "p/m.py", "p/x.so", "q.py", "r.so", "p/" + PYC.format("__init__"), "p/" + PYC.format("m"),
            PYC.format("q"), "p-1.0.dist-info/METADATA", "p-1.0.dist-info/RECORD", "p-1.0.dist-info/WHEEL",
            "p-1.0.dist-info/entry_points.txt",
        )} | {f"{LOCAL}/{name}" for name in (
            "bin/run", "bin/plain", "bin/p-run", "bin/p-gui", "share/p/d", "include/python3.11/p/p.h")})
        executable = {path for path, (mode, _) in files.items() if mode & 0o777 == 0o755}
        scripts = {f"{LOCAL}/bin/{name}" for name in ("run", "plain", "p-run", "p-gui")}
        self.assertEqual(executable, {f"{SITE}/p/x.so", *scripts})
        self.assertEqual({mode & 0o777 for path, (mode, _) in files.items() if path not in executable}, {0o644})
        self.assertEqual(files[f"{LOCAL}/bin/run"][1], b"#!/usr/bin/python3\nprint()\n")
        self.assertEqual(files[f"{LOCAL}/bin/plain"][1], b"#!/bin/sh\n")
        self.assertTrue(files[f"{LOCAL}/bin/p-run"][1].startswith(b"#!/usr/bin/python3\n"))

    def test_data_may_be_among_modules_and_headers(self) -> None:
        version = "python{}.{}".format(*sys.version_info)
        data = {f"p-1.0.data/data/{where}": b"1" for where in (
            f"lib/{version}/site-packages/a/x.txt", f"lib/{version}/dist-packages/b/x.txt", f"include/{version}/c/x.h", f"include/site/{version}/d/x.h")}
        self.wheel("p", {"m.txt": b"", "a/y.txt": b"", "p-1.0.data/headers/p.h": b"", **data})
        files = {path for path in self.installed() if ".dist-info" not in path}
        self.assertEqual(files, {f"{SITE}/{name}" for name in ("m.txt", "a/x.txt", "a/y.txt", "b/x.txt")} | {
            f"{LOCAL}/include/python3.11/{name}" for name in ("p/p.h", "c/x.h", "d/x.h")})
        self.wheel("q", {"a/x.txt": b"2"})
        self.assertIn("a/x.txt is in p-1.0-py3-none-any.whl too", self.install().stderr)

    def test_record_is_sorted_and_says_what_is_there(self) -> None:
        self.wheel("p", {
            **SMALL, 'p/odd,"name"\u2028.txt': b"odd",
            "p-1.0.data/scripts/run": b"#!python\n",
            "p-1.0.data/platlib/q.py": b"1",
            "p-1.0.dist-info/entry_points.txt": b"[console_scripts]\ngo = p:f\n",
            "p-1.0.dist-info/licenses/LICENSE": b"free",
            **{f"p-1.0.dist-info/{name}": b"x" for name in NOTES},
        })
        files = self.installed()
        record = files[f"{SITE}/p-1.0.dist-info/RECORD"][1].decode()
        self.assertNotIn("\r", record)
        rows = list(csv.reader(record.split("\n")[:-1]))
        self.assertEqual(rows, sorted(rows))
        self.assertEqual({os.path.normpath(f"{SITE}/{path}") for path, _, _ in rows}, set(files))
        for path, digest, size in rows:
            if path == "p-1.0.dist-info/RECORD":
                self.assertEqual((digest, size), ("", ""))
                continue
            content = files[os.path.normpath(f"{SITE}/{path}")][1]
            self.assertEqual((digest, size), tuple(next(csv.reader([row("", content)]))[1:]))
        self.assertIn("../../../bin/go", [path for path, _, _ in rows])
        self.assertIn("p-1.0.dist-info/licenses/LICENSE", [path for path, _, _ in rows])
        for name in NOTES:
            self.assertNotIn(f"{SITE}/p-1.0.dist-info/{name}", files)

    def test_bytecode_needs_no_look_at_its_source_and_names_the_final_path(self) -> None:
        self.wheel("p", SMALL)
        pyc = self.installed()[f"{SITE}/p/" + PYC.format("m")][1]
        self.assertEqual(pyc[4:8], b"\1\0\0\0")
        self.assertEqual(pyc[8:16], importlib.util.source_hash(SMALL["p/m.py"]))
        if sys.version_info[:2] == (3, 11):
            self.assertEqual(marshal.loads(pyc[16:]).co_filename, f"/{SITE}/p/m.py")

    def test_what_is_not_python_3_has_no_bytecode(self) -> None:
        self.wheel("p", {"p/two.py": b"print 'x'\n", "p/nul.py": b"\0", "p/latin.py": b"'\xe9'", "p/ok.py": b"'\\d'",
                         "p/deep.py": b"x = " + b"-" * 100_000 + b"1"})
        files = self.installed()
        self.assertEqual([path for path in files if path.endswith(".pyc")], [f"{SITE}/p/" + PYC.format("ok")])
        self.assertIn(f"{SITE}/p/two.py", files)

    def test_bytecode_of_a_wheel_is_left_out(self) -> None:
        self.wheel("p", {**SMALL, "p/__pycache__/m.cpython-311.pyc": b"old", "p/__pycache__/m.cpython-38.pyc": b"old"})
        files = self.installed()
        self.assertNotEqual(files[f"{SITE}/p/" + PYC.format("m")][1], b"old")
        self.assertNotIn(f"{SITE}/p/__pycache__/m.cpython-38.pyc", files)

    def test_directories_may_be_spelled_otherwise_than_the_file(self) -> None:
        for name, info in (("foo_bar", "Foo.Bar-1.0"), ("Foo.Bar", "foo_bar-1.0"), ("foo_bar", "foo-bar-1.0")):
            with self.subTest(name=name, info=info):
                path = self.wheel(name, {"m.py": b"", f"{info}.data/scripts/x": b"#!python\n"}, info=info)
                files = self.installed()
                os.unlink(path)
                self.assertIn(f"{SITE}/{info}.dist-info/RECORD", files)
                self.assertIn(f"{LOCAL}/bin/x", files)

    def test_names_that_differ_in_case_are_two(self) -> None:
        self.wheel("p", {"p/A.txt": b"1", "p/a.txt": b"2"})
        self.assertLessEqual({f"{SITE}/p/A.txt", f"{SITE}/p/a.txt"}, set(self.installed()))

    def test_directories_and_missing_modes_are_fine(self) -> None:
        files = {"p/": b"", "p/empty/": b"", "../": b"", "p//": b"", "/": b"", **wheel_files("p", {"p/m.txt": b"1", "c:x": b"1"})}
        self.archive("p-1.0-py3-none-any.whl", files.items(), {"p/": 0o40700, "p/m.txt": 0})
        self.assertEqual({f"{SITE}/p/m.txt", f"{SITE}/c:x"}, {path for path in self.installed() if "dist-info" not in path})

    def test_no_wheel(self) -> None:
        self.assertEqual(self.installed(options={"optional": True}), {})
        done = self.install()
        self.assertEqual((done.returncode, done.stderr), (1, f"no wheel in {self.path('wheels')}\n"))


@unittest.skipUnless(os.path.exists(UV), "UV names no uv")
class PruneTest(WithInstallation):
    FILES = {
        "p/liba.a": b"12345", "p/sub/libb.a": b"123", "p/include/x.h": b"1", "p/include/keep/y.h": b"12", "p/m.py": b"",
        "p-1.0.data/scripts/tool": b"#!python\n", "p-1.0.data/data/share/doc/x": b"1", "p-1.0.data/headers/p.h": b"1",
        "p-1.0.dist-info/entry_points.txt": b"[console_scripts]\ngo = p:f\n", "p-1.0.dist-info/licenses/x.h": b"1",
    }

    def test_globs_are_of_site_packages_or_usr_local(self) -> None:
        self.wheel("p", self.FILES)
        rules = ["**/*.a", "*/include", "!p/include/keep/**", "bin/*", "share/doc", "include/python3.*/p/*.h", "none"]
        files = self.installed(options={"prune": rules})
        self.assertEqual({path for path in files if ".dist-info" not in path}, {
            f"{SITE}/p/include/keep/y.h", f"{SITE}/p/m.py", f"{SITE}/p/" + PYC.format("m")})
        record = files[f"{SITE}/p-1.0.dist-info/RECORD"][1]
        for gone in (b".a,", b"bin/", b"share", b"/p.h"):
            self.assertNotIn(gone, record)
        self.assertEqual(self.stdout.splitlines()[0], 'lamina: pruned {"rule": "**/*.a", "files": 2, "bytes": 8}')
        self.assertEqual([line.split('"')[3] for line in self.stdout.splitlines()],
                         ["**/*.a", "*/include", "bin/*", "include/python3.*/p/*.h", "share/doc"])

    def test_dist_info_is_exempt(self) -> None:
        self.wheel("p", self.FILES)
        files = self.installed(options={"prune": ["**"]})
        self.assertEqual(set(files), {f"{SITE}/p-1.0.dist-info/{name}" for name in (
            "METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/x.h")})

    def test_counts_are_those_of_all_wheels(self) -> None:
        for name in ("p", "q"):
            self.wheel(name, {f"{name}/x.a": b"1234"})
        self.installed(options={"prune": ["**/*.a"]})
        self.assertEqual(self.stdout, 'lamina: pruned {"rule": "**/*.a", "files": 2, "bytes": 8}\n')


@unittest.skipUnless(os.path.exists(UV), "UV names no uv")
class SloppyRecordTest(WithInstallation):
    def records(self, edit: tuple[str, str]) -> dict[str, tuple[int, bytes]]:
        files = wheel_files("p", SMALL)
        text = files["p-1.0.dist-info/RECORD"].decode()
        self.assertIn(edit[0], text)
        files["p-1.0.dist-info/RECORD"] = text.replace(*edit).encode()
        self.archive("p-1.0-py3-none-any.whl", files.items())
        return self.installed()

    def test_what_it_says_is_true_afterwards(self) -> None:
        line = row("p/m.py", SMALL["p/m.py"])
        good = self.records(("", ""))
        for name, edit in {
            "a row too few": (line, ""), "a row twice": (line, line + line),
            "a row too many": (line, line + "p/gone.py,sha256=x,1\n"),
            "another hash": ("sha256=", "sha256=A"), "a weak hash": ("sha256=", "md5="), "no hash": (line, "p/m.py,,\n"),
            "another size": (line[-4:], ",7\n"), "line ends": ("\n", "\r\n"),
        }.items():
            with self.subTest(name):
                self.assertEqual(self.records(edit), good)

    def test_one_path_twice_with_one_content(self) -> None:
        files = wheel_files("p", SMALL)
        with warnings.catch_warnings(action="ignore"):
            self.archive("p-1.0-py3-none-any.whl", [*files.items(), ("p/m.py", SMALL["p/m.py"])])
        self.assertIn(f"{SITE}/p/m.py", self.installed())


@unittest.skipUnless(os.path.exists(UV), "UV names no uv")
class RefusedTest(WithDir):
    def refused(self, want: str, name: str = "p-1.0-py3-none-any.whl") -> None:
        done = self.install()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(name, done.stderr)
        self.assertIn(want, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_what_is_no_zip(self) -> None:
        self.write(b"hello", "wheels", "p-1.0-py3-none-any.whl")
        self.refused("File is not a zip file")

    def test_a_truncated_zip(self) -> None:
        path = self.wheel("p", SMALL)
        os.truncate(path, os.path.getsize(path) - 30)
        self.refused("not a zip")

    def test_a_zip_with_a_broken_file(self) -> None:
        path = self.wheel("p", {"p/x": os.urandom(5000)})
        with open(path, "r+b") as file:
            file.seek(2000)
            file.write(b"x" * 500)
        self.refused("")

    def test_an_encrypted_file(self) -> None:
        path = self.wheel("p", {"p-1.0.dist-info/entry_points.txt": b"[x]\n"})
        with open(path, "r+b") as file:
            data = bytearray(file.read())
            for at in (6, data.index(b"PK\1\2") + 8):
                data[at] |= 1
            file.seek(0)
            file.write(data)
        self.refused("encrypted")

    def test_dist_infos(self) -> None:
        self.archive("p-1.0-py3-none-any.whl", [("p/m.py", b"")])
        self.refused("it has 0 .dist-info directories with METADATA")
        self.wheel("p", {"q-1.0.dist-info/METADATA": b""})
        self.refused("it has 2 .dist-info directories with METADATA")

    def test_a_dist_info_of_something_else(self) -> None:
        self.wheel("p", {"p/m.py": b""}, info="q-1.0")
        self.assertIn("`q-1.0` does not start with the normalized package name: p", self.install().stderr)

    def test_paths_that_lead_elsewhere(self) -> None:
        for path in ("/etc/x", "../x", "p/../../x", "p/./x", "p//x", "p\\x", "..", "p/..", "./x"):
            with self.subTest(path=path):
                self.wheel("p", {path: b"1"})
                self.refused(f"it has the path {path!r}")

    def test_names_that_remove_files(self) -> None:
        for path in ("p/.wh.x", ".wh..wh..opq", "p/.wh.d/x", "p-1.0.data/scripts/.wh.sh", "p-1.0.data/data/sbin/.wh.x"):
            with self.subTest(path=path):
                self.wheel("p", {path: b"1"})
                self.refused(f"it has the path {path!r}: names with .wh. in front remove files of an image")
        for name in (".wh.sh", "../../sbin/x", "a/b"):
            self.wheel("p", {"p-1.0.dist-info/entry_points.txt": f"[console_scripts]\n{name} = p:f\n".encode()})
            self.refused(f"its script {name!r} is not a plain name")

    def test_a_path_with_a_nul(self) -> None:
        path = self.wheel("p", {"p/x~y": b"1"})
        with open(path, "r+b") as file:
            data = file.read().replace(b"p/x~y", b"p/x\0y")
            file.seek(0)
            file.write(data)
        self.refused(r"it has the path 'p/x\x00y'")

    def test_links_and_devices(self) -> None:
        for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK):
            with self.subTest(kind=oct(kind)):
                self.wheel("p", {"p/x": b"/etc/passwd"}, modes={"p/x": kind | 0o777})
                self.refused("p/x is not a regular file")

    def test_two_contents_of_one_path(self) -> None:
        self.wheel("p", {**SMALL, "p-1.0.data/purelib/p/m.py": b"other"})
        self.refused(f"it has /{SITE}/p/m.py twice, with different content")
        files = wheel_files("p", SMALL)
        with warnings.catch_warnings(action="ignore"):
            self.archive("p-1.0-py3-none-any.whl", [*files.items(), ("p/m.py", b"other")])
        self.refused(f"it has /{SITE}/p/m.py twice, with different content")

    def test_scripts_in_place_of_python(self) -> None:
        for files in ({"p-1.0.data/scripts/python3": b"#!/bin/sh\n"}, {"p-1.0.data/data/bin/python3.11": b""},
                      {"p-1.0.dist-info/entry_points.txt": b"[console_scripts]\npython = p:f\n"}):
            self.wheel("p", files)
            self.refused("would run in place of Debian's Python")

    def test_bad_entry_points_and_data(self) -> None:
        for name, files in {
            "no function": {"p-1.0.dist-info/entry_points.txt": b"[console_scripts]\nx = p\n"},
            "unknown scheme": {"p-1.0.data/etc/x": b"1"},
        }.items():
            with self.subTest(name):
                self.wheel("p", files)
                self.refused("")

    def test_a_script_that_leads_elsewhere(self) -> None:
        self.wheel("p", {"p-1.0.dist-info/entry_points.txt": b"[console_scripts]\n../../../../x = p:f\n"})
        self.assertEqual(self.install().returncode, 1)

    def test_all_bad_wheels_are_named(self) -> None:
        for name in ("p", "q", "r"):
            self.wheel(name, {"file.txt": b"1", **({} if name == "q" else {"../x": b"1"})})
        done = self.install()
        self.assertEqual(done.returncode, 1)
        self.assertEqual([line.split(":")[0] for line in done.stderr.splitlines()],
                         ["p-1.0-py3-none-any.whl", "r-1.0-py3-none-any.whl"])


@unittest.skipUnless(os.path.exists(UV), "UV names no uv")
class SeveralTest(WithInstallation):
    def test_one_content_in_two_wheels_is_fine(self) -> None:
        self.wheel("p", {"shared/__init__.py": b"x = 1\n", "shared/p.py": b""})
        self.wheel("q", {"shared/__init__.py": b"x = 1\n", "shared/q.py": b""})
        files = self.installed()
        self.assertEqual(files[f"{SITE}/shared/__init__.py"][1], b"x = 1\n")
        for name in ("p", "q"):
            self.assertIn(b"shared/" + PYC.format("__init__").encode(), files[f"{SITE}/{name}-1.0.dist-info/RECORD"][1])

    def test_two_contents_are_not(self) -> None:
        self.wheel("p", {"LICENSE": b"1", "x/y": b"1"})
        self.wheel("q", {"LICENSE": b"2", "x/y": b"2"})
        done = self.install()
        self.assertEqual((done.returncode, done.stderr), (1, (
            f"q-1.0-py3-none-any.whl: /{SITE}/LICENSE and 1 more are in p-1.0-py3-none-any.whl too, "
            "with different content\n")))

    def test_two_scripts_of_one_name_are_not(self) -> None:
        self.wheel("p", {"p-1.0.dist-info/entry_points.txt": b"[console_scripts]\ngo = p:f\n"})
        self.wheel("q", {"q-1.0.dist-info/entry_points.txt": b"[console_scripts]\ngo = q:f\n"})
        done = self.install()
        self.assertEqual(done.stderr, (
            "q-1.0-py3-none-any.whl: /usr/local/bin/go is in p-1.0-py3-none-any.whl too, with different content\n"))

    def test_where_two_contents_are_allowed_the_first_wins(self) -> None:
        names = "pqrst"
        for name in names:
            self.wheel(name, {"LICENSE": name.encode(), f"{name}.py": b"", f"{name}-1.0.dist-info/entry_points.txt": (
                f"[console_scripts]\ngo = {name}:f\n".encode())})
        for _ in range(5):
            files = self.installed(options={"collisions": ["**/LICENSE", "bin/go"]})
            self.assertEqual(files[f"{SITE}/LICENSE"][1], b"p")
            self.assertIn(b"from p import f", files[f"{LOCAL}/bin/go"][1])
        licence = row("LICENSE", b"p").replace('"', "").encode()
        for name in names:
            self.assertIn(licence, files[f"{SITE}/{name}-1.0.dist-info/RECORD"][1])

    def test_the_mode_is_that_of_the_first(self) -> None:
        self.wheel("p", {"x": b"1"})
        self.wheel("q", {"x": b"1"}, modes={"x": 0o100755})
        self.assertEqual(self.installed()[f"{SITE}/x"][0] & 0o777, 0o644)

    def test_pruned_files_do_not_collide(self) -> None:
        self.wheel("p", {"LICENSE": b"1"})
        self.wheel("q", {"LICENSE": b"2"})
        self.installed(options={"prune": ["LICENSE"]})


@unittest.skipUnless(os.path.exists(UV), "UV names no uv")
class DeterminismTest(WithInstallation):
    def wheels(self, names: str) -> None:
        with open(zipfile.__file__, "rb") as file:
            source = file.read()
        for name in names:
            self.wheel(name, {
                **SMALL,
                f"{name}/z.py": source,
                f"{name}/sets.py": b"S = {'a', 'b', 'c'}\nT = x in {'q', 'r', 1}\n",
                f"{name}-1.0.dist-info/entry_points.txt": f"[console_scripts]\n{name} = p:f\n".encode(),
            })

    def test_nothing_around_an_installation_shows(self) -> None:
        self.wheels("abcd")
        self.installed(out="out")
        first = tree(self.path("out"))
        for number, (umask, env) in enumerate([
            (0o077, {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "1", "LC_ALL": "C"}),
            (0o000, {"TZ": "America/Lima", "PYTHONHASHSEED": "2", "SOURCE_DATE_EPOCH": "5", "PYTHONOPTIMIZE": "2"}),
        ]):
            # The sizes of the archives decide which is installed first.
            with zipfile.ZipFile(self.path("wheels", f"{'bd'[number]}-1.0-py3-none-any.whl"), "a") as archive:
                archive.comment = b"longer" * 1000 * (number + 1)
            done = self.install(out=f"out{number}", umask=umask, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            again = tree(self.path(f"out{number}"))
            again["."] = first["."]  # made by the test under its own umask
            self.assertEqual(first, again)

    def test_all_has_the_time_of_a_layer(self) -> None:
        self.wheels("ab")
        self.installed()
        paths = [os.path.join(directory, name) for directory, _, names in os.walk(self.path("out")) for name in [".", *names]]
        self.assertEqual({os.stat(path).st_mtime_ns for path in paths}, {315532800 * 10**9})

    def test_no_number_of_processes_shows(self) -> None:
        # The first source makes its process load a module whose name the others have in sets:
        # the compiler makes one set of two, unless it finds such a name.
        text = b"class A:\n    s = {'_codecs_jp', 'name_1', 'name_2'}\n"
        text += text.replace(b"A", b"B")
        files = {f"p/m{number:03}.py": text if number else b"# coding: shift_jis\n" for number in range(250)}
        self.wheel("p", files)
        here = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, here)
        results = []
        for cores, threads in (({min(here)}, "1"), (here, "2"), ({max(here)}, "16")):
            os.sched_setaffinity(0, cores)
            results.append(self.installed(env={"UV_CONCURRENT_INSTALLS": threads}))
        self.assertEqual(results[0], results[1])
        self.assertEqual(results[0], results[2])

    def test_no_file_has_another_name(self) -> None:
        self.wheels("ab")
        self.installed()
        for directory, _, names in os.walk(self.path("out")):
            for name in names:
                self.assertEqual(os.stat(os.path.join(directory, name)).st_nlink, 1)


@unittest.skipUnless(importlib.util.find_spec("installer"), "there is no python3-installer")
class ByDebianTest(WithInstallation):
    """Without a locked uv, the installer gets one wheel, which a builder has made."""

    def test_it_makes_what_uv_makes(self) -> None:
        self.wheel("P.p", {
            **SMALL, "P.p-1.0.data/scripts/run": b"#!python\nprint()\n", "P.p-1.0.data/data/share/p/d": b"3",
            "P.p-1.0.data/headers/p.h": b"4", "P.p-1.0.dist-info/INSTALLER": b"x",
            "P.p-1.0.dist-info/entry_points.txt": b"[console_scripts]\np-run = p.m:f\n",
        }, modes={"p/x.so": 0o100700, "p/m.py": 0o100600})
        files = self.installed(uv="", options={"prune": ["share"]}, umask=0o077)
        go = files.pop(f"{LOCAL}/bin/p-run")
        self.assertEqual(go[0] & 0o777, 0o755)
        self.assertTrue(go[1].startswith(b"#!/usr/bin/python3\n"), go[1])
        if os.path.exists(UV):
            same = self.installed(options={"prune": ["share"]})
            del same[f"{LOCAL}/bin/p-run"]  # each writes it differently
            record = f"{SITE}/P.p-1.0.dist-info/RECORD"
            for tree_ in (files, same):
                rows = tree_.pop(record)[1].decode().splitlines()
                tree_[record] = (0, "\n".join(line for line in rows if "bin/p-run" not in line).encode())
            self.assertEqual(files, same)

    def test_what_is_refused(self) -> None:
        self.wheel("p", {"../x": b"1"})
        self.assertIn("it has the path '../x'", self.install(uv="").stderr)


if __name__ == "__main__":
    unittest.main()

import io
import os
import shutil
import subprocess
import sys
import tarfile
import unittest
import zipfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import WithDir, entry, wheel_files


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    item = tarfile.TarInfo(name)
    item.type, item.linkname, item.mode = kind, link, mode
    return item


class Zeros(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        return bytes(size)


class SourceTest(WithDir):
    def sdist(self, *members: tarfile.TarInfo, name: str = "alpha-1.0.tar.gz", project: str = "alpha-1.0/setup.py") -> None:
        kind = {"gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz", "tar": "w"}[name.rpartition(".")[2]]
        with tarfile.open(self.path("source", name), kind) as file:  # type: ignore[call-overload]
            for item in (member(project), *members):
                content = b"x" if item.isreg() else b""
                item.size = len(content)
                file.addfile(item, io.BytesIO(content))

    def put(self, archive: str = "alpha-1.0.tar.gz", directory: str = "", version: str = "1.0") -> str:
        """Returns the directory to build in, below the test's, or the error."""
        for name in ("build", "build.sdist"):
            shutil.rmtree(self.path(name), ignore_errors=True)
        done = self.run_file("source.py", archive, directory, version, self.path("source"), self.path("build"))
        self.assertNotIn("Traceback", done.stderr)
        return (done.stdout or done.stderr).strip().replace(self.directory + "/", "")

    def test_sdists(self) -> None:
        for name in ("alpha-1.0.tar.gz", "alpha-1.0.tar.bz2", "alpha-1.0.tar.xz", "alpha-1.0.tar"):
            self.sdist(name=name)
            self.assertEqual(self.put(name), "build")
            self.assertTrue(os.path.isfile(self.path("build/setup.py")))
        with zipfile.ZipFile(self.path("source/alpha-1.0.zip"), "w") as file:
            file.writestr("alpha-1.0/pyproject.toml", "")
            file.writestr(entry("alpha-1.0/configure", 0o100755), "")
        self.assertEqual(self.put("alpha-1.0.zip"), "build")
        self.assertEqual([os.stat(self.path("build", name)).st_mode & 0o777 for name in ("configure", "pyproject.toml")], [0o755, 0o644])
        with zipfile.ZipFile(self.path("source/alpha-1.0.zip"), "a") as file:
            file.writestr("../evil.py", "")
        self.assertEqual(self.put("alpha-1.0.zip"), "alpha-1.0.zip: ../evil.py leads out of it")

    def test_sdists_of_other_makers(self) -> None:
        for what, project, members in [
            ("./ before each name", "./alpha-1.0/setup.py", []),
            ("a file next to the directory", "alpha-1.0/setup.py", [member("package.xml")]),
            ("a directory next to the directory", "alpha-1.0/setup.py", [member("docs/x")]),
            ("no directory", "setup.py", []),
            ("another directory's name", "main/setup.py", [member("main/a", tarfile.SYMTYPE, "setup.py")]),
            ("a hard link inside", "a/setup.py", [member("a/b", tarfile.LNKTYPE, "a/setup.py")]),
        ]:
            with self.subTest(what):
                self.sdist(*members, project=project)
                self.assertEqual(self.put(), "build")
                self.assertTrue(os.path.isfile(self.path("build/setup.py")))

    def test_a_directory_of_an_sdist(self) -> None:
        for project in ("main/py/setup.py", "py/setup.py"):
            self.sdist(member("main/docs/setup.py"), project=project)
            self.assertEqual(self.put(directory="py"), "build/py")
        self.assertIn("leads out of it", self.put(directory="../py"))

    def test_files_that_nobody_may_read(self) -> None:
        self.sdist(member("alpha-1.0/f", mode=0), member("alpha-1.0/d", tarfile.DIRTYPE, mode=0), member("alpha-1.0/d/x", mode=0o700))
        self.assertEqual(self.put(), "build")
        self.assertEqual([os.stat(self.path("build", name)).st_mode & 0o777 for name in ("f", "d", "d/x")], [0o644, 0o755, 0o744])

    def test_what_leads_out(self) -> None:
        for want, *members in [
            ("alpha-1.0/fix.txt leads out of it, to /etc/passwd", member("alpha-1.0/fix.txt", tarfile.SYMTYPE, "/etc/passwd")),
            ("alpha-1.0/up leads out of it, to ../../x", member("alpha-1.0/up", tarfile.SYMTYPE, "../../x")),
            ("hard leads out of it, to ../x", member("hard", tarfile.LNKTYPE, "../x")),
            ("../x leads out of it", member("../x")),
            ("/etc/x leads out of it", member("/etc/x")),
            ("b/../../x leads out of it", member("b", tarfile.SYMTYPE, "alpha-1.0"), member("b/../../x")),
            ("pipe is not a file, directory or link", member("pipe", tarfile.FIFOTYPE)),
            ("null is not a file, directory or link", member("null", tarfile.CHRTYPE)),
            ("alpha-1.0/../x leads out of it", member("alpha-1.0/../x")),  # by its name, wherever it leads
            ("alpha-1.0/.wh.x is named like a file that removes others in an image", member("alpha-1.0/.wh.x")),
            ("a/.wh..wh..opq/x is named like a file that removes others in an image", member("a/.wh..wh..opq/x")),
            ("b is not a file, directory or link", member("b", tarfile.BLKTYPE)),
            # Each of these is inside if links are ignored.
            ("a/b/../evil leads out of it", member("a/b", tarfile.SYMTYPE, ".."), member("a/b/../evil")),
            ("d/x leads out of it, to ../evil", member("d", tarfile.SYMTYPE, "."), member("d/x", tarfile.SYMTYPE, "../evil")),
            ("c leads out of it, to a/b/../evil", member("a/b", tarfile.SYMTYPE, ".."), member("c", tarfile.SYMTYPE, "a/b/../evil")),
            ("l leads out of it", member("l", tarfile.SYMTYPE, "d/e/../evil"), member("d/e", tarfile.SYMTYPE, ".."), member("l")),
        ]:
            with self.subTest(want):
                self.sdist(*members)
                self.assertEqual(self.put(), "alpha-1.0.tar.gz: " + want)

    def test_entries_of_a_zip(self) -> None:
        def put(*entries: tuple[str, int, str]) -> str:
            with zipfile.ZipFile(self.path("source/alpha-1.0.zip"), "w") as file:
                for name, mode, content in (("alpha-1.0/setup.py", 0o100644, ""), *entries):
                    file.writestr(entry(name, mode), content)
            return self.put("alpha-1.0.zip").removeprefix("alpha-1.0.zip: ")

        for want, *entries in [
            ("/etc/x leads out of it", ("/etc/x", 0o100644, "")),
            ("alpha-1.0/../x leads out of it", ("alpha-1.0/../x", 0o100644, "")),
            ("alpha-1.0/.wh.x is named like a file that removes others in an image", ("alpha-1.0/.wh.x", 0o100644, "")),
            (r"'..\\x' is not a valid file name", ("..\\x", 0o100644, "")),
            ("null is not a file, directory or link", ("null", 0o020666, "")),
            ("pipe is not a file, directory or link", ("pipe", 0o010666, "")),
            ("l leads out of it, to ../../etc/passwd", ("l", 0o120777, "../../etc/passwd")),
            ("l leads out of it, to /etc/passwd", ("l", 0o120777, "/etc/passwd")),
            ("l/x leads out of it", ("l", 0o120777, ".."), ("l/x", 0o100644, "")),
        ]:
            with self.subTest(want):
                self.assertIn(put(*entries), (want, "l leads out of it, to .."))
        self.assertEqual(put(("alpha-1.0/a/link", 0o120777, "../setup.py")), "build")
        self.assertEqual(os.readlink(self.path("build/a/link")), "../setup.py")

    def test_bombs(self) -> None:
        bomb = member("alpha-1.0/zeros")
        bomb.size = 2 << 30
        for name, item in {"alpha-1.0.tar.gz": bomb, "alpha-1.0.tar.xz": bomb}.items():
            with tarfile.open(self.path("source", name), "w:" + name[-2:]) as file:  # type: ignore[call-overload]
                file.addfile(item)  # its header is enough
            self.assertEqual(self.put(name), f"{name}: it unpacks to more than 1073741824 bytes")
        with zipfile.ZipFile(self.path("source/alpha-1.0.zip"), "w") as archive:
            archive.writestr("alpha-1.0/setup.py", "")
            archive.filelist[0].file_size = 2 << 30
        self.assertEqual(self.put("alpha-1.0.zip"), "alpha-1.0.zip: it unpacks to more than 1073741824 bytes")

    def test_headers_that_fill_memory_and_files_without_number(self) -> None:
        header = member("x", tarfile.XHDTYPE)
        header.size = 200 << 20
        with tarfile.open(self.path("source/alpha-1.0.tar.gz"), "w:gz", compresslevel=1) as file:
            file.addfile(header, Zeros())
        with tarfile.open(self.path("source/beta-1.0.tar.gz"), "w:gz") as file:
            for n in range(30):
                file.addfile(member(f"beta-1.0/{n}"))
        code = ("import sys; sys.path.insert(0, sys.argv[1]); import sdist; sdist.MEMORY, sdist.ENTRIES = 100 << 20, 20\n"
                "try: sdist.unpack(sys.argv[2], sys.argv[2], sys.argv[3])\n"
                "except sdist.Refused as error: print(error)")
        for name, problem in {"alpha": "it can't be unpacked in 104857600 bytes of memory", "beta": "it holds more than 20 files"}.items():
            done = subprocess.run([sys.executable, "-c", code, os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                   self.path(f"source/{name}-1.0.tar.gz"), self.path(name)], capture_output=True, text=True)
            self.assertEqual((done.stdout.strip(), done.stderr), (problem, ""))

    def test_no_project(self) -> None:
        self.sdist(project="a/x.txt")
        self.assertEqual(self.put(), "build")  # the build reports what is missing
        self.sdist(member("b/setup.py"))
        self.assertIn("2 of its directories have one of", self.put())
        self.write(b"no archive", "source", "x.tar.gz")
        self.assertIn("x.tar.gz: ", self.put("x.tar.gz"))

    def test_trees(self) -> None:
        self.write(b"", "source/py/setup.py")
        os.symlink("setup.py", self.path("source/py/link"))
        self.assertEqual(self.put("", "py", ""), "build/py")
        self.assertTrue(os.path.islink(self.path("build/py/link")))

    def test_the_directory_that_versioneer_asks_for(self) -> None:
        for file, text, want in [
            ("setup.cfg", "[versioneer]\nparentdir_prefix = alpha-\n", "build/alpha-1.0"),
            ("setup.cfg", "[versioneer]\nparentdir_prefix =\n", "build/1.0"),
            ("setup.cfg", "[versioneer]\nVCS = git\n", "build"),
            ("setup.cfg", "[versioneer]\nparentdir_prefix = ../../x\n", "build"),
            ("setup.cfg", "no ini", "build"),
            ("pyproject.toml", "[tool.versioneer]\nparentdir_prefix = 'alpha-'\n", "build/alpha-1.0"),
            ("pyproject.toml", "no toml", "build"),
        ]:
            with self.subTest(text):
                self.write(b"", "source/setup.py")
                self.write(text.encode(), "source", file)
                self.assertEqual(self.put(""), want)
                self.assertEqual(self.put("", version=""), "build")
                os.unlink(self.path("source", file))

    @unittest.skipUnless(shutil.which("git"), "there is no git here")
    def test_the_tag_that_backends_ask_for(self) -> None:
        def git(*command: str) -> str:
            return subprocess.run(["git", "-C", self.path("build"), *command], check=True, capture_output=True, text=True).stdout.strip()

        self.write(b"", "source/py/ignored.py")
        self.write(b"*.py\n", "source/.gitignore")
        self.write(b"gitdir: /engine/modules/sub\n", "source/sub/.git")
        self.write(b"", "source/sub/x.txt")
        for text, want in [("", "v1.0"), ("[versioneer]\ntag_prefix = ''\n", "1.0"), ("[versioneer]\nVCS = git\n", "1.0"), ("[versioneer]\ntag_prefix = rel/\n", "rel/1.0")]:
            self.write(text.encode(), "source/py/setup.cfg")
            self.assertEqual(self.put("", "py"), "build/py")
            self.assertEqual(git("describe", "--dirty"), want)
            self.assertLessEqual({"py/ignored.py", "sub/x.txt"}, {*git("ls-files").split()})
        commit = git("rev-parse", "HEAD")
        self.put("", "py")
        self.assertEqual(git("rev-parse", "HEAD"), commit)
        self.put("", "py", version="")  # the user's own tree
        self.assertFalse(os.path.exists(self.path("build/.git")))

    def test_what_was_built(self) -> None:
        for locked, name, version, want in [
            ("1.0", "My_Name", "1.0.0", ""), ("1.0", "my-name", "1.0+cu124", ""), ("1.0+cu124", "my-name", "1.0+cu124", ""), ("2004d", "my-name", "2004d", ""),
            ("1.2.3", "my-name", "0+unknown", "my-name 1.2.3 is locked, but its build made my-name 0+unknown"), ("1.0+a", "my-name", "1.0", "made my-name 1.0"),
            ("1.0", "other", "1.0", "made other 1.0"), ("1.0", "my-name", "x", "made my-name x"),
        ]:
            with self.subTest((locked, name, version)):
                shutil.rmtree(self.path("wheels"), ignore_errors=True)
                self.archive("a-1.0-py3-none-any.whl", wheel_files(name, {}, version=version).items())
                self.assertIn(want, (done := self.run_file("built.py", self.path("wheels"), "my-name", locked, site=True)).stderr)
                self.assertEqual(done.returncode, 1 if want else 0)


if __name__ == "__main__":
    unittest.main()

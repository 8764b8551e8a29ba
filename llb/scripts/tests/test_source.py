import io
import os
import shutil
import sys
import tarfile
import unittest
import zipfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import WithFolder


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    item = tarfile.TarInfo(name)
    item.type, item.linkname, item.mode = kind, link, mode
    return item


class SourceTest(WithFolder):
    def sdist(self, *members: tarfile.TarInfo, name: str = "alpha-1.0.tar.gz", project: str = "alpha-1.0/setup.py") -> None:
        kind = {"gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz", "tar": "w"}[name.rpartition(".")[2]]
        with tarfile.open(self.path("source", name), kind) as file:  # type: ignore[call-overload]
            for item in (member(project), *members):
                content = b"x" if item.isreg() else b""
                item.size = len(content)
                file.addfile(item, io.BytesIO(content))

    def put(self, archive: str = "alpha-1.0.tar.gz", folder: str = "", version: str = "1.0") -> str:
        """Returns the folder to build in, below the one of the test, or what is wrong."""
        for name in ("build", "build.sdist"):
            shutil.rmtree(self.path(name), ignore_errors=True)
        done = self.run_file("source.py", archive, folder, version, self.path("source"), self.path("build"))
        self.assertNotIn("Traceback", done.stderr)
        return (done.stdout or done.stderr).strip().replace(self.folder + "/", "")

    def test_sdists(self) -> None:
        for name in ("alpha-1.0.tar.gz", "alpha-1.0.tar.bz2", "alpha-1.0.tar.xz", "alpha-1.0.tar"):
            self.sdist(name=name)
            self.assertEqual(self.put(name), "build")
            self.assertTrue(os.path.isfile(self.path("build/setup.py")))
        with zipfile.ZipFile(self.path("source/alpha-1.0.zip"), "w") as file:
            file.writestr("alpha-1.0/pyproject.toml", "")
        self.assertEqual(self.put("alpha-1.0.zip"), "build")

    def test_sdists_of_other_makers(self) -> None:
        for what, project, members in [
            ("./ before each name", "./alpha-1.0/setup.py", []),
            ("a file beside the folder", "alpha-1.0/setup.py", [member("package.xml")]),
            ("a folder beside the folder", "alpha-1.0/setup.py", [member("docs/x")]),
            ("no folder", "setup.py", []),
            ("another folder's name", "main/setup.py", [member("main/a", tarfile.SYMTYPE, "setup.py")]),
            ("a hard link inside", "a/setup.py", [member("a/b", tarfile.LNKTYPE, "a/setup.py")]),
        ]:
            with self.subTest(what):
                self.sdist(*members, project=project)
                self.assertEqual(self.put(), "build")
                self.assertTrue(os.path.isfile(self.path("build/setup.py")))

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
            ("pipe is no file, folder or link", member("pipe", tarfile.FIFOTYPE)),
        ]:
            with self.subTest(want):
                self.sdist(*members)
                self.assertEqual(self.put(), "alpha-1.0.tar.gz: " + want)

    def test_no_project(self) -> None:
        self.sdist(project="a/x.txt")
        self.assertEqual(self.put(), "build")  # whose build says what is missing
        self.sdist(member("b/setup.py"))
        self.assertIn("2 folders of it have one of", self.put())
        self.write(b"no archive", "source", "x.tar.gz")
        self.assertIn("x.tar.gz: ", self.put("x.tar.gz"))

    def test_trees(self) -> None:
        self.write(b"", "source/py/setup.py")
        os.symlink("setup.py", self.path("source/py/link"))
        self.assertEqual(self.put("", "py", ""), "build/py")
        self.assertTrue(os.path.islink(self.path("build/py/link")))

    def test_the_folder_that_versioneer_asks_for(self) -> None:
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


if __name__ == "__main__":
    unittest.main()

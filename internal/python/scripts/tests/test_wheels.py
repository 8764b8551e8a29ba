import hashlib
import io
import os
import unittest
import zipfile

from world import WithServer, wheel, zipped

import web
import wheels

SITE = wheels.SITE


class MeasureTest(WithServer):
    FILES = {"a/__init__.py": b"1234", "a-1.0.data/scripts/tool": b"#!python\n", "a-1.0.data/purelib/b.py": b"", "a/empty/": b""}

    def setUp(self) -> None:
        super().setUp()
        self.name, self.data = wheel("a", files=self.FILES)
        self.sha256 = hashlib.sha256(self.data).hexdigest()

    def measure(self, sha256: str = "", path: str | None = None, name: str = "", version: str = "1.0", **how: object) -> dict:
        url = self.server.put(f"/{name or self.name}", how.pop("data", self.data), **how)
        dist = {"name": "a", "version": version, "file": name or self.name, "url": url, "sha256": sha256, "size": 0, "unpacked": 0}
        return wheels.measure(dist, path)

    def check(self, dist: dict) -> None:
        self.assertEqual((dist["sha256"], dist["size"]), (self.sha256, len(self.data)))
        self.assertEqual(dist["entries"][f"{SITE}/a/__init__.py"][0], 4)
        self.assertEqual(dist["unpacked"], sum(size for size, _ in dist["entries"].values()))

    def test_a_wheel_with_a_hash_is_not_fetched(self) -> None:
        self.check(self.measure(self.sha256))
        self.assertTrue(all("Range" in headers for method, _, headers in self.server.seen if method == "GET"))

    def test_a_server_that_does_less_is_asked_for_all(self) -> None:
        for how in {"ranges": False}, {"length": False}, {"head": 405}:
            with self.subTest(how=how):
                self.check(self.measure(self.sha256, **how))

    def test_what_has_no_hash_gets_one(self) -> None:
        self.check(self.measure())

    def test_what_lies_here_is_read_here(self) -> None:
        path = os.path.join(self.folder, self.name)
        with open(path, "wb") as file:
            file.write(self.data)
        self.check(self.measure(path=path))
        self.assertEqual(self.server.seen, [])
        self.assertIn("was promised", self.fault(lambda: self.measure("0" * 64, path=path)).message)

    def test_other_bytes_than_promised_are_refused(self) -> None:
        told = self.fault(lambda: self.measure("0" * 64, ranges=False))
        self.assertEqual(told.kind, "failure")
        self.assertIn(f"its sha256 is {self.sha256}, and {'0' * 64} was promised", told.message)

    def test_big_wheels_are_not_held_in_memory(self) -> None:
        self.replace(web, "read_all", None)
        self.check(self.measure())

    def test_garbage_is_no_wheel(self) -> None:
        for sha256 in "", hashlib.sha256(b"garbage").hexdigest():
            told = self.fault(lambda: self.measure(sha256, data=b"garbage"))
            self.assertEqual(told.kind, "failure")
            self.assertIn(f"{self.server.url}/{self.name}: it is not a wheel", told.message)

    def test_an_sdist_is_only_weighed(self) -> None:
        dist = self.measure("0" * 64, name="a-1.0.tar.gz")
        self.assertEqual((dist["size"], dist["unpacked"], "entries" in dist), (len(self.data), 0, False))
        self.assertEqual(self.server.asked("/a-1.0.tar.gz"), ["HEAD"])

    def test_a_wheel_of_many_files(self) -> None:
        _, data = wheel("a", files={f"a/{i:05}-{'x' * 90}": b"" for i in range(6000)})
        dist = self.measure(hashlib.sha256(data).hexdigest(), data=data)
        self.assertEqual(len(dist["entries"]), 6003)

    def check_refused(self, says: str, data: bytes, name: str = "") -> None:
        """By its parts, as a whole and from a folder: it is the same fault."""
        name = name or self.name
        path = os.path.join(self.folder, "local")
        with open(path, "wb") as file:
            file.write(data)
        for how in {"sha256": hashlib.sha256(data).hexdigest()}, {"sha256": ""}, {"path": path}:
            told = self.fault(lambda: self.measure(name=name, data=data, **how))
            self.assertEqual((told.kind, told.message), ("failure", f"{self.server.url}/{name}: {says}"))

    def test_a_wheel_of_another(self) -> None:
        for name, version, says in (
            ("a", "1.0.0", ""), ("A", "1", ""),
            ("b", "1.0", "its file name is of a 1.0, and its METADATA is of b 1.0"),
            ("a", "1.0+cu1", "its file name is of a 1.0, and its METADATA is of a 1.0+cu1"),
            ("a", "odd", "its file name is of a 1.0, and its METADATA is of a odd"),
        ):  # fmt: skip
            with self.subTest(name=name, version=version):
                data = self.spoiled(("METADATA", f"Name: {name}\nVersion: {version}\n\nName: x\n".encode()))
                if says:
                    self.check_refused(says, data)
                else:
                    self.measure(data=data)

    def test_names_of_files_that_lie(self) -> None:
        for name, says in {
            "b-1.0-py3-none-any.whl": "its file name is of b 1.0, and its METADATA is of a 1.0",
            "a-1.0.1-1-py3-none-any.whl": "its file name is of a 1.0.1, and its METADATA is of a 1.0",
            "a-1.0.0-py3-none-any.whl": "its folder is a-1.0.dist-info, and its METADATA is of a 1.0",
            "a-1.0.whl": "a-1.0.whl is no name of a wheel, and its METADATA is of a 1.0",
            f"a-1.0-py3-none-any{'_x' * 150}.whl": "its name has 322 bytes, and a file's name has at most 255",
        }.items():
            with self.subTest(name=name):
                self.check_refused(says, self.data, name)

    def test_names_of_files_in_other_words(self) -> None:
        for version, spelt in ("1.0+cu1.x", "1.0+cu1_x"), ("1.0-1", "1.0_1"):
            name, data = wheel("A.b", version)
            self.measure(name=name.replace("A.b-" + version, "a_b-" + spelt), data=data, version="")

    def test_a_file_that_got_a_local_version_when_it_was_released(self) -> None:
        self.measure(name="a-1.0+cu12x-py3-none-any.whl", data=self.data, version="1.0")
        self.check_refused("its file name is of a 1.1+cu12x, and its METADATA is of a 1.0", self.data, "a-1.1+cu12x-py3-none-any.whl")

    def test_another_than_was_locked(self) -> None:
        dist = {"name": "b", "version": "1.0", "file": self.name, "url": self.server.put("/" + self.name, self.data), "sha256": "", "size": 0, "unpacked": 0}
        self.assertIn("it should be b 1.0, and its METADATA is of a 1.0", self.fault(lambda: wheels.measure(dist, None)).message)

    def spoiled(self, *changes: tuple[str, bytes | None]) -> bytes:
        """Returns the wheel with other files of metadata, or without them."""
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        files |= {f"a-1.0.dist-info/{name}": data for name, data in changes}
        return zipped({name: data for name, data in files.items() if data is not None})

    def test_a_wheel_that_lacks_something(self) -> None:
        for name in "METADATA", "WHEEL", "RECORD":
            self.check_refused(f"it is not a wheel: its .dist-info has no {name}", self.spoiled((name, None)))
        self.check_refused("its METADATA has no Name", self.spoiled(("METADATA", b"Version: 1.0\n")))
        self.check_refused("its METADATA has no Version", self.spoiled(("METADATA", b"Name: a\n\nVersion: 1.0\n")))
        self.check_refused("it is not a wheel: it has no .dist-info folder", zipped({"a.py": b"", "x.dist-info": b""}))
        self.check_refused("it is not a wheel: it has several .dist-info folders, a-1.0.dist-info, b.dist-info", zipped({"a-1.0.dist-info/x": b"", "b.dist-info/x": b""}))

    def test_a_damaged_wheel(self) -> None:
        for data in b"", b"garbage", self.data[:-30], self.data.replace(b"PK\3\4", b"PK\3\5"):
            with self.subTest(data=data[:9]):
                told = self.fault(lambda: self.measure(data=data))
                self.assertEqual(told.kind, "failure")
                self.assertIn(f"{self.server.url}/{self.name}: it is not a wheel: ", told.message)

    def test_names_that_no_file_can_have(self) -> None:
        long = "ü" * 128
        self.check_refused(f"it holds a file whose name has 256 bytes, and a file's name has at most 255: {long[:40]}…", wheel("a", files={f"a/{long}/x": b""})[1])
        self.measure(data=wheel("a", files={f"a/{'x' * 255}/{'x' * 255}": b""})[1])


class InstalledTest(unittest.TestCase):
    def test_where_files_of_a_wheel_are(self) -> None:
        for name, want in {
            "a/b.py": f"{SITE}/a/b.py",
            "a-1.0.dist-info/RECORD": f"{SITE}/a-1.0.dist-info/RECORD",
            "a-1.0.data/purelib/x.py": f"{SITE}/x.py",
            "a-1.0.data/platlib/x.so": f"{SITE}/x.so",
            "a-1.0.data/scripts/tool": "/usr/local/bin/tool",
            "a-1.0.data/data/share/x": "/usr/local/share/x",
            "a-1.0.data/headers/x.h": "/usr/local/include/a-1.0/x.h",
            "a/b.data/scripts/x": f"{SITE}/a/b.data/scripts/x",
        }.items():
            with self.subTest(name=name):
                self.assertEqual(wheels.installed(name), want)


class CollisionsTest(unittest.TestCase):
    def dist(self, name: str, **files: int) -> dict:
        return {"name": name, "version": "1.0", "entries": {f"{SITE}/{path.replace('__', '/')}": (1, crc) for path, crc in files.items()}}

    def check(self, *want: str, collisions: list[str] | None = None, prune: list[str] | None = None) -> None:
        dists = [self.dist("a", x=1, d__y=1, d__z=1, own=1), self.dist("b", x=1, d__y=2, d__z=2), {"name": "tree", "version": "0"}]
        self.assertEqual(wheels.collisions(dists, collisions or [], prune or []), list(want))

    def test_the_first_path_stands_for_all(self) -> None:
        self.check("a 1.0 and b 1.0 both hold d/y and 1 more, with different content")

    def test_some_are_allowed_or_never_installed(self) -> None:
        self.check("a 1.0 and b 1.0 both hold d/z, with different content", collisions=["d/y"])
        self.check("a 1.0 and b 1.0 both hold d/z, with different content", prune=["d/*", "!d/z"])
        self.check(collisions=["d/y"], prune=["**/z"])

    def test_every_pair_is_told(self) -> None:
        dists = [self.dist("a", x=1), self.dist("b", x=2), self.dist("c", x=3)]
        self.assertEqual(wheels.collisions(dists, [], []), [
            "a 1.0 and b 1.0 both hold x, with different content", "a 1.0 and c 1.0 both hold x, with different content",
        ])


if __name__ == "__main__":
    unittest.main()

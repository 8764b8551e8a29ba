import os
import sys
import unittest

from packaging.tags import sys_tags
from world import WithServer

import pylock

SUM = "0" * 64
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def wheel(name: str, hashes: str = f'sha256 = "{SUM}"') -> str:
    return f'{{ name = "{name}", url = "https://f.example/{name}", hashes = {{ {hashes} }} }}'


class ChooseTest(WithServer):
    def choose(self, text: str, *omitted: str, head: str = 'lock-version = "1.0"\n') -> list[dict]:
        path = os.path.join(self.folder, "pylock.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(head + text)
        return pylock.choose(path, dict.fromkeys(omitted, ""))

    def package(self, name: str, rest: str = "", version: str = "1.0") -> str:
        return f'[[packages]]\nname = "{name}"\nversion = "{version}"\n' + (rest or f'wheels = [{wheel(f"{name}-1.0-py3-none-any.whl")}]') + "\n"

    def check(self, *want: str, text: str, **how: str) -> None:
        told = self.fault(lambda: self.choose(text, **how))
        self.assertEqual(told.kind, "usage")
        lines = told.message.splitlines()
        self.assertEqual(len(lines), len(want), lines)
        for line, part in zip(lines, want):
            self.assertIn(part, line)

    def test_a_wheel(self) -> None:
        self.assertEqual(self.choose(self.package("A_b")), [{
            "name": "a-b", "version": "1.0", "file": "A_b-1.0-py3-none-any.whl", "url": "https://f.example/A_b-1.0-py3-none-any.whl", "sha256": SUM, "size": 0, "unpacked": 0,
        }])

    def test_markers(self) -> None:
        text = (self.package("a", f'marker = "python_version < \'3\'"\nsdist = {wheel("a-1.0.tar.gz")}') + self.package("b", f'marker = "sys_platform == \'linux\'"\nsdist = {wheel("b-1.0.tar.gz")}')
                + self.package("c") + self.package("d"))
        self.assertEqual([d["name"] for d in self.choose(text, "c")], ["b", "d"])

    def test_the_best_wheel_wins(self) -> None:
        best, some = next(sys_tags()), "py2.py3-none-any"
        files = [f"a-1.0-{some}.whl", "a-1.0-cp39-cp39-win_amd64.whl", f"a-1.0-{best}.whl", "odd.whl"]
        listed = ", ".join(map(wheel, files))
        self.assertEqual(self.choose(self.package("a", f"wheels = [{listed}]\nsdist = {wheel('a-1.0.tar.gz')}"))[0]["file"], f"a-1.0-{best}.whl")
        listed = ", ".join(map(wheel, files[:2]))
        self.assertEqual(self.choose(self.package("a", f"wheels = [{listed}]"))[0]["file"], f"a-1.0-{some}.whl")

    def test_an_sdist_where_no_wheel_fits(self) -> None:
        listed = f'wheels = [{wheel("a-1.0-cp39-cp39-win_amd64.whl")}]\n'
        self.assertEqual(self.choose(self.package("a", f"{listed}sdist = {wheel('a-1.0.tar.gz')}"))[0]["file"], "a-1.0.tar.gz")
        self.check("a has neither an sdist nor a wheel for this Python and platform (a-1.0-cp39-cp39-win_amd64.whl)", text=self.package("a", listed))

    def test_an_archive_and_names_from_urls(self) -> None:
        text = self.package("a", f'archive = {{ url = "https://f.example/x/a%2Bb-1.0.zip#egg=a", hashes = {{ sha256 = "{SUM}" }} }}')
        d = self.choose(text)[0]
        self.assertEqual((d["file"], d["url"]), ("a+b-1.0.zip", "https://f.example/x/a%2Bb-1.0.zip"))

    def test_git_trees(self) -> None:
        vcs = f'vcs = {{ type = "git", url = "https://g.example/a.git", commit-id = "{COMMIT}", subdirectory = "sub" }}'
        d = self.choose(f'[[packages]]\nname = "a"\n{vcs}\n')[0]
        self.assertEqual((d["url"], d["version"], d["file"]), (f"git+https://g.example/a.git@{COMMIT}#subdirectory=sub", "0+0123456789ab", ""))

    def test_all_faults_at_once(self) -> None:
        python = f'requires-python = "<3"\nwheels = [{wheel("x-1.0-py3-none-any.whl")}]'
        self.check(
            "pylock: old is for Python <3, and the image has 3.",
            "bare: bare-1.0-py3-none-any.whl has no sha256",
            "tree: only git trees with an address and a commit-id",
            "folder is a folder: list it as [python] sources",
            "nothing has neither an sdist nor a wheel for this Python and platform ()",
            "beside: a.whl lies beside the lock",
            "part: only a whole archive can be locked",
            "secret: its URL holds a login for f.example",
            "gitted: its URL holds a login for g.example",
            "marked: marker \"'dev' in extras\" can not be read",
            "odd is for Python 'x', which can not be read",
            "a package can not be read: KeyError: 'name'",
            "unnumbered has no version",
            "urls can not be read: ",
            text=self.package("fine") + self.package("old", python)
            + self.package("bare", f'wheels = [{wheel("bare-1.0-py3-none-any.whl", "md5 = 1")}]')
            + self.package("tree", 'vcs = { type = "hg", url = "https://x" }') + self.package("folder", 'directory = { path = "x" }')
            + self.package("nothing", "wheels = []")
            + self.package("beside", f'sdist = {{ path = "a.whl", hashes = {{ sha256 = "{SUM}" }} }}')
            + self.package("part", f'archive = {{ url = "https://f.example/a.zip", subdirectory = "s", hashes = {{ sha256 = "{SUM}" }} }}')
            + self.package("secret", f'sdist = {{ url = "https://me:geheim@f.example/a.zip", hashes = {{ sha256 = "{SUM}" }} }}')
            + self.package("gitted", f'vcs = {{ type = "git", url = "https://geheim@g.example/a.git", commit-id = "{COMMIT}" }}')
            + self.package("marked", "marker = \"'dev' in extras\"") + self.package("odd", 'requires-python = "x"')
            + '[[packages]]\nversion = "1"\n' + f'[[packages]]\nname = "unnumbered"\nsdist = {wheel("a.zip")}\n' + self.package("urls", "wheels = [1]"),
        )  # fmt: skip

    def test_the_lock_as_a_whole(self) -> None:
        self.check("lock-version is '2.0', want 1.x", text="", head='lock-version = "2.0"\n')
        self.check("lock-version is None, want 1.x", text="", head="")
        self.check(f"the lock is for Python <3, and the image has {sys.version_info.major}.", text='requires-python = "<3"\n')
        self.check("the lock is for Python 'x', which can not be read", text='requires-python = "x"\n')
        self.assertEqual(self.choose('requires-python = ">=3"\n'), [])


if __name__ == "__main__":
    unittest.main()

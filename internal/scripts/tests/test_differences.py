import json
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import PYTHON, SCRIPTS, WithDir


class DifferencesTest(WithDir):
    def test_what_differs_is_told_once(self) -> None:
        self.write(b"Package: x\n", "lists", "status")
        self.write(b"/var/lib/owned\n", "lists", "owner.list")
        self.write(b"date >/var/lib/content\n", "lists", "maker.postinst")
        for side, more in (("first", b"a"), ("second", b"b")):
            self.write(b"same", side, "etc", "same")
            os.symlink("same", self.path(side, "etc", "link"))
            self.write(b"x" * 70000 + more, side, "var", "lib", "content")
            self.write(more, side, "var", "lib", "owned")
            self.write(b"x" * (1 if side == "first" else 2), side, "var", "lib", "longer")
            os.symlink(more.decode(), self.path(side, "var", "lib", "link"))
            self.write(b"", side, "mode")
            os.chmod(self.path(side, "mode"), 0o600 if side == "first" else 0o644)
            self.write(b"", side, f"only-{side}", "deep", "file")
        os.utime(self.path("first", "etc", "same"), (0, 0))
        command = [PYTHON, "-I", "-S", os.path.join(SCRIPTS, "differences.py"), self.path("out.json"), self.directory]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with open(self.path("out.json"), encoding="utf-8") as file:
            found = json.load(file)
        self.assertEqual(
            [(one["path"], one["what"], one["packages"]) for one in found],
            [
                ("/mode", "mode 100600 or 100644", []),
                ("/only-first", "it exists only the first time", []),
                ("/only-second", "it exists only the second time", []),
                ("/var/lib/content", "content, from byte 70000 on", ["maker"]),
                ("/var/lib/link", "a link to a or b", []),
                ("/var/lib/longer", "content, from byte 1 on", []),
                ("/var/lib/owned", "content, from byte 0 on", ["owner"]),
            ],
        )


if __name__ == "__main__":
    unittest.main()

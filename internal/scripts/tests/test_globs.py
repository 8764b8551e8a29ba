import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from globs import Globs, subject


class GlobsTest(unittest.TestCase):
    def test_match_whole_paths(self) -> None:
        for glob, path, want in [
            ("**/*.a", "libx.a", True),
            ("**/*.a", "torch/lib/libx.a", True),
            ("**/*.a", "torch/lib/libx.aa", False),
            ("*.a", "torch/libx.a", False),
            ("torch/include", "torch/include/ATen/ATen.h", True),
            ("torch/include/", "torch/include/ATen/ATen.h", True),
            ("torch/include/**", "torch/include/ATen/ATen.h", True),
            ("torch/include", "torch/included", False),
            ("*/include", "torch/include/x.h", True),
            ("*/include", "nvidia/cudnn/include/x.h", False),
            ("**/tests/**", "tests/x.py", True),
            ("a/**/b", "a/b", True),
            ("lib?.so", "libx.so", True),
            ("a?b", "a/b", False),
            ("c++/[x]", "c++/[x]", True),
            ("a*", "a\nb", True),
        ]:
            with self.subTest(glob=glob, path=path):
                self.assertEqual(Globs([glob]).decider(path) == glob, want)

    def test_the_last_that_matches_decides(self) -> None:
        globs = Globs(["**/*.h", "!torch/**", "torch/include/caffe2"])
        self.assertEqual(globs.decider("x/y.h"), "**/*.h")
        self.assertIsNone(globs.decider("torch/include/y.h"))
        self.assertEqual(globs.decider("torch/include/caffe2/y.h"), "torch/include/caffe2")

    def test_paths_are_those_in_site_packages_or_else_in_usr_local(self) -> None:
        site = "/usr/local/lib/python3.11/dist-packages"
        self.assertEqual(subject(f"{site}/a/b", site), "a/b")
        self.assertEqual(subject("/usr/local/bin/x", site), "bin/x")


if __name__ == "__main__":
    unittest.main()

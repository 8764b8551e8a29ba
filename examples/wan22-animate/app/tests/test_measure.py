"""The script that measures a card runs through on the CPU, and packs what it needs."""

import contextlib
import io
import tempfile
import unittest
import zipfile
from pathlib import Path

import measure

from tests.test_loras import TORCH


class NeedsTest(unittest.TestCase):
    def test_names(self):
        self.assertEqual(list(measure._wanted(["numpy>=1.17", "PyYAML ; python_version > '3'", "pytest; extra == 'test'"])), ["numpy", "PyYAML"])
        self.assertEqual(measure.needs(("numpy", "torchvision", "nvidia-cublas-cu12", "no-such-distribution")), set())


@TORCH
class MeasureTest(unittest.TestCase):
    def test_all_the_way(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.assertEqual(measure.main(["--device", "cpu", "--tiny", "--steps", "2"]), 0)
        rows = [line.split()[0] for line in said.getvalue().splitlines()[2:]]
        self.assertEqual(rows, ["prompt", "picture", "(warm", "sampling", "encoding", "decoding"])

    def test_packed(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "measure.pyz")
            with contextlib.redirect_stdout(io.StringIO()):
                measure.main(["--pack", str(path)])
            self.assertLess(path.stat().st_size, 64 * 10**6)
            names = zipfile.ZipFile(path).namelist()
        for name in ("__main__.py", "app/plan.py", "site/diffusers/__init__.py", "site/transformers/__init__.py", "site/regex/__init__.py"):
            self.assertIn(name, names)
        self.assertFalse([name for name in names if name.startswith(("site/torch/", "site/numpy/", "site/nvidia/"))])

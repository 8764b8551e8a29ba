"""Weights: the reader, the loader, the masks, and the committed files."""

import json
import runpy
import struct
import tempfile
import unittest
from pathlib import Path

import numpy as np
import safetensors
from model import FILES, ellipse, load_model, resize

WEIGHTS = Path(__file__).parents[2] / "weights"


def packed(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="U8", shape=(2,), data_offsets=(0, 2)):
    return {"t": {"dtype": dtype, "shape": shape, "data_offsets": data_offsets}}


class SafetensorsTest(unittest.TestCase):
    def test_reads(self):
        header = entry(dtype="F32", shape=[1, 2], data_offsets=[0, 8]) | {"__metadata__": {"a": "b"}}
        got = safetensors.parse(packed(header, struct.pack("<2f", 1, -2)))
        self.assertEqual({name: t.tolist() for name, t in got.items()}, {"t": [[1.0, -2.0]]})

    def test_refuses(self):
        for name, content in {
            "short": b"1234567", "length beyond the file": struct.pack("<Q", 9) + b"{}",
            "length beyond reason": struct.pack("<Q", 1 << 63), "not JSON": packed(b"{"),
            "not an object": packed([]), "not an entry": packed({"t": 1}),
            "no dtype": packed({"t": {}}), "unknown dtype": packed(entry(dtype="F16"), b"ab"),
            "data beyond the file": packed(entry(), b"a"), "wrong size": packed(entry(shape=[3]), b"abc"),
            "backwards": packed(entry(shape=[0], data_offsets=[2, 0]), b"ab"),
            "negative": packed(entry(shape=[-1, -2]), b"ab"),
            "not numbers": packed(entry(data_offsets=["0", "2"]), b"ab"),
            "three offsets": packed(entry(data_offsets=[0, 1, 2]), b"ab"),
        }.items():  # fmt: skip
            with self.subTest(name), self.assertRaises(ValueError):
                safetensors.parse(content)


class WeightsTest(unittest.TestCase):
    def test_committed_files_are_what_the_generator_writes(self):
        files = runpy.run_path(str(WEIGHTS / "generate.py"))["files"]()
        self.assertEqual(sorted(files), sorted(FILES))
        self.assertEqual(sorted(files), sorted(p.name for p in WEIGHTS.glob("*.safetensors")))
        for name, content in files.items():
            self.assertEqual((WEIGHTS / name).read_bytes(), content, name)
        self.assertLess(sum(map(len, files.values())), 200_000)

    def test_load(self):
        model = load_model(str(WEIGHTS))
        self.assertEqual(model.look.taps.size, 25)
        self.assertEqual(model.face.shape, (128, 128))
        self.assertIn(str(WEIGHTS), model.source)

    def test_none_at_all_means_built_in(self):
        with tempfile.TemporaryDirectory() as empty:
            for directory in ("", "/no/such/directory", empty):
                model = load_model(directory)
                self.assertIn("built-in", model.source)
                self.assertEqual(model.face_mask(3, 5).shape, (3, 5))

    def test_incomplete_or_damaged_is_an_error(self):
        with tempfile.TemporaryDirectory() as directory:
            for name in FILES[:2]:
                Path(directory, name).write_bytes((WEIGHTS / name).read_bytes())
            with self.assertRaisesRegex(ValueError, "no mask.safetensors"):
                load_model(directory)
            Path(directory, FILES[2]).write_bytes(b"\1" * 100)
            with self.assertRaisesRegex(ValueError, "mask.safetensors: header"):
                load_model(directory)
            Path(directory, FILES[2]).write_bytes(packed({}))
            with self.assertRaisesRegex(ValueError, "face is not"):
                load_model(directory)


class MaskTest(unittest.TestCase):
    def test_resize(self):
        face = load_model(str(WEIGHTS)).face
        np.testing.assert_array_equal(resize(face, 128, 128), face)
        np.testing.assert_array_equal(resize(np.full((2, 2), 7, np.uint8), 5, 9), np.full((5, 9), 7))
        self.assertEqual(resize(np.array([[0, 100], [0, 100]], np.uint8), 1, 4).tolist(), [[0, 25, 75, 100]])
        for height, width in ((1, 1), (1, 300), (500, 3)):
            self.assertEqual(resize(face, height, width).shape, (height, width))

    def test_ellipse(self):
        self.assertEqual(ellipse(1, 1).tolist(), [[255]])
        mask = ellipse(40, 60)
        self.assertEqual(mask.dtype, np.uint8)
        np.testing.assert_array_equal(mask, mask[::-1, ::-1])
        self.assertEqual((mask[0, 0], mask[20, 0], mask[0, 30], mask[20, 30]), (0, 255, 255, 255))
        self.assertAlmostEqual(mask.mean() / 255, np.pi / 4, delta=0.01)


if __name__ == "__main__":
    unittest.main()

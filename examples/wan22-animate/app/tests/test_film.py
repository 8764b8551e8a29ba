"""Frames as preprocessing leaves them, read by the real decord and OpenCV."""

import importlib.util
import subprocess
import sys
import unittest

from tests.support import APP
from tests.test_ingest import RealCase

CODE = f"""
import sys
sys.path[:0] = [{str(APP)!r}]
from film import Film
from pathlib import Path
film = Film(Path(sys.argv[1]), True)
whole = film.read("pose", 0, film.count)
assert (film.count, film.height, film.width) == (90, 96, 128), (film.count, film.height, film.width)
for start, stop in ((0, 77), (76, 90), (40, 41), (3, 80)):
    assert (film.read("pose", start, stop) == whole[start:stop]).all(), (start, stop)
assert len({{frame.tobytes() for frame in whole}}) == 90
assert film.read("mask", 5, 9).shape == (4, 96, 128) and film.read("face", 5, 9).shape == (4, 96, 128, 3)
assert film.reference().shape == (64, 96, 3) and film.reference()[0, 0, 0] > 250
try:
    Film(Path(sys.argv[2]), False)
except ValueError as err:
    assert "different lengths" in str(err)
else:
    raise AssertionError("films of different lengths are taken")
"""


@unittest.skipUnless(importlib.util.find_spec("decord"), "decord is missing")
class FilmTest(RealCase):
    def test_frames_of_any_range(self):
        films, broken = self.home / "films", self.home / "broken"
        films.mkdir()
        broken.mkdir()
        for name in ("src_pose", "src_face", "src_bg", "src_mask"):
            self.film(3.0, sound=False).rename(films / f"{name}.mp4")
        for name, seconds in (("src_pose", 1.0), ("src_face", 2.0)):
            self.film(seconds, sound=False).rename(broken / f"{name}.mp4")
        # small, and so with a small compression window
        self.ffmpeg("-f", "lavfi", "-i", "color=red:s=96x64:d=1", "-frames:v", 1, films / "src_ref.png")
        done = subprocess.run([sys.executable, "-c", CODE, films, broken], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

"""Files by their first bytes, ffmpeg's output about them, and programs that jobs run."""

import struct
import sys
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

import errors
import problems
import ffmpeg
import directory
import log
import media
import process
import web

from tests.support import Case, png

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + b"\0" * 9 + b"\xff\xc4\x00\x04\0\0" + b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 480, 640) + b"\x03" + b"\0" * 9


def webp(form, body):
    return b"RIFF" + struct.pack("<I", len(body) + 12) + b"WEBP" + form + struct.pack("<I", len(body)) + body


class MediaTest(unittest.TestCase):
    def test_containers(self):
        for head, kind in (
            (b"\0\0\0\x18ftypisom", "mp4"), (b"\0\0\0\x08wide", "mp4"), (b"\x1a\x45\xdf\xa3", "mkv"), (b"RIFF\0\0\0\0AVI LIST", "avi"), (b"FLV\x01", "flv"),
            (b"\x47" + b"\0" * 187 + b"\x47", "ts"), (b"\0\0\x01\xba", "mpg"), (b"\x30\x26\xb2\x75\x8e", "asf"),
            (b"#EXTM3U\n", ""), (b"ffconcat version 1.0", ""), (b"<?xml <MPD", ""), (b"v=0\no=- 0", ""), (b"GIF89a", ""), (b"", ""), (b"RIFF\0\0\0\0WAVE", ""),
        ):  # fmt: skip
            self.assertEqual(media.container(head, 10_000), kind, head)

    def test_a_box_fits_into_its_file(self):
        for size, kind in ((0, "mp4"), (1, "mp4"), (2, ""), (7, ""), (8, "mp4"), (2000, "mp4"), (2001, "")):
            self.assertEqual(media.container(struct.pack(">I", size) + b"ftypisom", 2000), kind, size)
        self.assertEqual(media.container(b"<!--free--><MPD xmlns", 200_000_000), "")

    def test_playlists_behind_the_first_bytes_of_a_container(self):
        for head in (b"\x1a\x45\xdf\xa3", b"FLV\x01", b"<!--free", b"G" + b" " * 187 + b"G"):
            for text in (b'<mpd profiles="urn:mpeg:dash:profile:isoff-live:2011">', b"<CompositionPlaylist", b"\nc=IN IP4 127.0.0.1\n"):
                self.assertEqual(media.container(head + text, 2 << 30), "", head + text)
        self.assertEqual(media.container(b"\x1a\x45\xdf\xa3\0<MPD", 2000), "mkv")  # where no text reaches

    def test_pictures(self):
        for content, found in (
            (png(80, 64), ("png", (80, 64))), (JPEG, ("jpg", (640, 480))),
            (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 320, 200 | 0x4000) + b"\0" * 9), ("webp", (320, 200))),
            (webp(b"VP8L", b"\x2f" + struct.pack("<I", 319 | 199 << 14) + b"\0" * 9), ("webp", (320, 200))),
            (webp(b"VP8X", b"\0\0\0\0" + (319).to_bytes(3, "little") + (199).to_bytes(3, "little")), ("webp", (320, 200))),
            (b"GIF89a", None), (b"", None), (b"\xff\xd8\xff\xda\0\0", None), (webp(b"ALPH", b"\0" * 9), None), (b"RIFF\0\0\0\0WEBP", None),
        ):  # fmt: skip
            self.assertEqual(media.picture(content), found, content[:20])

    def test_pictures_that_move(self):
        still, moving = png(), png()[:33] + b"\0\0\0\x08acTL" + b"\0" * 12 + png()[33:]
        for content, moves in ((still, False), (moving, True), (webp(b"VP8X", b"\2" + b"\0" * 9), True), (webp(b"VP8X", b"\0" * 10), False), (JPEG, False)):
            self.assertEqual(media.animated(content), moves, content[:20])

    def test_no_picture_however_cut_is_a_surprise(self):
        for content in (png(), JPEG, webp(b"VP8X", b"\0" * 10), webp(b"VP8L", b"\x2f" + b"\0" * 9), webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + b"\0" * 9)):
            for end in range(min(len(content), 200)):
                media.picture(content[:end]) and media.animated(content[:end])


OLD = """Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'av.mp4':
  Metadata:
    major_brand     : isom
    Duration: 00:00:01.00, x: y
    Stream #0:0: Video: fake, 64x64, 30 fps: y
  Duration: 00:01:02.02, start: 0.000000, bitrate: 132 kb/s
    Stream #0:0(und): Video: h264 (High) (avc1 / 0x31637661), yuv420p, 320x240 [SAR 1:1 DAR 4:3], 45 kb/s, 29.97 fps, 30 tbr, 15360 tbn, 60 tbc (default)
    Metadata:
      handler_name    : VideoHandler
    Stream #0:1(und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono, fltp, 73 kb/s (default)
At least one output file must be specified
"""
NEW = """Input #0, matroska,webm, from 'x':
  Duration: N/A, start: 0.000000, bitrate: N/A
  Stream #0:0[0x1](eng): Video: vp9 (Profile 0), yuv420p(tv, bt709), 1920x1080, SAR 1:1 DAR 16:9, 1k fps, 1k tbr, 1k tbn (default)
  Stream #0:1: Video: mjpeg (Baseline), yuvj420p(pc), 600x600 [SAR 1:1 DAR 1:1], 90k tbr, 90k tbn (attached pic)
"""


class ProbeTest(unittest.TestCase):
    def test_parses(self):
        self.assertEqual(ffmpeg.parse(OLD), ffmpeg.Video(62.02, 320, 240, 29.97, True))
        self.assertEqual(ffmpeg.parse(NEW), ffmpeg.Video(0.0, 1920, 1080, 1000.0, False))

    def test_rates(self):
        for words, fps in (("25 fps, 50 tbr", 25), ("50 tbr, 1k tbn", 50), ("90k tbr, 90k tbn", 0), ("1k tbn", 0)):
            text = f"  Duration: 00:00:02.00, start: 0\n  Stream #0:0: Video: png, rgb24(pc), 200x200 [SAR 1:1], {words}\n"
            self.assertEqual(ffmpeg.parse(text).fps, fps)

    def test_is_no_video(self):
        cover = "  Duration: 00:00:02.00, start\n  Stream #0:0: Video: png, rgb24(pc), 600x600, 90k tbr (attached pic)\n"
        audio = "  Duration: 00:00:02.02, start: 0.000000\n    Stream #0:0(und): Audio: aac, 44100 Hz\n"
        for text in ("", "x: Invalid data found when processing input", audio, cover):
            self.assertIsNone(ffmpeg.parse(text))


class ProcessTest(Case):
    def setUp(self):
        super().setUp()
        self.stop, self.heard = threading.Event(), []

    def run_python(self, code, seconds=10):
        return process.run([sys.executable, "-S", "-c", code], self.home, web.Clock(seconds, self.stop), "testing", self.heard.append)

    def test_keeps_the_last_lines(self):
        result = self.run_python("print('x' * 9999)\nfor n in range(2000): print(n)")
        lines = result.text.splitlines()
        self.assertEqual((result.code, len(lines), lines[-1], result.last), (0, process.LINES, "1999", "1999"))
        self.assertEqual((len(self.heard), len(self.heard[0])), (2001, process.WIDTH))

    def test_cuts_at_carriage_returns(self):
        self.run_python(r"import sys; sys.stderr.write('a\rb\r\n\nc'); sys.stderr.write('ü')")
        self.assertEqual(self.heard, ["a", "b", "cü"])

    def test_programs_get_no_secrets_and_the_directory_for_temporary_files(self):
        secrets = {
            "HF_TOKEN": "x", "AWS_SECRET_ACCESS_KEY": "x", "RUNPOD_AI_API_KEY": "x", "RUNPOD_WEBHOOK_GET_JOB": "x", "GOOGLE_APPLICATION_CREDENTIALS": "x",
            "BUCKET_ENDPOINT_URL": "x", "BUCKET_ACCESS_KEY_ID": "x", "PYTHONPATH": "x", "PYTHONSAFEPATH": "1",
        }  # fmt: skip
        with mock.patch.dict("os.environ", secrets | {"HF_HOME": "h"}):
            text = self.run_python("import os; print(*(f'{name}={value}' for name, value in os.environ.items()), sep='\\n')").text
        seen = dict(line.split("=", 1) for line in text.splitlines())
        self.assertFalse(set(secrets) & set(seen))
        self.assertEqual((seen["HF_HOME"], seen["TMPDIR"]), ("h", str(self.home / "tmp")))

    def test_output_that_is_closed(self):
        result = self.run_python("import os, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(5)")
        self.assertEqual(result.code, 5)

    def test_output_that_another_one_holds_open(self):
        started = time.monotonic()
        code = "import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(9)'], start_new_session=%s); print('said')"
        for apart in (True, False):
            self.assertEqual(self.run_python(code % apart).text, "said")
        self.assertLess(time.monotonic() - started, 8)  # of the 9 that the other one sleeps

    def test_a_program_that_ignores_being_told(self):
        with mock.patch("process.TERM_SECONDS", 0.1), self.assertRaises(errors.OutOfTime):
            self.run_python("import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(9)", 0.4)

    def test_a_program_is_asked_first(self):
        code = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit('bye')); print('on', flush=True); time.sleep(9)"
        arguments = [sys.executable, "-S", "-c", code]
        with self.assertRaises(errors.Stopped):
            process.run(arguments, self.home, web.Clock(9, self.stop), "testing", lambda line: self.heard.append(line) or self.stop.set())
        self.assertEqual(self.heard, ["on", "bye"])

    def test_not_there(self):
        with self.assertRaisesRegex(errors.JobError, "testing: nothing can't be started: No such file"):
            process.run(["/opt/nothing"], self.home, web.Clock(5, self.stop), "testing")

    def test_a_program_that_cannot_be_killed_is_the_gpu_s_problem(self):
        with mock.patch("subprocess.Popen.wait", side_effect=process.subprocess.TimeoutExpired("x", 1)):
            with self.assertRaisesRegex(errors.JobError, "can't be killed") as caught:
                self.run_python("import time; time.sleep(9)", 0.1)
        self.assertTrue(caught.exception.refresh)


class ProblemsTest(unittest.TestCase):
    def test_first_causes(self):
        for said, words, refresh in (
            ("onnxruntime ... Failed to allocate memory for requested buffer of size 1", "the GPU's memory is too small", False),
            ("RuntimeError: Found no NVIDIA driver on your system", "the GPU failed", True),
            ("RuntimeError: Torch not compiled with CUDA enabled", "the GPU failed", True),
            ("MemoryError", "because memory ran out", False),
            ("OSError: [Errno 28] No space left on device\nCUDA error", "disk is full", False),
            ("safetensors: Error while deserializing header", "weights are incomplete", False),
            ("ValueError: cannot convert float NaN to integer", "no face was found", False),
            ("utils.py, line 17, in get_mask_boxes\nValueError: zero-size array to reduction operation", "no person was found", False),
            ("ValueError: at least one of points or box must be provided as input", "no person was found", False),
            ("UnboundLocalError: cannot access local variable 'last_kp2ds_body'", "no person was found", False),
            ("no person was found in the film", "no person was found in the driving video", False),
            ("decord._ffi.base.DECORDError: x", "the video can't be decoded", False),
            ("", "failed with exit code 1: it printed nothing", False),
        ):
            err = problems.of("preprocessing", process.Result(1, said))
            self.assertIn(words, str(err))
            self.assertEqual(err.refresh, refresh, said)

    def test_the_last_line_stays(self):
        said = "\n".join(["x" * 500] * 9 + ["KeyError: 'y'"])
        self.assertTrue(str(problems.of("generating", process.Result(1, said))).endswith("KeyError: 'y'"))

    def test_a_face_is_of_preprocessing_only(self):
        self.assertNotIn("face", str(problems.of("generating", process.Result(1, "!ssize.empty()"))))


class ScrubTest(unittest.TestCase):
    def test_hides_paths_and_addresses(self):
        for text, clean in (
            ("open /tmp/processing/x/y.mp4: no", "open …/y.mp4: no"), ("at https://a.example/x?token=1 now", "at <url> now"),
            ("s3://bucket/key", "<url>"), ("5/20 [00:01", "5/20 [00:01"), ('File "/opt/Wan2.2/generate.py", line 3', 'File "…/generate.py", line 3'),
            ("a\x1b[31mb\nc", "a [31mb c"), ("and/or", "and/or"),
        ):  # fmt: skip
            self.assertEqual(log.scrub(text), clean)


class DirTest(Case):
    def setUp(self):
        super().setUp()
        self.root = self.home / "processing"

    def test_is_ours_alone_and_goes_away(self):
        with directory.of_job(self.root, "../a b/ü!-1") as path:
            self.assertEqual(path.parent, self.root)
            self.assertTrue(path.name.startswith("ab-1-"))
            self.assertEqual([oct(where.stat().st_mode & 0o777) for where in (path, self.root)], ["0o700", "0o700"])
            (path / "deep/er").mkdir(parents=True)
            (path / "deep/er/file").touch()
            (path / "deep/er").chmod(0)
            (path / "link").symlink_to(self.home)
        self.assertEqual(list(self.root.iterdir()), [])
        self.assertTrue(self.home.is_dir())

    def test_goes_away_with_an_error(self):
        with self.assertRaisesRegex(errors.JobError, "the worker's disk is full"), directory.of_job(self.root, "x"):
            open("/dev/full", "wb", 0).write(b"x")
        with self.assertRaises(KeyboardInterrupt), directory.of_job(self.root, "x"):
            raise KeyboardInterrupt
        self.assertEqual(list(self.root.iterdir()), [])

    def test_removes_what_killed_workers_left(self):
        (self.root / "dead-1/sub").mkdir(parents=True)
        (self.root / "dead-1/.lock").touch()
        (self.root / "dead-2").mkdir()
        (self.root / "file").touch()
        with directory.of_job(self.root, "alive") as path:
            self.assertEqual(directory.cleanup(self.root), 3)
            self.assertEqual(list(self.root.iterdir()), [path])
        self.assertIn("dead workers left: 3", self.said())

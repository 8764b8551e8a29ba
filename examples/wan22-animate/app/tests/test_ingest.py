"""Films and pictures as people send them, through the real ffmpeg: the output, or the error."""

import os
import struct
import subprocess
import threading
import unittest
from pathlib import Path
from unittest import mock

import encode
import errors
import ffmpeg
import fields
import ingest
import media
import web

from tests.support import Case, job, png

SIZES = fields.Sizes(10**9, 10**9)


def real():
    """Return the ffmpeg of imageio-ffmpeg's wheel, if there is one."""
    if named := os.environ.get("REAL_FFMPEG"):
        return named
    try:
        import imageio_ffmpeg
    except ImportError:
        return ""
    return imageio_ffmpeg.get_ffmpeg_exe()


FFMPEG = real()


class CommandTest(unittest.TestCase):
    """ffmpeg's arguments, without an ffmpeg."""

    def command(self, changes, **video):
        found = ffmpeg.Video(**{"duration": 20.0, "width": 1920, "height": 1080, "fps": 25.0, "sound": True} | video)
        with mock.patch("ffmpeg.program", return_value="FFMPEG"):
            return ingest.command(Path("/j/sent"), "mov", found, fields.parse(job(**changes), SIZES), 30.0, Path("/j/out.mp4"))

    def after(self, words, name):
        return words[words.index(name) + 1]

    def test_reads_this_file_alone_and_as_what_it_is(self):
        words = self.command({})
        self.assertEqual((self.after(words, "-protocol_whitelist"), self.after(words, "-f"), self.after(words, "-map_metadata")), ("file", "mov", "-1"))

    def test_range(self):
        words = self.command({"start": 2.5, "frames": 45, "fps": 15})
        self.assertEqual([self.after(words, name) for name in ("-ss", "-t", "-frames:v")], ["2.500000", "3", "45"])
        words = self.command({"start": 18})
        self.assertEqual([self.after(words, name) for name in ("-ss", "-t", "-frames:v")], ["18.000000", "2", "60"])
        self.assertEqual(self.after(self.command({"start": 1e-5}), "-ss"), "0.000010")

    def test_long_films_are_made_smaller_than_short_ones(self):
        for seconds, area in ((5, 1920 * 1080), (20, 1666667), (30, 1111111)):
            filters = self.after(self.command({"seconds": seconds}, duration=60.0), "-vf")
            self.assertIn(f"sqrt({area}/", filters, seconds)
        self.assertIn("sqrt(921600/", self.after(self.command({"seconds": 30, "fps": 60}, duration=60.0), "-vf"))

    def test_sound(self):
        self.assertIn("0:a:0", self.command({}))
        self.assertNotIn("0:a:0", self.command({"audio": "none"}))
        self.assertNotIn("0:a:0", self.command({}, sound=False))


@unittest.skipUnless(FFMPEG, "imageio-ffmpeg is not here, and REAL_FFMPEG names no ffmpeg")
class RealCase(Case):
    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch.dict(os.environ, {"FFMPEG": FFMPEG}))
        self.clock = web.Clock(120, threading.Event())

    def ffmpeg(self, *arguments):
        done = subprocess.run([FFMPEG, "-v", "error", "-y", *map(str, arguments)], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def film(self, seconds=1.0, size="128x96", rate=30, sound=True, name="sent.mp4", pictures="testsrc2", codec=()):
        """Make a film."""
        inputs = ["-f", "lavfi", "-i", f"{pictures}=s={size}:r={rate}:d={seconds}"]
        inputs += ["-f", "lavfi", "-i", f"sine=d={seconds}"] if sound else []
        path = self.home / name
        self.ffmpeg(*inputs, *(codec or ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")), path)
        return path

    def take(self, path, **changes):
        """Convert a film, as a job does."""
        self.out = self.home / "out.mp4"
        return ingest.film(path, media.check_video(path), fields.parse(job(**changes), SIZES), 30.0, self.out, self.clock)

    def problem(self, path, **changes):
        with self.assertRaises(errors.InputError) as caught:
            self.take(path, **changes)
        return str(caught.exception)

    def pixels(self, path, size, frame=0):
        """Return a frame's pixels."""
        width, height = size
        data = self.ffmpeg("-i", path, "-vf", f"select=eq(n\\,{frame})", "-frames:v", 1, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
        self.assertEqual(len(data), width * height * 3)
        return [tuple(data[at : at + 3]) for at in range(0, len(data), 3)]


class FilmTest(RealCase):
    def test_as_it_should_be(self):
        made = self.take(self.film(2.0))
        self.assertEqual((made.duration, made.width, made.height, made.fps, made.sound), (2.0, 128, 96, 30.0, False))
        self.assertTrue(ingest.sound_of(self.out).is_file())

    def test_other_rates(self):
        for rate, fps in ((25, 30), ("24000/1001", 16), (60, 30), (10, 60)):
            made = self.take(self.film(2.0, rate=rate), fps=fps)
            self.assertEqual((made.fps, round(made.duration * fps)), (fps, 2 * fps), rate)

    def test_a_variable_rate(self):
        path = self.home / "sent.mp4"
        # two seconds, the first with three frames
        self.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=128x96:r=30:d=2", "-vf", "select='gt(n,29)+not(mod(n,10))'", "-fps_mode", "vfr", "-pix_fmt", "yuv420p", path)
        made = self.take(path)
        self.assertEqual((made.fps, round(made.duration * 30)), (30, 60))

    def test_rotated(self):
        flat, path = self.film(pictures="testsrc"), self.home / "turned.mp4"
        self.ffmpeg("-display_rotation", "90", "-i", flat, "-c", "copy", path)
        made = self.take(path)
        self.assertEqual((made.width, made.height), (96, 128))

    def test_pixels_that_are_not_square(self):
        path = self.home / "sent.mp4"
        self.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=128x96:d=1,setsar=2", "-pix_fmt", "yuv420p", path)
        self.assertEqual((self.take(path).width, self.take(path).height), (256, 96))

    def test_hdr(self):
        for transfer in ("smpte2084", "arib-std-b67"):
            coded = ["-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc"]
            path = self.film(0.5, codec=coded, sound=False)
            self.assertTrue(ffmpeg.probe(path, self.clock).hdr)
            made = self.take(path)
            self.assertFalse(made.hdr)
            values = {value for pixel in self.pixels(self.out, (128, 96)) for value in pixel}
            self.assertGreater(len(values), 50)  # it is still a picture

    def test_without_sound(self):
        self.take(self.film(sound=False))
        self.take(self.film(), audio="none")
        self.assertFalse(ingest.sound_of(self.out).exists())

    def test_sound_does_not_end_before_the_pictures(self):
        for seconds in (0.3, 5):
            path = self.home / "sent.mp4"
            self.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=128x96:d=2", "-f", "lavfi", "-i", f"sine=d={seconds}", "-pix_fmt", "yuv420p", path)
            self.assertEqual(self.take(path, seconds=2).duration, 2.0)
            said = self.ffmpeg("-i", ingest.sound_of(self.out), "-f", "u8", "-ac", 1, "-ar", 1000, "-")
            self.assertAlmostEqual(len(said), 2000, delta=50)

    def test_8k(self):
        made = self.take(self.film(0.2, size="7680x4320", sound=False), fps=30)
        self.assertEqual((made.width, made.height), (1920, 1080))

    def test_larger_than_ffmpeg_s_users_have_it(self):
        self.assertIn("is 8256x64: give one with sides from 64 to 8192", self.problem(self.film(0.2, size="8256x64", sound=False)))

    def test_ten_minutes(self):
        path = self.film(600, size="64x64", rate=2, sound=False)
        self.assertIn("is 600 s long, over 30 s: cut it, or select a part with start and seconds", self.problem(path))
        self.assertIn("40 s of it are requested, over 30 s", self.problem(path, seconds=40))
        self.assertIn("is 600 s long, and start is 700", self.problem(path, start=700))
        made = self.take(path, start=590, seconds=5, fps=10)
        self.assertEqual(round(made.duration * 10), 50)

    def test_one_frame(self):
        path = self.home / "sent.mp4"
        self.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=128x96:r=30", "-frames:v", 1, "-pix_fmt", "yuv420p", path)
        self.assertIn("give at least 5 frames at 30 a second", self.problem(path))

    def test_with_cuts(self):
        path = self.home / "sent.mp4"
        parts = "testsrc2=s=128x96:d=0.5[a];color=red:s=128x96:d=0.5[b];[a][b]concat"
        self.ffmpeg("-filter_complex", parts, "-pix_fmt", "yuv420p", path)
        self.assertAlmostEqual(self.take(path).duration, 1.0, delta=0.05)

    def test_a_cover_before_the_film(self):
        film, cover, path = self.film(), self.home / "cover.png", self.home / "covered.mkv"
        self.ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64:d=1", "-frames:v", 1, cover)
        path = self.home / "covered.mp4"
        self.ffmpeg("-i", cover, "-i", film, "-map", "0:v", "-map", "1:v", "-map", "1:a", "-c", "copy", "-disposition:v:0", "attached_pic", path)
        self.assertEqual((self.take(path).width, self.take(path).duration), (128, 1.0))

    def test_all_containers(self):
        for name in ("mkv", "webm", "avi", "flv", "ts", "mov", "mpg", "asf"):
            codec = {"webm": ("-c:v", "libvpx"), "mpg": ("-c:v", "mpeg2video")}.get(name, ("-c:v", "mpeg4", "-qscale:v", "2") if name in ("avi", "asf") else ("-c:v", "libx264", "-pix_fmt", "yuv420p"))
            with self.subTest(name):
                made = self.take(self.film(1.0, name=f"sent.{name}", codec=codec, rate=25))
                self.assertAlmostEqual(made.duration, 1.0, delta=0.15, msg=name)

    def test_damaged_in_the_middle(self):
        content = bytearray(self.film(4.0, size="320x240", sound=False).read_bytes())
        middle = len(content) // 2
        content[middle : middle + len(content) // 4] = os.urandom(len(content) // 4)
        path = self.home / "damaged.mp4"
        path.write_bytes(content)
        self.assertRegex(self.problem(path), r"video: (is damaged \(\d+ frames can't be decoded\)|can't be decoded)")

    def test_cut_off(self):
        content = self.film(4.0, size="320x240").read_bytes()
        path = self.home / "cut.mp4"
        path.write_bytes(content[: len(content) * 2 // 3])  # its index is at the end
        self.assertIn("has no video stream that can be decoded", self.problem(path))

    def test_what_is_no_film(self):
        for content in (b"<!DOCTYPE html><html><body>not found</body></html>" * 50, b"PK\3\4" + b"\0" * 5000, b"#EXTM3U\n/etc/passwd\n" * 100, png(200, 200) + b"\0" * 2000):
            path = self.home / "sent"
            path.write_bytes(content)
            self.assertIn("is not a video", self.problem(path))

    def test_a_playlist_in_the_first_bytes_of_a_film(self):
        secret = self.film(1.0, name="secret.mp4")
        path = self.home / "sent.mp4"
        path.write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0\0\0\0\0\0\0\0\0\n#EXTM3U\n#EXTINF:1,\n" + str(secret).encode() + b"\n" + b"\0" * 2000)
        self.assertIn("no video stream", self.problem(path))


# 64x64, red.
CMYK = "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTlJTUjI+WmFaUGBKUVJP/8AAFAgAQABABEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD06vMK8wr06iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiv/Z"


class PictureTest(RealCase):
    def take(self, content):
        path, self.out = self.home / "sent", self.home / "out.png"
        path.write_bytes(content)
        ingest.picture(path, media.check_image(path), self.out, self.clock)
        with open(self.out, "rb") as file:
            kind, size = media.picture(file.read())
        self.assertEqual(kind, "png")
        return size

    def problem(self, content):
        with self.assertRaises(errors.InputError) as caught:
            self.take(content)
        return str(caught.exception)

    def made(self, *arguments, source="color=red:s=96x64:d=1", name="made.png"):
        path = self.home / name
        self.ffmpeg("-f", "lavfi", "-i", source, *arguments, path)
        return path.read_bytes()

    def test_kinds(self):
        for name in ("made.png", "made.jpg", "made.webp"):
            self.assertEqual(self.take(self.made("-frames:v", 1, name=name)), (96, 64))

    def test_sixteen_bits(self):
        for pixels in ("rgb48be", "gray16be", "rgba64be", "pal8", "gray", "ya8", "monob"):
            self.assertEqual(self.take(self.made("-frames:v", 1, "-pix_fmt", pixels, source="color=white:s=96x64:d=1")), (96, 64), pixels)
            with open(self.out, "rb") as file:
                self.assertEqual(file.read()[24:26], b"\x08\x02", "eight bits, RGB")
            self.assertGreater(min(self.pixels(self.out, (96, 64))[0]), 160 if pixels == "pal8" else 250, pixels)

    def test_cmyk(self):
        import base64

        self.assertEqual(self.take(base64.b64decode(CMYK)), (64, 64))
        red, green, blue = self.pixels(self.out, (64, 64))[0]
        self.assertTrue(red > 200 and green < 60 and blue < 60, (red, green, blue))

    def test_turned_by_exif(self):
        content = self.made("-frames:v", 1, source="color=red:s=96x64:d=1,drawbox=w=48:h=64:color=blue:t=fill", name="made.jpg")
        for orientation, size, first in ((1, (96, 64), "blue"), (6, (64, 96), "blue"), (3, (96, 64), "red"), (8, (64, 96), "red")):
            exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + b"\0\0\0\0"
            turned = content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]
            self.assertEqual(self.take(turned), size, orientation)
            red, _, blue = self.pixels(self.out, size)[0]
            self.assertEqual("blue" if blue > red else "red", first, orientation)

    def test_large(self):
        self.assertEqual(self.take(self.made("-frames:v", 1, source="color=red:s=4000x3000:d=1")), (2309, 1732))

    def test_one_pixel(self):
        self.assertIn("image: is 1x1: give one with sides from 64", self.problem(png(1, 1)))

    def test_animated(self):
        self.assertIn("image: is animated: give one picture", self.problem(self.made("-f", "apng", source="testsrc2=s=96x64:d=0.2")))
        self.assertIn("image: is animated", self.problem(self.made("-loop", "0", source="testsrc2=s=96x64:d=0.2", name="made.webp")))

    def test_damaged(self):
        content = self.made("-frames:v", 1, source="testsrc2=s=320x240:d=1")
        self.assertIn("image: can't be decoded", self.problem(content[:200] + b"\0" * 2000))


class EncoderTest(RealCase):
    def encoded(self, codec, sound="", frames=30):
        out = self.home / f"{codec}.mp4"
        black = mock.Mock(tobytes=lambda: bytes(64 * 64 * 3) * frames)
        with encode.Encoder(encode.Target(str(out), 30, codec, 20, sound), frames, 64, 64) as encoder:
            encoder.write(black)
        return ffmpeg.probe(out, self.clock)

    def test_codecs(self):
        for codec in fields.CODECS:
            made = self.encoded(codec)
            self.assertEqual((made.width, made.height, made.duration, made.fps, made.sound), (64, 64, 1.0, 30.0, False), codec)

    def test_sound(self):
        ingest.film(self.film(3.0), "mov", fields.parse(job(), SIZES), 30.0, self.home / "in.mp4", self.clock)
        made = self.encoded("h264", str(self.home / "in.m4a"))
        self.assertTrue(made.sound)
        self.assertAlmostEqual(made.duration, 1.0, delta=0.05)

    def test_encoded_again_it_is_as_small_as_asked(self):
        film, noise = self.home / "noise.mp4", "testsrc2=s=320x240:r=30:d=2,noise=alls=10:allf=t"
        self.ffmpeg("-f", "lavfi", "-i", noise, "-f", "lavfi", "-i", "sine=d=2", "-crf", 5, "-preset", "ultrafast", "-pix_fmt", "yuv420p", film)
        self.assertGreater(film.stat().st_size, 1_000_000)
        for codec in fields.CODECS:
            out = self.home / f"small-{codec}.mp4"
            self.ffmpeg(*encode.smaller(film, codec, 500_000, out)[1:])
            self.assertLess(out.stat().st_size, 300_000, codec)  # 125 kB, more of AV1
            made = ffmpeg.probe(out, self.clock)
            self.assertEqual((made.width, made.height, made.duration, made.fps, made.sound), (320, 240, 2.0, 30.0, True), codec)

    def test_an_encoder_that_dies_says_why(self):
        with self.assertRaisesRegex(RuntimeError, "ffmpeg can't write the film: .*No such file"):
            with encode.Encoder(encode.Target("/nowhere/out.mp4", 30, "h264", 20, ""), 3000, 64, 64) as encoder:
                encoder.write(mock.Mock(tobytes=lambda: bytes(64 * 64 * 3) * 3000))

    def test_frames_that_end_early_leave_no_process(self):
        with self.assertRaises(ZeroDivisionError):
            with encode.Encoder(encode.Target(str(self.home / "x.mp4"), 30, "h264", 20, ""), 3000, 64, 64) as encoder:
                1 / 0
        self.assertIsNotNone(encoder._program.poll())

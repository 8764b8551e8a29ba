"""The input of a job."""

import difflib
import math
import unittest
from unittest import mock

import fields
from errors import InputError

from tests.support import b64, job, png, video

SIZES = fields.Sizes(10_000, 5_000)


def parse(**changes):
    return fields.parse(job(**changes), SIZES)


class FieldsTest(unittest.TestCase):
    def problem(self, given, status=400):
        with self.assertRaises(InputError) as caught:
            fields.parse(given, SIZES)
        self.assertEqual(caught.exception.status, status)
        return str(caught.exception)

    def test_defaults(self):
        found = fields.parse({"video": b64(video()), "image": b64(png())}, SIZES)
        self.assertEqual(found.video.content, video())
        self.assertEqual(found.image.content, png())
        self.assertEqual((found.mode, found.width, found.height), ("animation", 1280, 720))
        self.assertEqual((found.steps, found.refert_num, found.relighting, found.result_url), (20, 1, False, ""))
        self.assertEqual((found.prompt, found.negative_prompt, found.cfg, found.fps, found.start, found.seconds), ("", "", 1.0, 30, 0.0, 0.0))
        self.assertEqual((found.retarget, found.mask_growth, found.codec, found.crf, found.sound), (False, 9, "h264", 17, True))
        self.assertIn(found.seed, range(2**32))
        self.assertNotEqual(found.seed, fields.parse({"video": "AAAA", "image": "AAAA"}, SIZES).seed)

    def test_takes_all_fields(self):
        found = parse(
            video="https://a.example/v.mp4?x=1", image="data:image/png;base64," + b64(png()), mode="replacement",
            resolution="832x480", seed=0, steps=100, refert_num=5, relighting=True, result_url="http://b.example/put",
        )  # fmt: skip
        self.assertEqual((found.video.url, found.image.content), ("https://a.example/v.mp4?x=1", png()))
        self.assertTrue(found.replaces and found.relighting)
        self.assertEqual((found.width, found.height, found.steps, found.refert_num, found.seed), (832, 480, 100, 5, 0))

    def test_takes_what_is_said_of_the_film(self):
        found = parse(prompt=" a cat\n dances 跳舞 ", negative_prompt="blurred", cfg=2, fps=16, start=1.5, frames=40, retarget=True, codec="hevc", crf=0, audio="none")
        self.assertEqual((found.prompt, found.negative_prompt, found.cfg, found.fps, found.start), ("a cat dances 跳舞", "blurred", 2.0, 16, 1.5))
        self.assertEqual((found.seconds, found.retarget, found.codec, found.crf, found.sound), (2.5, True, "hevc", 0, False))
        found = parse(mode="replacement", mask_growth=0, seconds=3)
        self.assertEqual((found.mask_growth, found.seconds), (0, 3.0))

    def test_resolutions(self):
        for value, sides in (("720x1280", (720, 1280)), ("720X1280", (720, 1280)), ([480, 832], (480, 832)), ("256*256", (256, 256))):
            found = parse(resolution=value)
            self.assertEqual((found.width, found.height), sides)
        for value in ("1280", "1920x1080", [1280], [1280, "720"], [True, 720], "128x1280", "1280x128", "1281x720", "1280x712", "1264x736", [-1280, 720], 1280, {}, "x", "²80x720"):
            with self.subTest(value):
                self.assertIn("resolution is", self.problem(job(resolution=value)))

    def test_a_worker_for_smaller_films(self):
        small = fields.Sizes(10_000, 5_000, 832 * 480)
        self.assertEqual((fields.parse(job(), small).width, fields.parse(job(resolution="480x832"), small).height), (832, 832))
        with self.assertRaisesRegex(InputError, r"resolution is 1280x720: this worker accepts at most 399360 pixels \(MAX_AREA\), like 832x480"):
            fields.parse(job(resolution="1280x720"), small)

    def test_steps_of_distilled_weights(self):
        plain = {name: value for name, value in job().items() if name != "steps"}
        few = fields.Sizes(10_000, 5_000, steps=6)
        self.assertEqual((fields.parse(plain, few).steps, fields.parse(job(steps=8), few).steps, fields.parse(plain, SIZES).steps), (6, 8, 20))

    def test_names_what_is_wrong(self):
        for changes, words in (
            ({"mode": "replace"}, "mode is 'replace': use animation or replacement"),
            ({"mode": ["animation"]}, "mode is"),
            ({"seed": -1}, "seed is -1: use a whole number from 0"),
            ({"seed": 2**63}, "seed is"), ({"seed": "7"}, "seed is '7'"), ({"seed": True}, "seed is True"), ({"seed": 1.0}, "seed is 1.0"),
            ({"steps": 0}, "steps is 0: use a whole number from 1 to 100"), ({"steps": 101}, "steps is 101"),
            ({"refert_num": 77}, "refert_num is 77: use 1 or 5"), ({"refert_num": 5.0}, "refert_num is 5.0"),
            ({"relighting": "yes"}, "relighting is 'yes': use true or false"),
            ({"relighting": True}, "relighting is for the mode replacement"),
            ({"video": 5}, "video is a number"), ({"video": ["x"]}, "video is a list"), ({"video": None}, "video is missing"), ({"image": ""}, "image is missing"),
            ({"video": "file:///etc/passwd"}, "video is a file: URL: use http or https"),
            ({"video": "ftp://a.example/x"}, "is a ftp: URL"), ({"image": "concat:/etc/passwd"}, "is a concat: URL"),
            ({"video": "/etc/passwd"}, "video is neither an http(s) URL nor base64"),
            ({"video": "http://"}, "video names no host"), ({"video": "http://a b/"}, "video has spaces"),
            ({"video": "http://a.example/\r\nX: y"}, "video has spaces or control characters"),
            ({"video": "http://u:p@a.example/"}, "carries a user name"), ({"video": "http://u@a.example/"}, "carries a user name"), ({"video": "http://a:0/"}, "names no host"), ({"video": "http://a:99999/"}, "is not a valid URL"), ({"video": "http://[::1/"}, "is not a valid URL"),
            ({"video": "http://" + "a" * 9000}, "over 8192"),
            ({"video": "http://a.example/\ud800"}, "video is not a valid URL"), ({"result_url": "http://a..b/"}, "result_url is not a valid URL"),
            ({"video": "data:video/mp4,abc"}, "is a data URL without ;base64"), ({"video": "data:video/mp4;base64"}, "is a data URL without"),
            ({"image": "AAA"}, "image is neither"), ({"image": "AÄÖÜ"}, "image is neither"),
            ({"result_url": 1}, "result_url is a number"), ({"result_url": "s3://b/k"}, "result_url is a s3: URL"),
            ({"vidoe": "x"}, "'vidoe' is not a field: did you mean video?"), ({"zzz": "x"}, "'zzz' is not a field: the fields are video, image"),
            ({"prompt": "x" * 100_000}, "prompt has 100000 characters: use 2000 at most"), ({"prompt": 5}, "prompt is a number, not a string"),
            ({"prompt": " "}, "prompt is empty"), ({"prompt": "a\x00b"}, "control characters"), ({"negative_prompt": "x"}, "negative_prompt has no effect with cfg 1"),
            ({"cfg": 0.5}, "cfg is 0.5: use a number from 1 to 10"), ({"cfg": "2"}, "cfg is '2'"), ({"cfg": True}, "cfg is True"), ({"cfg": float("nan")}, "cfg is nan"),
            ({"fps": 0}, "fps is 0: use a whole number from 1 to 60"), ({"fps": 29.97}, "fps is 29.97"), ({"start": -1}, "start is -1: use a number from 0"),
            ({"seconds": 0}, "seconds is 0: use a number from 0.03"), ({"frames": 0}, "frames is 0"), ({"frames": 9, "seconds": 1}, "frames and seconds both set the length"),
            ({"retarget": True, "mode": "replacement"}, "retarget is for the mode animation"), ({"retarget": 1}, "retarget is 1: use true or false"),
            ({"mask_growth": 3}, "mask_growth is for the mode replacement"), ({"mask_growth": 65, "mode": "replacement"}, "mask_growth is 65: use a whole number from 0 to 64"),
            ({"codec": "vp8"}, "codec is 'vp8': use h264, hevc or av1"), ({"crf": 52}, "crf is 52: use a whole number from 0 to 51"), ({"audio": True}, "audio is True: use keep or none"),
        ):  # fmt: skip
            with self.subTest(changes):
                self.assertIn(words, self.problem(job(**changes)))

    def test_values_that_nest_deeper_than_they_can_be_shown(self):
        nested = []
        for _ in range(100_000):
            nested = [nested]
        for name in ("mode", "seed", "cfg", "resolution", "relighting", "prompt", "video", "result_url"):
            self.assertIn(f"{name} is a list", self.problem(job(**{name: nested})))

    ODD = (
        True, False, 0, 1, -1, 2**63, 10**300, 1.5, -0.0, 1e308, math.nan, math.inf, -math.inf, "", " ", "0", "\0", "\ud800", "\u202e", "ﬀ²", "🙂", "x" * 100_000,
        "null", "NaN", "http://", "http://[", "http://a:b/", "http://\ud800/", "http://ａ.example/", "//a/b", "data:", "data:,", "data:;base64,", "1x1", "99999x99999", "16x16x16",
        [], [[]], [None, None], [1280, 720], [1280.0, 720], [math.nan, 1], [10**300, 1], {}, {"": {}}, {"url": "http://a.example/"},
    )  # fmt: skip

    def test_any_value_of_any_field_is_taken_or_told(self):
        """And nothing else, an error of Python's in particular."""
        for mode in fields.MODES:
            for name in fields.FIELDS:
                for value in self.ODD:
                    given = job(mode=mode) | {name: value}
                    try:
                        found = fields.parse(given, SIZES)
                    except InputError as err:
                        self.assertRegex(str(err), rf"^{name} |; {name} |^(retarget|relighting|mask_growth|negative_prompt) ")
                        self.assertLess(len(str(err)), 300)
                    else:
                        self.assertTrue(0 <= found.start <= fields.MAX_START and 0 <= found.seconds <= 100_000 and 1 <= found.cfg <= 10)
                        self.assertTrue(found.video.url.isprintable() and found.result_url.isprintable())

    def test_names_all_at_once_and_no_more(self):
        said = self.problem({"mode": "x", "steps": 0, "vidoe": 1, "seed": 3})
        for words in ("mode is", "steps is", "'vidoe' is not a field", "video is missing", "image is missing"):
            self.assertIn(words, said)
        self.assertNotIn("seed", said)

    def test_an_error_has_an_end(self):
        names = ["x" * 10_000, *(f"vide{n}" for n in range(100_000))]
        with mock.patch("difflib.get_close_matches", wraps=difflib.get_close_matches) as looked:
            said = self.problem(job(**dict.fromkeys(names)))
        self.assertEqual([len(call.args[0]) for call in looked.call_args_list], [40, 5, 5, 5, 5])
        self.assertIn("'vide3' is not a field: did you mean video?; 99996 more are not fields", said)
        self.assertNotIn("vide4", said)
        self.assertLess(len(said), 1000)
        self.assertEqual((len(str(InputError("x" * 2001))), str(InputError("x" * 2001))[-2:], len(str(InputError("x" * 2000)))), (2000, "x…", 2000))

    def test_quotes_no_url(self):
        for url in ("http://u:p@secret.example/", "http://secret.example:99999/", "ftp://secret.example/x"):
            self.assertNotIn("secret", self.problem(job(video=url, result_url=url)))

    def test_files_have_a_limit(self):
        self.assertIn("video is over 10000 bytes", self.problem(job(video=b64(b"x" * 20_000)), 413))
        self.assertIn("image has 5001 bytes", self.problem(job(image=b64(b"x" * 5001)), 413))
        self.assertEqual(len(parse(image=b64(b"x" * 5000)).image.content), 5000)

    def test_base64_may_have_lines(self):
        text = b64(b"x" * 5000)
        lines = "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))
        self.assertEqual(len(parse(image=lines).image.content), 5000)

    def test_is_an_object(self):
        for given, kind in ((None, "missing"), ([], "a list"), ("x", "a string"), (5, "a number")):
            self.assertIn(f"the input is {kind}", self.problem(given))

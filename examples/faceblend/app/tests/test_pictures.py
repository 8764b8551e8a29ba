"""Valid requests, and invalid ones."""

import base64
import io
import json
import unittest

import numpy as np
import pictures


def b64(data):
    return base64.b64encode(data).decode()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_claiming(shape):
    stream = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + b"abc"


PICTURE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
PATCH = PICTURE[:2, :3].copy()


def request(**changes):
    fields = {
        "picture": pictures.encode(PICTURE, "ppm"), "patch": pictures.encode(PATCH, "raw"),
        "x": 2, "y": 2, **changes,
    }  # fmt: skip
    return json.dumps(fields).encode()


class ParseTest(unittest.TestCase):
    def test_reads_what_it_writes(self):
        for form in pictures.FORMS:
            got = pictures.decode({"a": pictures.encode(PICTURE, form)}, "a", 3)
            np.testing.assert_array_equal(got, PICTURE)

    def test_reads_a_job(self):
        job, form = pictures.parse_job(request(form="npy", mask={"npy": b64(npy(PATCH[..., 0]))}))
        np.testing.assert_array_equal(job.picture, PICTURE)
        np.testing.assert_array_equal(job.mask, PATCH[..., 0])
        self.assertEqual((form, job.x, job.y), ("npy", 2, 2))
        self.assertIsNone(pictures.parse_job(request())[0].mask)

    def test_reads_comments_in_ppm(self):
        data = b"P6 # made by hand\n1\t2\n# more\n255\n" + b"abcdef"
        self.assertEqual(pictures.decode({"a": {"ppm": b64(data)}}, "a", 3).shape, (2, 1, 3))

    def test_refuses(self):
        huge = 1 << 40
        cases = {
            "not JSON": b"{", "not a JSON object": b"[]", "not JSON: ": b"[" * 100_000,
            "unknown fields: z": request(z=1), "form is none": request(form="png"),
            "picture is not an object": request(picture="abc"),
            "exactly one of": request(picture={"ppm": "", "npy": ""}),
            "raw with width and height": request(picture={"raw": ""}),
            "picture.ppm is not base64": request(picture={"ppm": "*"}),
            "picture.ppm is not a P6": request(picture={"ppm": b64(b"P5 1 1 255 a")}),
            "255 levels": request(picture={"ppm": b64(b"P6 1 1 65535 abcdef")}),
            "2 bytes, but 1x1": request(picture={"ppm": b64(b"P6 1 1 255 ab")}),
            "is not 1 to": request(picture={"ppm": b64(b"P6 999999 999999 255 ab")}),
            "0x1 is not 1 to": request(picture={"raw": "", "width": 0, "height": 1}),
            "picture.width is not an integer": request(picture={"raw": "", "width": True, "height": 1}),
            "picture.npy is not an array": request(picture={"npy": b64(b"PK")}),
            "dense array of uint8": request(picture={"npy": b64(npy(PICTURE.astype(float)))}),
            "array of uint8 in rows": request(picture={"npy": b64(npy(PICTURE[..., 0]))}),
            "4 channels, not 3": request(picture={"npy": b64(npy(np.zeros((1, 1, 4), np.uint8)))}),
            f"{huge}x{huge} is not": request(picture={"npy": b64(npy_claiming((huge, huge, 3)))}),
            "not an array: ": request(picture={"npy": b64(npy(np.array([{}]))[:60])}),
            "mask: its size 5x4 is not the patch's 3x2": request(
                mask={"npy": b64(npy(PICTURE[..., 0]))}
            ),
            "mask.ppm is not a P5": request(mask={"ppm": b64(b"P6 1 1 255 abc")}),
            "x is not an integer": request(x=1.5), "y is not an integer": request(y=None),
            "3x2 at 3,2 reaches beyond the picture of 5x4": request(x=3),
            "reaches beyond": request(y=-1), "or too large": request(x=1 << 70),
        }  # fmt: skip
        for message, body in cases.items():
            with self.subTest(message), self.assertRaisesRegex(pictures.BadRequest, message):
                pictures.parse_job(body)
        with self.assertRaises(pictures.BadRequest):  # an array of objects would run code
            pictures.parse_job(request(picture={"npy": b64(npy(np.array([{}], object)))}))


if __name__ == "__main__":
    unittest.main()

"""Run in the image's own Python, from the app's folder: python3 -m unittest discover tests"""

import base64
import http.client
import json
import threading
import unittest
from http.server import ThreadingHTTPServer

import numpy
from faceblend_native import DeviceError, blend, cuda, open_device, transfer

import faceblend
import handler
import model
import ppm
import selftest


class PPM(unittest.TestCase):
    def test_what_is_written_is_read(self):
        picture, _ = selftest.pictures()
        numpy.testing.assert_array_equal(picture, ppm.read(ppm.write(picture)))

    def test_comments_are_skipped(self):
        self.assertEqual((1, 2, 3), ppm.read(b"P6\n# made by hand\n2 1\n255\nabcdef").shape)

    def test_bad_input_is_named(self):
        for data, message in [
            (b"P5 1 1 255 a", "not a binary PPM"),
            (b"P6 1 1 65535 ab", "values up to 65535"),
            (b"P6 2 2 255 abc", "holds 3 bytes, not 12"),
            (b"P6 99999 99999 255 a", "at most"),
            (b"P6 0 1 255 ", "at least 1"),
        ]:
            with self.subTest(data=data), self.assertRaisesRegex(ValueError, message):
                ppm.read(data)


class Model(unittest.TestCase):
    def test_built_in_without_weights(self):
        self.assertEqual("built in", model.load("").source)
        self.assertEqual("built in", model.load("/nowhere").source)

    def test_resize_keeps_corners(self):
        mask = numpy.array([[0, 1], [1, 0]], dtype=numpy.float32)
        got = model.resize(mask, 3, 5)
        self.assertEqual((0, 1, 1, 0, 0.5), (got[0, 0], got[0, -1], got[-1, 0], got[-1, -1], got[1, 2]))

    def test_cut_off_file(self):
        for data in [b"", b"12345678", (5).to_bytes(8, "little") + b"{}"]:
            with self.subTest(data=data), self.assertRaises(ValueError):
                model.read_safetensors(data, "x")


class Blend(unittest.TestCase):
    def test_known_result(self):
        self.assertTrue(selftest.run("", require_gpu=False))

    def test_mask_decides(self):
        patch, region = numpy.full((2, 2, 3), 200, numpy.uint8), numpy.full((2, 2, 3), 100, numpy.uint8)
        mask = numpy.array([[0, 1], [0.5, 0.25]], numpy.float32)
        one, zero = numpy.ones(3, numpy.float32), numpy.zeros(3, numpy.float32)
        got = blend(patch, region, mask, one, zero)
        self.assertEqual([[100, 200], [150, 125]], got[:, :, 0].tolist())

    def test_transfer_matches_mean(self):
        patch, region = numpy.full((4, 4, 3), 10, numpy.uint8), numpy.full((4, 4, 3), 90, numpy.uint8)
        gain, bias = transfer(patch, region, numpy.ones((4, 4), numpy.float32), numpy.ones(3, numpy.float32), 2.0)
        self.assertEqual([1, 80], [gain[0], bias[0]])

    def test_patch_outside(self):
        picture, patch = selftest.pictures()
        with self.assertRaisesRegex(ValueError, "does not lie inside"):
            faceblend.blend(open_device(), model.built_in(), picture, patch, 300, 0)

    def test_sizes_must_agree(self):
        a, b = numpy.zeros((2, 2, 3), numpy.uint8), numpy.zeros((2, 3, 3), numpy.uint8)
        with self.assertRaisesRegex(ValueError, "differ in size"):
            blend(a, b, numpy.zeros((2, 2), numpy.float32), numpy.ones(3, numpy.float32), numpy.zeros(3, numpy.float32))


class CUDA(unittest.TestCase):
    def test_architecture(self):
        self.assertEqual("compute_75", cuda.architecture(7, 5))
        self.assertEqual("compute_90", cuda.architecture(9, 0))
        self.assertEqual("compute_90", cuda.architecture(12, 0))

    def test_grid_covers_all(self):
        self.assertEqual([0, 1, 1, 2], [cuda.grid(n) for n in (0, 1, 256, 257)])

    def test_kernel_compiles(self):
        for arch in ["compute_70", "compute_90"]:
            self.assertIn(b".entry blend", cuda.compile_ptx(cuda.source(), arch))

    def test_broken_kernel_shows_the_compiler(self):
        with self.assertRaisesRegex(DeviceError, "undefined"):
            cuda.compile_ptx(b"int f() { return nothing; }", "compute_70")


class Service(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        handler.Handler.service = handler.Service("")
        handler.Handler.log_message = lambda *_: None
        cls.server = ThreadingHTTPServer(("127.0.0.1", 0), handler.Handler)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=30)
        self.addCleanup(connection.close)
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def test_life(self):
        self.assertEqual(204, self.ask("GET", "/ping")[0])
        self.assertEqual(503, self.ask("POST", "/blend", "{}")[0])
        handler.Handler.service.load()
        self.assertEqual(200, self.ask("GET", "/ping")[0])
        picture, patch = (base64.b64encode(ppm.write(p)).decode() for p in selftest.pictures())
        status, answer = self.ask("POST", "/blend", json.dumps({"picture": picture, "patch": patch, "x": 5, "y": 6}))
        self.assertEqual(200, status)
        self.assertEqual((240, 320, 3), ppm.read(base64.b64decode(answer["picture"])).shape)
        for body, message in [
            ("", "Expecting value"),
            ("[]", "must be a JSON object"),
            ("{}", "picture must be a PPM"),
            (json.dumps({"picture": "*"}), "picture is not base64"),
            (json.dumps({"picture": picture, "patch": patch, "x": "1"}), "x must be a whole number"),
            (json.dumps({"picture": picture, "patch": patch, "x": 999}), "does not lie inside"),
        ]:
            with self.subTest(body=body[:40]):
                status, answer = self.ask("POST", "/blend", body)
                self.assertEqual(400, status)
                self.assertIn(message, answer["error"])

    def test_unknown_path(self):
        self.assertEqual(404, self.ask("GET", "/nothing")[0])


if __name__ == "__main__":
    unittest.main()

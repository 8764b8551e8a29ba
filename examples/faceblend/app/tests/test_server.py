"""The service over HTTP, in this process and as a program."""

import base64
import contextlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import pictures
import selftest
import server
from faceblend_native import Look, blend_into, open_blender
from faceblend_native.cuda import CudaError
from model import ellipse
from service import Service, Status

APP = Path(__file__).parents[1]
PICTURE, PATCH = selftest.generate(30, 40, 0), selftest.generate(12, 10, 1)


def job(**changes):
    fields = {"picture": pictures.encode(PICTURE, "ppm"), "patch": pictures.encode(PATCH, "ppm"), "x": 20, "y": 10}
    return json.dumps(fields | changes).encode()


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.enterContext(contextlib.redirect_stdout(io.StringIO()))
        self.log = self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        self.service = Service("cpu", "")
        self.server = server.Server(0, self.service)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer, json.loads(answer.read() or "null")

    def test_ping_follows_the_loading(self):
        answer, body = self.ask("GET", "/ping")
        self.assertEqual((answer.status, body), (204, None))
        answer, body = self.ask("POST", "/blend", job())
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "5"))
        self.service.load()
        self.assertEqual(self.ask("GET", "/ping")[0].status, 200)

    def test_ping_tells_a_failure(self):
        with mock.patch("service.load_model", side_effect=ValueError("weights are damaged")):
            self.service.load()
        answer, body = self.ask("GET", "/ping")
        self.assertEqual((answer.status, body), (500, {"error": "ValueError: weights are damaged"}))
        self.assertEqual(self.ask("POST", "/blend", job())[0].status, 503)

    def test_blends(self):
        self.service.load()
        want = blend_into(open_blender("cpu")[0], PICTURE, PATCH, ellipse(12, 10), 20, 10, Look())
        for form in pictures.FORMS:
            answer, body = self.ask("POST", "/blend", job(form=form))
            self.assertEqual((answer.status, body["device"]), (200, "cpu"))
            np.testing.assert_array_equal(pictures.decode(body, "picture", 3), want)

    def test_info(self):
        self.service.load()
        _, body = self.ask("GET", "/?x")
        self.assertEqual((body["name"], body["status"], body["device"]), ("faceblend", "ready", "cpu"))

    def test_errors_are_json(self):
        self.service.load()
        for method, path, body, status in (
            ("GET", "/nothing", None, 404), ("POST", "/ping", b"", 405), ("GET", "/blend", None, 405),
            ("PUT", "/blend", b"", 501), ("POST", "/blend", b"{}", 400), ("POST", "/blend", job(x=99), 400),
        ):  # fmt: skip
            with self.subTest(path, method=method):
                answer, error = self.ask(method, path, body)
                self.assertEqual(answer.status, status)
                self.assertTrue(error["error"])

    def test_lengths(self):
        self.service.load()
        for length, status in (("x", 411), ("-1", 411), ("²", 411), (str(server.MAX_BODY + 1), 413), ("9" * 5000, 413)):
            with self.subTest(length[:20]):
                with socket.create_connection(("127.0.0.1", self.server.server_port), 10) as raw:
                    raw.sendall(f"POST /blend HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
                    raw.shutdown(socket.SHUT_WR)
                    self.assertIn(f" {status} ".encode(), raw.makefile("rb").readline())

    def test_too_large_a_body_still_gets_its_answer(self):
        self.service.load()
        with mock.patch.object(server, "MAX_BODY", 4 << 20):
            answer, _ = self.ask("POST", "/blend", b"x" * (7 << 20))
        self.assertEqual(answer.status, 413)

    def test_a_sender_that_leaves_harms_nothing(self):
        self.service.load()
        with socket.create_connection(("127.0.0.1", self.server.server_port), 10) as raw:
            raw.sendall(b"POST /blend HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
        self.assertEqual(self.ask("GET", "/ping")[0].status, 200)
        self.assertTrue(self.service.drain(10))
        self.assertNotIn("Traceback", self.log.getvalue())

    def test_a_lost_gpu_fails_the_service(self):
        self.service.load()
        with mock.patch("service.blend_into", side_effect=CudaError("cuLaunchKernel: gone")):
            self.assertEqual(self.ask("POST", "/blend", job())[0].status, 503)
        self.assertIs(self.service.status, Status.FAILED)
        self.assertEqual(self.ask("GET", "/ping")[0].status, 500)

    def test_a_bug_is_an_internal_error(self):
        self.service.load()
        with mock.patch("service.blend_into", side_effect=ZeroDivisionError):
            answer, body = self.ask("POST", "/blend", job())
        self.assertEqual((answer.status, body), (500, {"error": "internal error"}))
        self.assertIn("ZeroDivisionError", self.log.getvalue())


class ProgramTest(unittest.TestCase):
    def start(self, *arguments, **environment):
        program = subprocess.Popen(
            [sys.executable, APP / "handler.py", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment,
        )  # fmt: skip
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        return program

    def test_serves_until_sigterm(self):
        program = self.start("--device", "cpu", PORT="0")
        port = int(program.stdout.readline().rsplit(None, 1)[1])
        self.assertIn("ready on cpu", program.stdout.readline())
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.addCleanup(connection.close)
        body = job()
        connection.putrequest("POST", "/blend")  # begun before the signal, ended after it
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[:100])
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as other:
            other.request("GET", "/ping")
            self.assertEqual(other.getresponse().status, 200)
        program.send_signal(signal.SIGTERM)
        connection.send(body[100:])
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        picture = json.loads(answer.read())["picture"]["ppm"]
        self.assertTrue(base64.b64decode(picture).startswith(b"P6"))
        self.assertEqual(program.wait(10), 0)
        self.assertIn("faceblend: stopped\n", program.stdout.read())

    def test_bad_port(self):
        for port in ("x", "-1", "70000"):
            program = self.start(PORT=port)
            self.assertEqual(program.wait(10), 1)
            self.assertIn(f"listening on port '{port}'", program.stdout.read())


class SelfTestTest(unittest.TestCase):
    def run_it(self, *arguments):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            return selftest.run(*arguments), output.getvalue()

    def test_passes_with_and_without_weights(self):
        for directory in ("", str(APP.parent / "weights")):
            code, output = self.run_it("auto", directory)
            self.assertEqual(code, 0, output)
            self.assertIn("device: ", output)

    def test_fails_on_another_result(self):
        with mock.patch.object(selftest, "CHECKSUM", "0" * 64):
            code, output = self.run_it("cpu", "")
        self.assertEqual(code, 1)
        self.assertIn("not 0000", output)

    def test_compares_a_gpu_within_one(self):
        for gap, code in ((1, 0), (2, 1)):
            gpu = mock.Mock(device="gpu: pretended")
            gpu.blend = lambda *a, gap=gap: np.clip(open_blender("cpu")[0].blend(*a).astype(int) + gap, 0, 255)
            with mock.patch("selftest.open_blender", return_value=(gpu, "")):
                got, output = self.run_it("gpu", "")
            self.assertEqual(got, code, output)
            self.assertIn(f"largest difference from the cpu {gap}/255", output)


if __name__ == "__main__":
    unittest.main()

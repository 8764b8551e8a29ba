"""Downloads, uploads, and the addresses that they may use."""

import itertools
import os
import socket
import ssl
import threading
import time
import tracemalloc
import unittest
from pathlib import Path
from unittest import mock

import addresses
import deliver
import download
import errors
import web
from values import Source

from tests.support import HERE, Case


class AddressTest(unittest.TestCase):
    def test_public(self):
        for address in ("1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"):
            self.assertTrue(addresses.is_public(address), address)

    def test_not_public(self):
        for address in (
            "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1",
            "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254",
            "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:101:101::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "192.0.0.192", "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "192.88.99.1", "fec0::1", "", "localhost",
        ):  # fmt: skip
            self.assertFalse(addresses.is_public(address), address)

    def found(self, *answers):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in answers]

    def test_only_public_ones_are_tried(self):
        with mock.patch("socket.getaddrinfo", return_value=self.found("10.0.0.1", "1.1.1.1", "127.0.0.1")):
            self.assertEqual(addresses.resolve("x.test", 80, False), self.found("1.1.1.1"))
        with mock.patch("socket.getaddrinfo", return_value=self.found("10.0.0.1")), self.assertRaises(addresses.Refused):
            addresses.resolve("x.test", 80, False)

    def test_connects_to_what_was_checked(self):
        """A name that resolves to a public address once, and to this machine after that."""
        answers = itertools.chain([self.found("1.1.1.1")], itertools.repeat(self.found("127.0.0.1")))
        with mock.patch("socket.getaddrinfo", side_effect=lambda *_, **__: next(answers)), mock.patch("socket.socket") as made:
            addresses.dial("rebind.test", 80, False, 1)
        made.return_value.connect.assert_called_once_with(("1.1.1.1", 80))

    def test_tries_a_few(self):
        found = self.found(*(f"1.1.1.{n}" for n in range(9))) + [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:4700::1", 80, 0, 0))]
        with mock.patch("socket.getaddrinfo", return_value=found), mock.patch("socket.socket") as made:
            made.return_value.connect.side_effect = ConnectionRefusedError
            with self.assertRaises(ConnectionRefusedError):
                addresses.dial("many.test", 80, False, 1)
        tried = [call.args[0][0] for call in made.return_value.connect.call_args_list]
        self.assertEqual(tried, ["1.1.1.0", "2606:4700::1", "1.1.1.1", "1.1.1.2"])

    def test_ports(self):
        for scheme, port, wanted, default in (("https", None, 443, 443), ("http", None, 80, 80), ("http", 8080, 8080, 80)):
            link = addresses.connection(scheme, "x.test", port, False, 1)
            self.assertEqual((link.port, link.default_port), (wanted, default))

    def test_tries_the_next_address(self):
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        port = listening.getsockname()[1]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in (("127.0.0.1", 1), ("127.0.0.1", port))]
        with mock.patch("socket.getaddrinfo", return_value=found):
            with addresses.dial("x.test", 80, True, 1) as sock:
                self.assertEqual(sock.getpeername()[1], port)


class WebCase(Case):
    def setUp(self):
        super().setUp()
        self.stop = threading.Event()
        self.path = self.home / "file"

    def save(self, url, limit=1000, seconds=5.0, private=True, whole=20.0):
        limits = download.Limits(limit, seconds, private)
        download.save("video", Source(url=url), self.path, limits, web.Clock(whole, self.stop))
        return self.path.read_bytes()

    def problem(self, url, **options):
        with self.assertRaises(errors.JobError) as caught:
            self.save(url, **options)
        self.assertNotIn("127.0.0.1", str(caught.exception))
        return str(caught.exception)


class DownloadTest(WebCase):
    def test_downloads(self):
        seen = []

        def answer(to):
            seen.append((to.path, to.headers["Accept-Encoding"], to.headers["Host"]))
            to.reply(content=b"x" * 1000)

        url = self.serve(answer)
        self.assertEqual(self.save(url + "/a%20b/ü?x=1&y=%2F"), b"x" * 1000)
        self.assertEqual(seen, [("/a%20b/%C3%BC?x=1&y=%2F", "identity", url[7:])])

    def test_follows_redirects(self):
        def answer(to):
            if to.path == "/":
                to.reply(302, Location="/next")
            else:
                to.reply(content=to.path.encode())

        self.assertEqual(self.save(self.serve(answer)), b"/next")
        self.assertIn("redirects more than 5 times", self.problem(self.serve(lambda to: to.reply(302, Location="/"))))
        self.assertIn("neither http nor https", self.problem(self.serve(lambda to: to.reply(302, Location="file:///etc/passwd"))))
        self.assertIn("without a target", self.problem(self.serve(lambda to: to.reply(302))))

    def test_private_addresses(self):
        asked = []

        def answer(to):
            asked.append(to.path)
            to.reply()

        url = self.serve(answer)
        self.assertIn("leads into a private network", self.problem(url, private=False))
        self.assertIn("leads into a private network", self.problem(url.replace("127.0.0.1", "localhost"), private=False))
        self.assertIn("leads into a private network", self.problem(url.replace("127.0.0.1", "2130706433"), private=False))
        self.assertEqual(asked, [])

    def test_private_addresses_behind_a_redirect(self):
        asked = []

        def answer(to):
            asked.append(to.path)
            to.reply(302, Location=url.replace("127.0.0.1", "127.0.0.2") + "/inside")

        url = self.serve(answer)
        with mock.patch("addresses.is_public", side_effect=lambda address: address == "127.0.0.1"):
            self.assertIn("leads into a private network", self.problem(url, private=False))
        self.assertEqual(asked, ["/"])

    def test_limits(self):
        self.assertIn("video: has over 999 bytes", self.problem(self.serve(lambda to: to.reply(content=b"x" * 1000)), limit=999))
        endless = self.serve(lambda to: to.reply(content=b"x" * 5000, length=False))
        self.assertIn("video: has over 1000 bytes", self.problem(endless))
        self.assertLessEqual(self.path.stat().st_size, 1000)

    def test_answers(self):
        self.assertIn("was answered with 404 Not Found", self.problem(self.serve(lambda to: to.reply(404))))
        self.assertIn("was answered with 206", self.problem(self.serve(lambda to: to.reply(206))))
        self.assertIn("sent 10 of 20 bytes", self.problem(self.serve(lambda to: to.reply(content=b"x" * 10, length=20))))
        self.assertIn("can't be read completely", self.problem(self.serve(lambda to: to.wfile.write(b"nonsense\r\n\r\n"))))

    def test_hosts(self):
        self.assertIn("refuses connections", self.problem("http://127.0.0.1:1/"))
        with mock.patch("socket.getaddrinfo", side_effect=socket.gaierror(-2, "x")):
            self.assertIn("names a host that can't be found", self.problem("http://nowhere.test/"))

    def test_a_length_is_not_needed(self):
        self.assertEqual(self.save(self.serve(lambda to: to.reply(content=b"x" * 10, length=False))), b"x" * 10)

    def test_leaves_no_thread(self):
        url = self.serve(lambda to: to.reply(content=b"x"))
        before = threading.active_count()
        self.save(url)
        for _ in range(100):
            if threading.active_count() <= before:
                return
            time.sleep(0.01)
        self.fail("a thread still watches the connection")

    def test_base64(self):
        download.save("video", Source(content=b"x"), self.path, download.Limits(9, 5, True), web.Clock(9, self.stop))
        self.assertEqual(self.path.read_bytes(), b"x")

    def drip(self, to):
        to.reply(content=b"x", length=1000)
        for _ in range(100):
            time.sleep(0.05)
            to.wfile.write(b"x")
            to.wfile.flush()

    def drip_headers(self, to):
        for _ in range(100):
            to.wfile.write(b"H")
            to.wfile.flush()
            time.sleep(0.05)

    def test_slow_servers(self):
        for answer in (self.drip, self.drip_headers, lambda to: time.sleep(5)):
            url, started = self.serve(answer), time.monotonic()
            self.assertIn("did not arrive within 0.3 s", self.problem(url, seconds=0.3))
            self.assertLess(time.monotonic() - started, 4)  # of the 5 that the server takes

    def test_end_of_the_job(self):
        with self.assertRaises(errors.OutOfTime):
            self.save(self.serve(self.drip), whole=0.3)

    def test_stop(self):
        threading.Timer(0.2, self.stop.set).start()
        with self.assertRaises(errors.Stopped):
            self.save(self.serve(lambda to: time.sleep(3)))

    def assert_ends(self, url, seconds):
        """A download ends on a timeout and on a stop; it would take seconds otherwise."""
        started = time.monotonic()
        self.assertIn("did not arrive within 0.2 s", self.problem(url, seconds=0.2))
        threading.Timer(0.2, self.stop.set).start()
        with self.assertRaises(errors.Stopped):
            self.save(url, seconds=60, whole=60)
        self.assertLess(time.monotonic() - started, seconds)

    def test_addresses_that_do_not_answer(self):
        self.assert_ends(self.black_hole(), 8)  # of the 10 that each may take

    def test_a_name_that_is_looked_up_for_long(self):
        ended = threading.Event()
        self.addCleanup(ended.set)
        with mock.patch("socket.getaddrinfo", side_effect=lambda *_, **__: ended.wait(20)):
            self.assert_ends("http://slow.test/", 10)

    def test_a_handshake_that_hangs(self):
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        self.assert_ends(f"https://127.0.0.1:{listening.getsockname()[1]}/", 10)  # of web.SILENCE

    def test_full_disk(self):
        self.path = Path("/dev/full")
        with self.assertRaisesRegex(errors.JobError, "disk is full"):
            download.save("video", Source(url=self.serve(lambda to: to.reply(content=b"x" * 900_000))), self.path, download.Limits(10**6, 5, True), web.Clock(9, self.stop))


class TlsTest(WebCase):
    def setUp(self):
        super().setUp()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(HERE / "fakes/right.test.pem")
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listening.close)
        threading.Thread(target=self.answer, args=(context,), daemon=True).start()
        os.environ["SSL_CERT_FILE"] = str(HERE / "fakes/right.test.pem")
        real = socket.getaddrinfo
        self.enterContext(mock.patch("socket.getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more)))

    def answer(self, context):
        while True:
            try:
                plain, _ = self.listening.accept()
            except OSError:
                return
            with plain:
                try:
                    with context.wrap_socket(plain, server_side=True) as sock:
                        sock.recv(9000)
                        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                except OSError:
                    pass

    def test_the_certificate_is_for_the_name(self):
        port = self.listening.getsockname()[1]
        self.assertEqual(self.save(f"https://right.test:{port}/"), b"hi")
        self.assertIn("certificate is not valid", self.problem(f"https://wrong.test:{port}/"))


class DeliverTest(WebCase):
    def setUp(self):
        super().setUp()
        (self.home / "job-1").mkdir()
        self.path = self.home / "job-1" / "result.mp4"
        self.path.write_bytes(b"video" * 100)
        self.enterContext(mock.patch("deliver.PAUSE", 0.01))

    def deliver(self, url="", inline=10**6, upload=None, private=True):
        return deliver.deliver(self.path, url, inline, upload, private, web.Clock(5, self.stop))

    def test_puts(self):
        got = []

        def answer(to):
            got.append((to.command, to.path, to.headers["Content-Type"], to.rfile.read(int(to.headers["Content-Length"]))))
            to.reply(200 if len(got) > 2 else 503 if len(got) == 1 else 307, Location="/moved?s=2")

        url = self.serve(answer)
        self.assertEqual(self.deliver(url + "/put?sig=secret"), {"video_url": url + "/put"})
        self.assertEqual([line[:2] for line in got], [("PUT", "/put?sig=secret"), ("PUT", "/put?sig=secret"), ("PUT", "/moved?s=2")])
        self.assertEqual(got[2][2:], ("video/mp4", b"video" * 100))

    def test_refused_puts(self):
        asked = []

        def answer(to):
            asked.append(1)
            to.reply(403)

        with self.assertRaisesRegex(errors.JobError, "result_url: the URL was answered with 403 Forbidden"):
            self.deliver(self.serve(answer))
        self.assertEqual(len(asked), 1)
        with self.assertRaisesRegex(errors.JobError, "private network"):
            self.deliver(self.serve(answer), private=False)
        self.assertEqual(len(asked), 1)

    def test_a_refusal_before_the_end_says_why(self):
        self.path.write_bytes(b"x" * 30_000_000)
        with self.assertRaisesRegex(errors.JobError, "413"):
            self.deliver(self.serve(lambda to: to.reply(413)))

    def test_large_files_pass_through_piece_by_piece(self):
        piece, count = bytes(1 << 20), 32

        def answer(to):
            if to.command == "GET":
                to.reply(length=count * len(piece))
                for _ in range(count):
                    to.wfile.write(piece)
            else:
                for _ in range(count):
                    to.rfile.read(len(piece))
                to.reply()

        url, clock = self.serve(answer), web.Clock(60, self.stop)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        download.save("video", Source(url=url), self.path, download.Limits(10**9, 60, True), clock)
        self.assertEqual(self.path.stat().st_size, count * len(piece))
        deliver.deliver(self.path, url, 0, None, True, clock)
        self.assertLess(tracemalloc.get_traced_memory()[1], count * len(piece) / 4)

    def test_inline(self):
        self.assertEqual(self.deliver(), {"video": "dmlkZW92aWRlb3ZpZGVv" + self.deliver()["video"][20:]})
        with self.assertRaisesRegex(errors.JobError, "the result has 500 bytes, but an answer holds at most 499: send a result_url"):
            self.deliver(inline=499)

    def test_bucket(self):
        calls = []

        def upload(name, path):
            calls.append((name, path.read_bytes()))
            return "https://bucket.test/x"

        self.assertEqual(self.deliver(inline=1, upload=upload), {"video_url": "https://bucket.test/x"})
        self.assertEqual(calls, [("job-1.mp4", b"video" * 100)])

    def sdk(self, answer):
        """Install an SDK that answers as told."""
        module = mock.MagicMock()
        module.serverless.utils.rp_upload.upload_file_to_bucket.side_effect = answer
        names = {"runpod": module, "runpod.serverless": module.serverless, "runpod.serverless.utils": module.serverless.utils}
        return mock.patch.dict("sys.modules", names)

    def test_bucket_of_the_sdk(self):
        env = dict.fromkeys(deliver.BUCKET, "https://s3.test")
        self.assertIsNone(deliver.bucket({"BUCKET_ENDPOINT_URL": "https://s3.test"}))
        with self.sdk(lambda name, path, bucket_name, extra_args: f"https://s3.test/{bucket_name}/{name}?sig"):
            self.assertEqual(self.deliver(inline=1, upload=deliver.bucket(env | {"BUCKET_NAME": "b"})), {"video_url": "https://s3.test/b/job-1.mp4?sig"})
        with self.sdk(lambda *_, **__: "local_upload/x.mp4"), self.assertRaisesRegex(errors.JobError, "the SDK can't reach it"):
            self.deliver(inline=1, upload=deliver.bucket(env))
        with self.sdk(RuntimeError("denied at https://s3.test/secret")), self.assertRaisesRegex(errors.JobError, "bucket failed: denied at <url>"):
            self.deliver(inline=1, upload=deliver.bucket(env))

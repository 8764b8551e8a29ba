"""The worker over HTTP, under a stand-in for Runpod's SDK, and as a program."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from pathlib import Path
from unittest import mock

import errors
import job as jobs
import serve_http
import serve_queue
import start
from worker import Worker

from tests.support import APP, Case, ask, fill, job, ready


class HttpCase(Case):
    def setUp(self, **changes):
        super().setUp()
        fill(self.home / "baked")
        self.worker = Worker(self.settings(WORKER_MODE="load-balancing", **changes))
        self.port = self.start(serve_http.Server(0, self.worker))

    def start(self, server):
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.drain, 1)
        return server.server_port

    def ready(self):
        ready(self, self.worker)

    def begin(self, length=1000, sent=b"{"):
        """Begin to send a request's body."""
        sock = self.enterContext(socket.create_connection(("127.0.0.1", self.port), 10))
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length + sent)
        return sock

    def send(self, given):
        """Send a job, and return its connection."""
        body = json.dumps(given).encode()
        return self.begin(len(body), body)

    def wait_for_slot(self, taken=True):
        end = time.monotonic() + 10
        while self.worker.running() is not taken and time.monotonic() < end:
            time.sleep(0.01)
        self.assertIs(self.worker.running(), taken)


class HttpTest(HttpCase):
    def test_ping(self):
        self.assertEqual(ask(self.port, "GET", "/ping")[::2], (204, None))
        self.ready()
        self.assertEqual(ask(self.port, "GET", "/ping?x")[::2], (200, {"status": "ready"}))
        self.worker.fail("no weights: give some")
        self.assertEqual(ask(self.port, "GET", "/ping")[::2], (503, {"error": "no weights: give some"}))

    def test_ping_tells_no_path(self):
        def fail(worker):
            raise RuntimeError("http://hub.secret/x in /models/y/z")

        with mock.patch("start._prepare", fail):
            start.prepare(self.worker)
        said = ask(self.port, "GET", "/ping")[2]["error"]
        self.assertRegex(said, r"^internal error: RuntimeError at .*start\.py:\d+")
        for words in (said, self.said()):
            self.assertNotRegex(words, "secret|/models")
        self.assertIn("internal error: RuntimeError: <url> in …/z", self.said())

    def test_a_port_for_health_alone(self):
        port = self.start(serve_http.health_only(0, self.worker))
        self.assertEqual(ask(port, "GET", "/ping")[0], 204)
        self.assertEqual(ask(port, "POST", "/run", "{}")[0], 404)

    def test_runs_jobs(self):
        self.ready()
        for path, body in (("/", job()), ("/run", {"input": job(), "id": "x", "webhook": "https://x.test/"})):
            status, _, result = ask(self.port, "POST", path, json.dumps(body))
            self.assertEqual((status, result["seed"]), (200, 7))
        self.assertEqual(self.processing(), [])

    def test_not_ready(self):
        status, headers, body = ask(self.port, "POST", "/", json.dumps(job()))
        self.assertEqual((status, headers["Retry-After"], body), (503, "5", {"error": "the worker is not ready: loading"}))

    def test_busy(self):
        self.ready()
        with self.worker.slot():
            self.assertEqual(ask(self.port, "POST", "/", json.dumps(job()))[0], 429)

    def status(self, sock):
        return int(sock.makefile("rb").readline().split()[1])

    def test_one_body_at_a_time(self):
        self.ready()
        first = self.begin(5)
        self.wait_for_slot()
        self.assertEqual(self.status(self.begin(30_000_000)), 429)
        first.sendall(b"nope")
        self.assertEqual(self.status(first), 400)
        self.wait_for_slot(False)

    def test_a_slow_body(self):
        self.ready()
        with mock.patch("serve_http.BODY_SECONDS", 0.2):
            self.assertEqual(self.status(self.begin()), 408)
        self.wait_for_slot(False)

    def test_a_stop_while_a_body_arrives(self):
        self.ready()
        sock = self.begin()
        self.wait_for_slot()
        self.worker.end()
        self.assertEqual(self.status(sock), 503)

    def test_a_sender_that_leaves_cancels_its_job(self):
        pids = self.home / "pids"
        with mock.patch.dict(os.environ, {"FAKE_PIDS": str(pids)}):
            self.ready()
        sock = self.send(job(prompt="fake: hang"))
        while not pids.exists():
            time.sleep(0.02)
        sock.close()
        self.wait_for_slot(False)
        self.assertIn("failed: the worker was stopped", self.said())
        self.assertEqual(self.processing(), [])
        self.assertEqual(ask(self.port, "POST", "/", json.dumps(job()))[0], 200)

    def test_a_result_url_needs_no_sender(self):
        self.ready()
        got = []
        url = self.serve(lambda to: got.append(to.rfile.read(int(to.headers["Content-Length"]))) or to.reply())
        with mock.patch("job._preprocess", side_effect=lambda *given, done=jobs._preprocess: time.sleep(3 * serve_http.LOOK_SECONDS) or done(*given)):
            self.send(job(result_url=url)).close()
            self.wait_for_slot()
            self.wait_for_slot(False)
        self.assertEqual(len(got), 1, self.said())

    def test_errors(self):
        self.ready()
        for method, path, body, status in (
            ("GET", "/x", None, 404), ("GET", "/", None, 405), ("POST", "/ping", "", 405), ("PUT", "/", "", 501),
            ("POST", "/", "nonsense", 400), ("POST", "/", "[" * 100_000, 400), ("POST", "/", json.dumps(job(mode="x")), 400),
            ("POST", "/", json.dumps({"input": 5}), 400), ("POST", "/", "", 400),
        ):  # fmt: skip
            with self.subTest(path, method=method):
                answer = ask(self.port, method, path, body)
                self.assertEqual(answer[0], status)
                self.assertTrue(answer[2]["error"])

    def test_body_limits(self):
        self.ready()
        for headers, status in (({"Content-Length": "30000001"}, 413), ({"Content-Length": "9" * 20}, 413), ({"Content-Length": "-1"}, 411), ({"Transfer-Encoding": "chunked"}, 411)):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.putrequest("POST", "/")
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            self.assertEqual(answer.status, status)
            answer.read()
            connection.close()

    def test_a_gpu_in_doubt_ends_the_worker(self):
        self.ready()
        for refresh in (False, True):
            status, _, body = ask(self.port, "POST", "/", json.dumps(job(prompt="fake: device")))
            self.assertEqual((status, body.get("refresh_worker", False)), (500, refresh))
        self.assertEqual(ask(self.port, "GET", "/ping")[0], 503)


class QueueTest(Case):
    def setUp(self):
        super().setUp()
        fill(self.home / "baked")
        self.worker = Worker(self.settings())
        with mock.patch.dict(os.environ, {"FAKE_PIDS": str(self.home / "pids")}):
            ready(self, self.worker)
        self.told = []

    def handle(self, given):
        handler = serve_queue.handler(self.worker, lambda job, progress: self.told.append((job["id"], progress)))
        return asyncio.run(handler({"id": "a-1", "input": given}))

    def test_returns_the_result(self):
        self.assertEqual(self.handle(job())["seed"], 7)
        self.assertIn({"stage": "generating", "percent": 50, "segment": 1, "segments": 1, "step": 2, "steps": 4}, [{name: value for name, value in told.items() if name != "left"} for _, told in self.told])

    def test_returns_errors(self):
        self.assertEqual(self.handle(job(steps=0)), {"error": "steps is 0: use a whole number from 1 to 100"})
        self.assertEqual(set(self.handle(job(prompt="fake: device"))), {"error"})
        self.assertEqual(set(self.handle(job(prompt="fake: device"))), {"error", "refresh_worker"})

    def test_a_cancelled_job_ends(self):
        pids = self.home / "pids"

        async def cancel():
            task = asyncio.ensure_future(serve_queue.handler(self.worker, lambda *_: None)({"id": "a-1", "input": job(prompt="fake: hang")}))
            while not pids.exists():
                await asyncio.sleep(0.02)  # the loop continues while the job runs
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        self.assertEqual(self.processing(), [])
        self.assertEqual(self.handle(job())["seed"], 7)

    def test_progress_is_not_told_too_often(self):
        sent = []
        sdk = types.SimpleNamespace(serverless=types.SimpleNamespace(progress_update=lambda job, progress: sent.append(progress)))
        tell = serve_queue._progress(sdk)
        for percent in range(5):
            tell({"id": "a"}, {"stage": "generating", "percent": percent})
        tell({"id": "a"}, {"stage": "delivering"})
        self.assertEqual(sent, [{"stage": "generating", "percent": 0}, {"stage": "delivering"}])
        sdk.serverless.progress_update = mock.Mock(side_effect=RuntimeError)
        tell({"id": "b"}, {"stage": "fetching"})
        self.assertIn("can't report progress: RuntimeError", self.said())


SDK = '''
"""Stands in for Runpod's SDK: sets its own handlers, as the real one does, takes one job, and waits for another."""
import asyncio, json, os, signal, sys
from pathlib import Path

def progress_update(job, progress): pass

async def loop(config, shutdown):
    for name in sorted(Path(os.environ["FAKE_JOBS"]).glob("*.json")):
        config["concurrency_modifier"](1)
        result = await config["handler"](json.loads(name.read_text()))
        name.with_suffix(".answer").write_text(json.dumps(result))
    config["concurrency_modifier"](1)
    print("idle", file=sys.stderr, flush=True)
    await asyncio.sleep(60)  # a long poll for the next job, whatever the shutdown

def start(config):
    shutdown = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: shutdown.append(1) or print("sdk: shutdown", file=sys.stderr, flush=True))
    asyncio.run(loop(config, shutdown))
'''


class ProgramCase(Case):
    def setUp(self):
        super().setUp()
        for directory in ("sdk/runpod/serverless", "jobs"):
            (self.home / directory).mkdir(parents=True)
        (self.home / "sdk/runpod/__init__.py").write_text("from . import serverless")
        (self.home / "sdk/runpod/serverless/__init__.py").write_text(SDK)

    def start(self, *arguments, **env):
        more = {"PYTHONPATH": str(self.home / "sdk"), "FAKE_JOBS": str(self.home / "jobs"), "FAKE_PIDS": str(self.home / "pids")}
        program = subprocess.Popen(
            [sys.executable, str(APP / "handler.py"), *arguments], env=self.env | more | env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.home,
        )  # fmt: skip
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        return program

    def put_job(self, given):
        (self.home / "jobs/1.json").write_text(json.dumps({"id": "q-1", "input": given}))

    def wait_for(self, look):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(0.02)
        self.fail("nothing happened")

    def read_until(self, program, words):
        said = ""
        while words not in said:
            line = program.stderr.readline()
            self.assertTrue(line, said)
            said += line
        return said

    def term(self, program):
        """Tell a program to end; one that only its last resort ends returns 1."""
        program.send_signal(signal.SIGTERM)
        return program.communicate(timeout=15)[1]


class ProgramTest(ProgramCase):
    def test_queue(self):
        fill(self.home / "baked")
        self.put_job(job())
        program = self.start()
        answer = self.wait_for(lambda: (self.home / "jobs/1.answer").exists() and (self.home / "jobs/1.answer").read_text())
        self.assertEqual(json.loads(answer)["seed"], 7)
        self.read_until(program, "idle")
        said = self.term(program)
        self.assertIn("sdk: shutdown", said)
        self.assertIn("stopped", said)
        self.assertEqual((program.returncode, self.processing()), (0, []))

    def test_sigterm_during_a_job_of_the_queue(self):
        fill(self.home / "baked")
        self.put_job(job())
        program = self.start(FAKE_GENERATE="hang")
        self.wait_for((self.home / "pids").exists)
        self.term(program)
        self.assertEqual(json.loads((self.home / "jobs/1.answer").read_text()), {"error": "the worker was stopped: send the job again"})
        self.assertEqual((program.returncode, self.processing()), (0, []))
        for pid in (self.home / "pids").read_text().split():
            self.wait_for(lambda pid=pid: not alive(pid))

    def test_sigterm_during_a_job_over_http(self):
        fill(self.home / "baked")
        port = free_port()
        program = self.start(WORKER_MODE="load-balancing", PORT=str(port), FAKE_GENERATE="hang")
        self.wait_for(lambda: reached(port) == 200)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(ask(port, "POST", "/", json.dumps(job()))))
        asking.start()
        self.wait_for((self.home / "pids").exists)
        self.term(program)
        asking.join(5)
        self.assertEqual(answers[0][::2], (503, {"error": "the worker was stopped: send the job again"}))
        self.assertEqual((program.returncode, self.processing()), (0, []))

    def test_a_killed_worker_s_files_are_removed(self):
        fill(self.home / "baked")
        self.put_job(job())
        program = self.start(FAKE_GENERATE="hang")
        self.wait_for((self.home / "pids").exists)
        program.kill()
        program.wait()
        for pid in (self.home / "pids").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        self.assertNotEqual(self.processing(), [])
        (self.home / "jobs/1.json").unlink()
        program = self.start(WORKER_LOG="debug")
        self.assertIn("dead workers left: 1", self.read_until(program, "idle"))
        self.assertEqual(self.processing(), [])

    def test_without_weights(self):
        program = self.start(HF_HUB_OFFLINE="1")
        said = program.communicate(timeout=10)[1]
        self.assertEqual(program.returncode, 1)
        self.assertIn("HF_HUB_OFFLINE=1 forbids fetching them", said)

    def test_without_weights_over_http(self):
        port = free_port()
        self.start(WORKER_MODE="load-balancing", PORT=str(port), HF_HUB_OFFLINE="1")
        self.wait_for(lambda: reached(port) == 503)
        self.assertIn("HF_HUB_OFFLINE=1", ask(port, "GET", "/ping")[2]["error"])

    def test_without_a_gpu(self):
        fill(self.home / "baked")
        program = self.start(REQUIRE_GPU="1")
        said = program.communicate(timeout=10)[1]
        self.assertEqual(program.returncode, 1)
        self.assertRegex(said, "not ready: no GPU: (libcuda.so.1 is missing: start the container with|the driver sees no GPU)")
        self.assertNotIn("Traceback", said)

    def test_sigterm_during_a_fetch(self):
        url = self.serve(lambda to: time.sleep(3))
        program = self.start(HF_ENDPOINT=url)
        self.read_until(program, "weights: fetching to the container disk")
        said = self.term(program)
        self.assertEqual(program.returncode, 0, said)

    def test_settings_that_are_wrong(self):
        program = self.start(PORT="x", WORKER_MODE="both", PRELOAD="maybe")
        said = program.communicate(timeout=10)[1]
        self.assertEqual(program.returncode, 2)
        for words in ("PORT is 'x'", "WORKER_MODE is 'both': set it to one of queue, load-balancing", "PRELOAD is 'maybe'"):
            self.assertIn(words, said)

    def test_a_port_that_is_taken(self):
        listening = socket.create_server(("", 0))
        self.addCleanup(listening.close)
        program = self.start(WORKER_MODE="load-balancing", PORT=str(listening.getsockname()[1]))
        self.assertIn("not started: listening on", program.communicate(timeout=10)[1])
        self.assertEqual(program.returncode, 1)

    def test_checks(self):
        fill(self.home / "baked")
        program = self.start("--check", "model", "--deep")
        said = program.communicate(timeout=10)[0]
        self.assertEqual(program.returncode, 0, said)
        self.assertRegex(said, r"^model: complete and intact: 8 files, \d+ bytes, of hf://Wan-AI/")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def reached(port):
    try:
        return ask(port, "GET", "/ping")[0]
    except OSError:
        return None


class StartTest(Case):
    def test_a_bug_is_told(self):
        import start

        worker = Worker(self.settings())
        with mock.patch("directory.cleanup", side_effect=RuntimeError("x")):
            start.prepare(worker)
        self.assertIn("internal error: RuntimeError at ", worker.detail)
        self.assertIn("internal error: RuntimeError: x", self.said())

    def test_without_wan(self):
        import start

        worker = Worker(self.settings(WAN_HOME=self.home))
        start.prepare(worker)
        self.assertIn("WAN_HOME has no Wan2.2", worker.detail)
        with self.assertRaises(errors.JobError):
            worker.run("x", job(), lambda _: None)


class SignalsTest(Case):
    CODE = """
import os, sys, threading, time
sys.path.insert(0, {app!r})
from signals import Signals
ended = threading.Event()
signals = Signals(ended.set)
signals.install()
child = os.fork()
if not child:
    time.sleep(9)
    os._exit(0)
time.sleep(0.1)  # until it is one
os.kill(child, 15)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -15, "a fork has to die of it"
assert not ended.wait(0.1), "and its signal is not ours"
with ended._cond:
    os.kill(os.getpid(), 15)  # while a lock is held that the end needs
    time.sleep(0.05)
assert ended.wait(5)
"""

    def test_a_fork_and_a_lock(self):
        done = subprocess.run([sys.executable, "-S", "-c", self.CODE.format(app=str(APP))], capture_output=True, text=True, timeout=10)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

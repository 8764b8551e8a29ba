"""The process that holds the models: loaded with the worker, replaced when necessary, gone with the worker."""

import os
import signal
import subprocess
import sys
import threading
import time
from unittest import mock

import embed
import errors
import plan
import resident
import serve_queue
import start
from worker import Status, Worker

from tests.support import APP, Case, fill, job


class ResidentCase(Case):
    def setUp(self):
        super().setUp()
        fill(self.home / "baked")
        self.pids, self.go = self.home / "pids", self.home / "go"

    def prepared(self, environment=None, **changes):
        """Return a worker after start.prepare, ready or not."""
        worker = Worker(self.settings(**changes))
        self.addCleanup(worker.close)
        with mock.patch.dict(os.environ, {"FAKE_PIDS": str(self.pids), "FAKE_GO": str(self.go)} | (environment or {})):
            start.prepare(worker)
        return worker

    def until(self, look):
        for _ in range(1000):
            if found := look():
                return found
            time.sleep(0.01)
        self.fail("it didn't happen: " + self.said())


class LoadTest(ResidentCase):
    def test_a_job_is_fetched_and_preprocessed_while_the_models_load(self):
        worker, told = self.prepared({"FAKE_LOAD": "slow"}), []
        self.assertIs(worker.status, Status.READY)

        def tell(progress):
            told.append(progress["stage"])
            if progress["stage"] == "loading the models":
                self.go.touch()

        self.assertEqual(worker.run("job-1", job(), tell)["seed"], 7)
        self.assertEqual(list(dict.fromkeys(told)), ["fetching", "reading", "preprocessing", "loading the models", "generating", "delivering"])

    def test_preload(self):
        worker = Worker(self.settings(PRELOAD="1"))
        self.addCleanup(worker.close)
        with mock.patch.dict(os.environ, {"FAKE_LOAD": "slow", "FAKE_GO": str(self.go)}):
            preparing = threading.Thread(target=start.prepare, args=(worker,))
            preparing.start()
            self.until(lambda: worker.resident._life)
            self.assertIs(worker.status, Status.LOADING)
            self.go.touch()
            preparing.join(10)
        self.assertIs(worker.status, Status.READY)
        self.assertTrue(worker.resident.loaded())

    def test_models_that_cannot_be_loaded(self):
        for preload in ("0", "1"):
            with mock.patch.dict(os.environ, {"FAKE_LOAD": "die"}):  # also on the retry
                worker = self.prepared(PRELOAD=preload)
                self.until(lambda worker=worker: worker.status is Status.FAILED)
            self.assertIn("loading the models failed with exit code 1", worker.detail)
            self.assertIn("ValueError: something in …/animate.py broke", worker.detail)
            with self.assertRaisesRegex(errors.JobError, "the worker is not ready: loading the models failed") as caught:
                worker.run("job-1", job(), lambda _: None)
            self.assertTrue(caught.exception.refresh)

    def test_a_load_that_dies_once(self):
        with mock.patch.dict(os.environ, {"FAKE_LOAD": "SIGKILL"}):
            worker = Worker(self.settings())
            self.addCleanup(worker.close)
            worker.resident.begin(start.pipeline(worker.settings, {"": worker.settings.model_path}, worker.plan))
        worker.ready(worker.settings.model_path)
        self.assertEqual(worker.run("job-1", job(), lambda _: None)["seed"], 7)

    def test_loading_that_hangs(self):
        with mock.patch("resident.LOAD_SILENCE", 3.0):
            worker = self.prepared({"FAKE_LOAD": "hang"})
            self.until(self.pids.exists)
            life = worker.resident._life
            self.assertEqual(worker.run("job-1", job(), lambda _: None)["seed"], 7)
        self.assertIsNot(worker.resident._life, life)
        self.assertIsNotNone(life._program.poll())
        self.assertIn("the pipeline hangs and is restarted", self.said())


class LifeTest(ResidentCase):
    def process(self, worker):
        return self.until(lambda: worker.resident.loaded() and worker.resident._life)

    def test_one_that_dies_between_jobs(self):
        worker = self.prepared()
        life = self.process(worker)
        os.kill(life._program.pid, signal.SIGKILL)
        self.assertEqual(worker.run("job-1", job(), lambda _: None)["seed"], 7)
        self.assertIsNot(worker.resident._life, life)

    def test_one_that_leaks(self):
        worker = self.prepared()
        life = self.process(worker)
        with mock.patch.dict(resident.LEAK, {"memory": 50_000_000}):
            for _ in range(3):
                worker.run("job-1", job(), lambda _: None)
            self.assertIs(worker.resident._life, life)
            worker.run("job-1", job(prompt="fake: leak"), lambda _: None)
            self.assertIn("the pipeline keeps 0.1 GB more of memory after its jobs and is restarted", self.said())
            self.assertEqual(worker.run("job-1", job(), lambda _: None)["seed"], 7)
        self.assertIsNot(worker.resident._life, life)

    def test_the_first_two_jobs_may_fill_caches(self):
        life = resident.Life.__new__(resident.Life)
        life._jobs, life._mark = 0, {}
        said = [life.leaks({"memory": 0, "gpu": gpu << 30}) for gpu in (1, 30, 31, 32, 30)]
        self.assertEqual([bool(words) for words in said], [False, False, False, True, False])

    def test_a_closed_one_stays_closed(self):
        worker = self.prepared()
        program = self.process(worker)._program
        worker.close()
        self.assertIsNotNone(program.poll())
        with self.assertRaises(errors.Stopped):
            worker.resident.run({}, start.Clock(9, threading.Event()), 9, lambda _: None)

    def test_it_ends_with_a_worker_that_is_killed(self):
        code = f"""
import sys, time, os
sys.path[:0] = [{str(APP)!r}]
import settings, start
from worker import Worker
worker = Worker(settings.read(os.environ))
start.prepare(worker)
holder = os.fork()  # has the other end of the socket, as a fork of the SDK's has
print(os.getpid(), holder, flush=True) if holder else None
time.sleep(60)
"""
        env = os.environ | {"FAKE_LOAD": "hang", "FAKE_PIDS": str(self.pids)}
        program = subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        self.addCleanup(program.stdout.close)
        _, holder = map(int, program.stdout.readline().split())
        self.addCleanup(os.kill, holder, signal.SIGKILL)
        self.until(self.pids.exists)
        program.kill()
        program.wait()
        for pid in map(int, self.pids.read_text().split()):
            self.until(lambda pid=pid: not os.path.exists(f"/proc/{pid}") or " Z " in open(f"/proc/{pid}/stat").read())


class PlanTest(ResidentCase):
    def on(self, gib, **changes):
        with mock.patch("gpu.check", return_value=plan.Card("a card", gib << 30)):
            return self.prepared(REQUIRE_GPU="1", **changes)

    def test_what_fits_the_card(self):
        worker = self.on(80)
        self.assertEqual((worker.status, worker.plan.fp8), (Status.READY, False))
        self.assertEqual(worker.run("job-1", job(), lambda _: None)["seed"], 7)
        self.assertTrue(self.on(23).plan.fp8)

    def test_what_does_not(self):
        worker = self.on(12)
        self.assertIs(worker.status, Status.FAILED)
        self.assertIn("GPU memory, but a card has 12.0", worker.detail)
        worker = self.on(80, MAX_AREA=832 * 480)
        with self.assertRaisesRegex(errors.InputError, "this worker accepts at most 399360 pixels"):
            worker.run("job-1", job(resolution="1280x720"), lambda _: None)
        worker.card = plan.Card("a card", 20 << 30)
        with self.assertRaisesRegex(errors.InputError, "832x480 needs .* GiB of GPU memory") as caught:
            worker.run("job-1", job(resolution="832x480"), lambda _: None)
        self.assertEqual(caught.exception.status, 422)

    def test_relighting_without_its_lora(self):
        with self.assertRaisesRegex(errors.InputError, "relighting: its LoRA is not in this image"):
            self.prepared().run("job-1", job(mode="replacement", relighting=True), lambda _: None)

    def test_a_prompt_without_the_text_encoder(self):
        worker = self.prepared(TEXT_ENCODER=self.home / "none")
        kept = self.home / "prompt.safetensors"
        header = b'{"__metadata__": {"prompt.0": "a cat", "prompt.1": "blurred"}}'
        kept.write_bytes(len(header).to_bytes(8, "little") + header)
        cleaner = mock.Mock(fix_text=str)
        with mock.patch("embed.check", lambda prompt: CHECK(prompt, kept)), mock.patch.dict(sys.modules, ftfy=cleaner):
            for given in (job(prompt="a dog"), job(prompt="a cat", negative_prompt="ugly", cfg=2)):
                with self.assertRaisesRegex(errors.InputError, "this worker has no text encoder"):
                    worker.run("job-1", given, lambda _: None)
            self.assertEqual(worker.run("job-1", job(prompt="a cat"), lambda _: None)["seed"], 7)


CHECK = embed.check


class ParentTest(Case):
    HEAVY = ("torch", "numpy", "diffusers", "transformers", "cv2", "decord", "onnxruntime", "runpod", "imageio_ffmpeg")

    def test_nothing_heavy_is_imported_in_the_worker(self):
        code = f"import sys; sys.path[:0] = [{str(APP)!r}]; import handler, job, resident, deliver; print(*sys.modules)"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        self.assertFalse({name.partition(".")[0] for name in said} & set(self.HEAVY))

    def test_the_sdk_s_checks_make_no_context_in_the_worker(self):
        seen = []
        sdk = mock.Mock()
        sdk.serverless.start.side_effect = lambda config: seen.append(os.environ.get("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS"))
        with mock.patch.dict(sys.modules, runpod=sdk):
            serve_queue.serve(mock.Mock(), mock.Mock())
        self.assertEqual(seen, ["true"])

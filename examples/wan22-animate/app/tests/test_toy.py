"""Jobs whose films the pipeline itself makes, on toy weights: how they are cancelled, and what they leave."""

import importlib.util
import json
import signal
import sys
import threading
import time
import unittest
from unittest import mock

from resident import Resident
from web import Clock

from tests.support import HERE, ask, fill, job
from tests.test_serve import HttpCase, ProgramCase, free_port, reached

MISSING = [name for name in ("torch", "diffusers", "cv2") if not importlib.util.find_spec(name)]
NEEDS = f"the pipeline needs {', '.join(MISSING)}, which this Python hasn't"
PIPELINE = str(HERE / "fakes/toy.py")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""Toys are too small for more, which would wait for each other."""
MOST = 10
"""Blocks that may run after a job was cancelled: two seconds of them, a quarter of a step."""


def say(figure):
    print(figure, file=sys.__stderr__, flush=True)


def cancelled(case, ran, cancel, ended):
    """Cancel a job in the middle of a step, and look at what still ran."""
    while ran.stat().st_size < 3:
        time.sleep(0.01)  # the models load, too
    before, started = ran.stat().st_size, time.monotonic()
    cancel()
    ended()
    seconds, after = time.monotonic() - started, ran.stat().st_size - before
    say(f"{case.id()}: ended after {seconds:.1f} s, {after} blocks of 40")
    case.assertLessEqual(after, MOST)


@unittest.skipIf(MISSING, NEEDS)
class CancelTest(HttpCase):
    def setUp(self):
        super().setUp(PIPELINE=PIPELINE)
        self.ran = self.home / "ran"
        self.ran.touch()
        with mock.patch.dict("os.environ", ONE_THREAD | {"FAKE_BLOCKS": str(self.ran)}):
            self.ready()

    def test_by_leaving(self):
        self.leave()

    def test_while_the_prompt_is_encoded(self):
        self.leave(prompt="slow")

    def leave(self, **changes):
        life = self.worker.resident._life
        for _ in range(2):  # the second shows that the pipeline goes on
            sock = self.send(job(**changes))
            cancelled(self, self.ran, sock.close, lambda: self.wait_for_slot(False))
            self.assertEqual(self.processing(), [])
            self.worker.resident.wait(Clock(60, threading.Event()))
            self.assertLess(self.ran.stat().st_size, 40)
            self.ran.write_bytes(b"")
        self.assertIs(self.worker.resident._life, life)
        self.assertIsNone(life._program.poll())


@unittest.skipIf(MISSING, NEEDS)
class ProgramTest(ProgramCase):
    def test_by_a_signal(self):
        fill(self.home / "baked")
        port, ran, answers = free_port(), self.home / "ran", []
        ran.touch()
        program = self.start(WORKER_MODE="load-balancing", PORT=str(port), PIPELINE=PIPELINE, FAKE_BLOCKS=str(ran), **ONE_THREAD)
        self.wait_for(lambda: reached(port) == 200)
        asking = threading.Thread(target=lambda: answers.append(ask(port, "POST", "/", json.dumps(job()), timeout=600)))
        asking.start()
        cancelled(self, ran, lambda: program.send_signal(signal.SIGTERM), asking.join)
        self.assertEqual(answers[0][::2], (503, {"error": "the worker was stopped: send the job again"}))
        self.assertEqual((program.wait(30), self.processing()), (0, []))


@unittest.skipIf(MISSING, NEEDS)
class FiguresTest(HttpCase):
    def setUp(self):
        super().setUp(PIPELINE=PIPELINE)
        with mock.patch.dict("os.environ", ONE_THREAD):
            self.ready()

    def test_twenty_jobs_leave_no_memory(self):
        left, done, life = [], Resident._done, self.worker.resident._life
        with mock.patch.object(Resident, "_done", lambda *given: left.append(given[2]["memory"]) or done(*given)):
            for number in range(20):
                status, _, result = ask(self.port, "POST", "/", json.dumps(job(seed=number, steps=1)), timeout=300)
                self.assertEqual(status, 200, result)
                if number == 1:
                    say(f"{self.id()}: the second job's stages: {result['seconds']}")
        say(f"{self.id()}: {left[1] / 1e6:.0f} MB after 2 jobs, {left[-1] / 1e6:.0f} MB after 20")
        self.assertLess(left[-1], 1.05 * left[1])
        self.assertIs(self.worker.resident._life, life)

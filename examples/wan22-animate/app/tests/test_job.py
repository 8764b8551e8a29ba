"""Jobs from end to end, with scripts that behave like Wan's, and all their problems."""

import base64
import hashlib
import os
import shutil
import socket
import threading
import time
from pathlib import Path
from unittest import mock

import errors
import estimate
import job as jobs
import process
import start
from worker import Busy, Status, Worker

from tests.support import Case, b64, fill, job, png, ready, video


class JobCase(Case):
    def setUp(self):
        super().setUp()
        fill(self.home / "baked")
        self.told = []

    def worker(self, environment=None, **changes):
        worker = Worker(self.settings(**changes))
        with mock.patch.dict(os.environ, environment or {}):  # of its process
            ready(self, worker)
        return worker

    def run_job(self, given=None, environment=None, **changes):
        with mock.patch.dict(os.environ, environment or {}):
            return self.worker(**changes).run("job-1", job() if given is None else given, self.told.append)

    def problem(self, given=None, environment=None, **changes):
        """Return the error of a job, which leaves no file."""
        with self.assertRaises(errors.JobError) as caught:
            self.run_job(given, environment, **changes)
        self.assertEqual(self.processing(), [])
        self.assertIn("job job-1: failed: " + str(caught.exception), self.said())
        for hidden in (str(self.home), "/opt/", "secret.example"):
            self.assertNotIn(hidden, str(caught.exception) + self.said())
        return caught.exception


class JobTest(JobCase):
    def test_animation(self):
        result = self.run_job()
        content = base64.b64decode(result["video"])
        self.assertIn(b"sound=1", content)
        self.assertEqual(hashlib.sha256(content).hexdigest(), result["sha256"])
        self.assertEqual(len(content), result["bytes"])
        self.assertEqual((result["mode"], result["seed"], result["steps"], result["sound"]), ("animation", 7, 4, True))
        self.assertEqual((result["width"], result["height"], result["duration"], result["fps"]), (1264, 704, 2.0, 30))
        self.assertEqual(set(result["seconds"]), {"download", "preprocess", "generate"})
        self.assertEqual(self.processing(), [])

    def test_replacement(self):
        result = self.run_job(job(mode="replacement", relighting=True, refert_num=5, resolution="720x1280"))
        self.assertEqual(result["mode"], "replacement")

    def test_progress(self):
        worker = self.worker()
        worker.speed = estimate.of_card("NVIDIA H100 80GB HBM3")
        worker.run("job-1", job(), self.told.append)
        stages = list(dict.fromkeys(progress["stage"] for progress in self.told))
        self.assertEqual([stage for stage in stages if stage != "loading the models"], ["fetching", "reading", "preprocessing", "generating", "delivering"])
        (first,) = [progress["estimate"] for progress in self.told if progress["stage"] == "preprocessing"]
        self.assertGreater(first, 4 * 13 * 1.15)  # steps of an H100, plus the VAE
        percents = [progress["percent"] for progress in self.told if "percent" in progress]
        self.assertEqual(percents, sorted(percents))
        self.assertEqual((percents[0], percents[-1]), (0, 100))
        self.assertIn(50, percents)
        self.assertIn("job job-1: generating (percent 50, segment 1, segments 1, step 2, steps 4", self.said())
        self.assertTrue(worker.speed.measured)

    def test_the_time_left_follows_the_steps(self):
        work, told, learned = estimate.Work(77, 1280, 720, 4, 1, False, False), [], []
        progress = jobs._Progress(lambda *_, **more: told.append(more["left"]), work, estimate.of_card("NVIDIA H100"), learned.append)
        with mock.patch("time.monotonic", side_effect=(100, 140, 180, 220)):
            for step in range(1, 5):
                progress.hear({"segment": 1, "segments": 1, "step": step, "steps": 4})
        whole = 4 * 40 * (1 + estimate.ENCODING)
        self.assertEqual(told, [round(0.75 * estimate.sampling(work, estimate.of_card("NVIDIA H100"))), *(round(share * whole) for share in (0.5, 0.25, 0))])
        self.assertEqual([round(speed.step(work)) for speed in learned], [40] * 3)

    def test_a_silent_video_stays_silent(self):
        result = self.run_job(job(video=b64(video(sound=False))))
        self.assertFalse(result["sound"])

    def test_what_is_used_of_a_film(self):
        result = self.run_job(job(video=b64(video(duration=59.0)), start=50, frames=24, fps=12, audio="none", codec="hevc"))
        self.assertEqual((result["duration"], result["fps"], result["sound"]), (2.0, 12, False))

    def test_two_segments(self):
        result = self.run_job(job(video=b64(video(duration=4.0)), refert_num=5, cfg=3, prompt="a cat"))
        self.assertEqual(result["duration"], 4.0)
        self.assertIn({"segment": 2, "step": 4}.items(), [dict(segment=p.get("segment"), step=p.get("step")).items() for p in self.told])

    def test_scripts_have_the_directory_for_temporary_files(self):
        worker = self.worker()
        with mock.patch("process.environment", wraps=process.environment) as made:
            worker.run("job-1", job(), self.told.append)
        (home,) = {call.args[0] for call in made.call_args_list}
        self.assertEqual(home.parent, self.home / "processing")

    def test_one_process_for_all_jobs(self):
        worker, given = self.worker(), []
        life = worker.resident._life
        with mock.patch.object(life, "give", side_effect=lambda *order, real=life.give: given.append(order[0]) or real(*order)):
            for _ in range(3):
                worker.run("job-1", job(), self.told.append)
        self.assertEqual(given, [1, 2, 3])
        self.assertIs(worker.resident._life, life)
        self.assertIsNone(life._program.poll())


class ProblemTest(JobCase):
    def test_input(self):
        err = self.problem({"vidoe": "x", "mode": "swap"})
        self.assertEqual(err.status, 400)
        for words in ("'vidoe' is not a field", "video is missing", "mode is 'swap'"):
            self.assertIn(words, str(err))

    def test_not_a_video(self):
        for content in (b"x" * 5000, b"#EXTM3U\nhttp://a/" * 200, b"ffconcat version 1.0\nfile /etc/passwd\n" * 100, video()[:100], b""):
            with self.subTest(content[:10]):
                err = self.problem(job(video=b64(content) or "AAAA"))
                self.assertEqual(str(err).split(":")[:2], ["video", " is not a video"])
        self.assertIn("no video stream", str(self.problem(job(video=b64(b"\0\0\0\x18ftypisom" + b"\0" * 2000)))))

    def test_videos_that_cannot_be_worked_on(self):
        for changes, words in (
            ({"duration": 31}, "is 31 s long, over 30 s: cut it"), ({"duration": 0}, "doesn't state its length"), ({"duration": 0.1}, "0.1 s would be used: give at least 5 frames"),
            ({"fps": 5000}, "has 5000 frames a second"), ({"width": 32}, "is 32x240"), ({"width": 0}, "no video stream"),
        ):  # fmt: skip
            with self.subTest(changes):
                err = self.problem(job(video=b64(video(**changes))))
                self.assertEqual(err.status, 422)
                self.assertIn(words, str(err))

    def test_not_a_picture(self):
        for content, words in ((b"GIF89a" + b"x" * 99, "is not a picture"), (png()[:20], "is not a picture"), (png(20, 20), "is 20x20"), (b"<svg>" * 30, "is not a picture")):
            self.assertIn(words, str(self.problem(job(image=b64(content)))))

    def test_no_face(self):
        err = self.problem(environment={"FAKE_PREPROCESS": "no-face"})
        self.assertIn("no face was found", str(err))
        self.assertEqual(err.status, 422)

    def test_a_film_without_a_person(self):
        for given in (job(), job(mode="replacement")):
            err = self.problem(given, environment={"FAKE_PREPROCESS": "no-person"})
            self.assertIn("no person was found in the driving video", str(err))
            self.assertEqual(err.status, 422)

    def test_unreadable_picture(self):
        self.assertIn("the picture can't be decoded", str(self.problem(environment={"FAKE_PREPROCESS": "unreadable"})))

    def test_preprocessing_that_writes_nothing(self):
        err = self.problem(environment={"FAKE_PREPROCESS": "nothing"})
        self.assertIn("didn't write src_face.mp4, src_pose.mp4, src_ref.png", str(err))

    def test_generation_that_dies(self):
        err = self.problem(environment={"FAKE_GENERATE": "die"})
        self.assertIn("ValueError: something in …/animate.py broke at <url>", str(err))
        self.assertFalse(err.refresh)

    def test_generation_that_kills_the_pipeline(self):
        for word, words in (("SIGKILL", "because memory ran out"), ("SIGSEGV", "generating crashed (SIGSEGV)")):
            worker = self.worker()
            with self.assertRaises(errors.JobError) as caught:
                worker.run("job-1", job(prompt=f"fake: {word}"), self.told.append)
            for part in (words, "the pipeline died of this job and is restarted; the job isn't retried"):
                self.assertIn(part, str(caught.exception))
            self.assertFalse(caught.exception.refresh)
            self.assertEqual(worker.run("job-2", job(), self.told.append)["seed"], 7)

    def test_gpu_problems(self):
        err = self.problem(environment={"FAKE_GENERATE": "oom"})
        self.assertIn("the GPU's memory is too small", str(err))
        self.assertFalse(err.refresh)
        worker, bad = self.worker(), job(prompt="fake: device")
        for refresh in (False, True):  # the process is restarted after the first, the worker after the second
            life = worker.resident._life
            with self.assertRaises(errors.JobError) as caught:
                worker.run("job-1", bad, self.told.append)
            self.assertIsNotNone(life._program.poll())
            self.assertIn("the GPU failed: RuntimeError: CUDA error: an illegal memory access", str(caught.exception))
            self.assertEqual(caught.exception.refresh, refresh)
        self.assertEqual(worker.run("job-2", job(), self.told.append)["seed"], 7)
        with self.assertRaises(errors.JobError) as caught:
            worker.run("job-1", bad, self.told.append)
        self.assertFalse(caught.exception.refresh)  # one job was done in between

    def test_generation_that_writes_too_little(self):
        self.assertIn("the film is incomplete", str(self.problem(environment={"FAKE_GENERATE": "short"})))
        self.assertIn("the film is incomplete", str(self.problem(environment={"FAKE_FFMPEG": "encode garbage"})))
        self.assertIn("ffmpeg can't write the film: Conversion failed!", str(self.problem(environment={"FAKE_FFMPEG": "encode die"})))

    def test_full_disk(self):
        full = "the worker's disk is full"
        self.assertIn(full, str(self.problem(environment={"FAKE_PREPROCESS": "full"})))
        for stage in ("picture", "film", "encode"):
            self.assertIn(full, str(self.problem(environment={"FAKE_FFMPEG": f"{stage} full"})), stage)
        self.assertIn(full, str(self.problem(MIN_FREE_BYTES=2**52)))
        with mock.patch.object(Path, "write_bytes", lambda path, content: open("/dev/full", "wb", 0).write(content)):
            self.assertIn(full, str(self.problem()))

    def test_what_cannot_be_decoded(self):
        for stage, words in (("picture", "image: can't be decoded"), ("film", "video: can't be decoded: convert it to mp4 (h264): Conversion failed!")):
            err = self.problem(environment={"FAKE_FFMPEG": f"{stage} die"})
            self.assertIn(words, str(err))
            self.assertEqual(err.status, 422)

    def test_a_film_that_is_damaged(self):
        err = self.problem(environment={"FAKE_FFMPEG": "film damaged"})
        self.assertIn("video: is damaged (9 frames can't be decoded)", str(err))
        self.assertEqual(err.status, 422)

    def test_weights_that_went_away(self):
        for path in ("process_checkpoint/det/yolov10m.onnx", "config.json"):
            (self.home / "baked" / path).unlink()
            self.assertIn("the weights are incomplete or damaged", str(self.problem()))

    def test_scripts_that_are_not_there(self):
        self.assertIn("No such file or directory", str(self.problem(WAN_HOME=self.home)))

    def test_result_that_must_be_smaller(self):
        """An answer has a limit, and a film that took minutes isn't thrown away for it."""
        large = {"FAKE_FFMPEG": "encode large"}
        result = self.run_job(environment=large, MAX_INLINE_BYTES=200_000)
        content = base64.b64decode(result["video"])
        self.assertTrue(result["reduced"])
        self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (result["bytes"], result["sha256"]))
        self.assertLess(len(content), 200_000)
        self.assertIn(b"sound=1", content)
        self.assertFalse(self.run_job(environment=large)["reduced"])  # there is room
        got = []
        url = self.serve(lambda to: got.append(len(to.rfile.read(int(to.headers["Content-Length"])))) or to.reply())
        self.assertFalse(self.run_job(job(result_url=url), large, MAX_INLINE_BYTES=200_000)["reduced"])
        self.assertGreater(got[0], 300_000)
        self.assertIn("disk is full", str(self.problem(environment={"FAKE_FFMPEG": "again full"}, MAX_INLINE_BYTES=200_000)))
        self.assertIn("send a result_url", str(self.problem(environment={"FAKE_FFMPEG": "again die"}, MAX_INLINE_BYTES=200_000)))

    def test_result_that_is_too_large(self):
        err = self.problem(MAX_INLINE_BYTES=10)
        self.assertIn("send a result_url", str(err))

    def test_a_result_url_that_cannot_work(self):
        """It is told before anything is fetched, not after minutes of sampling."""
        with mock.patch("download.save", side_effect=AssertionError):
            err = self.problem(job(result_url="http://127.0.0.1:1/put?sig=secret"), ALLOW_PRIVATE_ADDRESSES=0)
            self.assertIn("result_url: the URL leads into a private network", str(err))
            self.assertEqual(err.status, 400)
            with mock.patch("socket.getaddrinfo", side_effect=socket.gaierror(-2, "x")):
                self.assertIn("result_url: the URL names a host that can't be found", str(self.problem(job(result_url="https://nowhere.test/x"))))

    def test_a_job_without_an_end(self):
        pids = self.home / "pids"
        err = self.problem(environment={"FAKE_GENERATE": "hang", "FAKE_PIDS": str(pids)}, JOB_TIMEOUT=3)
        self.assertEqual(err.status, 504)
        self.assertIn("s, while generating", str(err))

    def test_a_job_that_takes_too_long_is_refused(self):
        worker = self.worker(JOB_TIMEOUT=20)
        worker.speed = estimate.of_card("NVIDIA A100-SXM4-80GB")
        with self.assertRaisesRegex(errors.InputError, r"would take about \d+ minutes on this GPU, but only \d+ s are left \(JOB_TIMEOUT\)") as caught:
            worker.run("job-1", job(), self.told.append)
        self.assertEqual(caught.exception.status, 422)
        self.assertEqual([progress["stage"] for progress in self.told], ["fetching", "reading"])

    def test_a_deadline_without_job_timeout(self):
        pids = self.home / "pids"
        with mock.patch("estimate.deadline", return_value=2.0):
            err = self.problem(environment={"FAKE_GENERATE": "hang", "FAKE_PIDS": str(pids)})
        self.assertIn("out of time after 2 s", str(err))

    def test_a_pipeline_that_hangs(self):
        pids = self.home / "pids"
        worker = self.worker(environment={"FAKE_PIDS": str(pids)})
        with mock.patch("estimate.timeout", return_value=0.5), self.assertRaisesRegex(errors.JobError, "was silent for 0 s and is restarted"):
            worker.run("job-1", job(prompt="fake: silent"), lambda _: None)
        self.assert_gone(pids)
        self.assertEqual(worker.run("job-2", job(), lambda _: None)["seed"], 7)

    # Where a job may be when it is stopped, and what keeps it there.
    STAGES = (
        {"FAKE_FFMPEG": "picture hang"}, {"FAKE_FFMPEG": "film hang"}, {"FAKE_PREPROCESS": "hang"}, {"FAKE_LOAD": "hang"},
        {"FAKE_GENERATE": "hang"}, {"FAKE_GENERATE": "silent"}, {"FAKE_FFMPEG": "encode hang"}, {"URL": "video"}, {"URL": "result_url"},
    )  # fmt: skip

    def test_stop_in_each_stage(self):
        for number, stage in enumerate(self.STAGES):
            with self.subTest(stage):
                pids = self.home / f"pids-{number}"
                worker = self.worker(environment=stage | {"FAKE_PIDS": str(pids)})
                self._stopped(worker, worker.end, pids, stage)
                worker.close()
                self.assert_gone(pids)
                self.assertEqual(self.processing(), [])
                with self.assertRaises(errors.Stopped):
                    worker.run("job-2", job(), lambda _: None)

    def test_drop_in_each_stage(self):
        for number, stage in enumerate(self.STAGES):
            with self.subTest(stage), mock.patch("resident.DRAIN_SECONDS", 3.0):
                pids = self.home / f"drop-{number}"
                worker = self.worker(environment=({} if "FAKE_GENERATE" in stage else stage) | {"FAKE_PIDS": str(pids)})
                changes = {"prompt": f"fake: {stage['FAKE_GENERATE']}"} if "FAKE_GENERATE" in stage else {}
                life = worker.resident._life
                self._stopped(worker, worker.drop, pids, stage, **changes)
                self.assertEqual(self.processing(), [])
                if "FAKE_LOAD" not in stage:
                    self.assertEqual(worker.run("job-2", job(), lambda _: None)["seed"], 7)
                    silent = stage == {"FAKE_GENERATE": "silent"}
                    self.assertIs(worker.resident._life is not life, silent, "only a pipeline that doesn't look is restarted")
                worker.close()

    def _stopped(self, worker, how, pids, stage, **changes):
        """Stop a job at such a point; it ends without waiting for its process, which sleeps for a minute."""
        if name := stage.get("URL"):
            changes[name] = self.serve(lambda to: pids.write_text("") or to.server.never.wait(60))
        threading.Thread(target=self._stop_when, args=(pids, how), daemon=True).start()
        with mock.patch.dict(os.environ, stage | {"FAKE_PIDS": str(pids)}), self.assertRaises(errors.Stopped):
            worker.run("job-1", job(**changes), lambda _: None)

    def _stop_when(self, path, how):
        while not path.exists():
            time.sleep(0.02)
        how()

    def assert_gone(self, pids):
        for pid in map(int, pids.read_text().split()):
            for _ in range(100):
                state = self.state(pid)
                if not state or state == "Z":
                    break
                time.sleep(0.02)
            self.assertIn(state, ("", "Z"), "a program of the job lives on")

    def state(self, pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return ""

    def test_the_same_job_again(self):
        worker = self.worker()
        first, second = (worker.run("job-1", job(), lambda _: None) for _ in range(2))
        self.assertEqual(first["sha256"], second["sha256"])
        self.assertEqual(self.processing(), [])

    def test_one_at_a_time(self):
        worker = self.worker()
        with worker.slot(), self.assertRaises(Busy):
            worker.run("job-2", job(), lambda _: None)

    def test_not_ready(self):
        worker = Worker(self.settings())
        with self.assertRaisesRegex(errors.JobError, "not ready: loading"):
            worker.run("job-1", job(), lambda _: None)
        worker.fail("no weights")
        self.assertIs(worker.status, Status.FAILED)
        with self.assertRaisesRegex(errors.JobError, "not ready: no weights"):
            worker.run("job-1", job(), lambda _: None)

    def test_bug(self):
        with mock.patch("media.check_video", side_effect=RuntimeError("http://secret.example/")):
            err = self.problem()
        self.assertEqual(str(err), "internal error: see the worker's log")
        self.assertRegex(self.said(), r"job job-1: internal error: RuntimeError at \w+\.py:\d+")

    def test_directory_that_cannot_be_used(self):
        elsewhere, file = self.home / "elsewhere", self.home / "file"
        elsewhere.mkdir()
        file.touch()
        for name, target in (("link", elsewhere), ("dangling", self.home / "nowhere"), ("looped", self.home / "looped")):
            (self.home / name).symlink_to(target)
            self.assertIn("PROCESSING_DIR is a link, which others could change: set it to the directory itself", str(self.problem(PROCESSING_DIR=self.home / name)))
        self.assertEqual(list(elsewhere.iterdir()), [])
        self.assertIn("PROCESSING_DIR is a file: set it to a directory", str(self.problem(PROCESSING_DIR=file)))
        self.assertIn("PROCESSING_DIR can't be used: not a directory: set it to", str(self.problem(PROCESSING_DIR=file / "below")))
        with mock.patch("os.geteuid", return_value=os.geteuid() + 1):
            self.assertIn("PROCESSING_DIR belongs to another user: set it to a different directory", str(self.problem(PROCESSING_DIR=elsewhere)))
        worker = Worker(self.settings(PROCESSING_DIR=self.home / "dangling"))
        start.prepare(worker)
        self.assertEqual((worker.status, worker.detail.partition(",")[0]), (Status.FAILED, "PROCESSING_DIR is a link"))


class FaceTest(JobCase):
    def detector(self, script):
        """Install a detector, and an insightface that behaves like script."""
        directory = self.home / "insightface/models/buffalo_l"
        directory.mkdir(parents=True)
        (directory / "det_10g.onnx").touch()
        copied = self.home / "app"
        shutil.copytree(Path(__file__).parents[1], copied, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        (copied / "insightface/model_zoo").mkdir(parents=True)
        (copied / "insightface/__init__.py").touch()
        (copied / "insightface/model_zoo/__init__.py").write_text(script)
        (copied / "cv2.py").write_text("imread = str")
        return mock.patch("face.__file__", str(copied / "face.py"))

    ZOO = """
class Model:
    def prepare(self, ctx_id, input_size, det_thresh): pass
    def detect(self, image): return %s, None
def get_model(name, providers):
    assert name.endswith("buffalo_l/det_10g.onnx"), name
    return Model()
"""

    def test_no_detector_no_look(self):
        with mock.patch("face.detector", return_value=None) as detector, mock.patch("process.run", side_effect=AssertionError):
            import face

            face.check(self.home, self.home / "x.png", None)
        detector.assert_called_once()

    def test_face(self):
        with self.detector(self.ZOO % "[1]"):
            self.assertEqual(self.run_job()["seed"], 7)

    def test_no_face(self):
        with self.detector(self.ZOO % "[]"):
            self.assertIn("image: no face was found", str(self.problem()))

    def test_detector_that_breaks_is_not_the_job_s_problem(self):
        with self.detector("raise ImportError('no onnxruntime')"):
            self.assertEqual(self.run_job()["seed"], 7)



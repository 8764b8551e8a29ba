"""A job from its fields to its result: fetch, take in, preprocess, generate, deliver."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

import deliver
import download
import encode
import estimate
import face
import problems
import ffmpeg
import directory
import ingest
import media
import order
import process
import wan
from errors import InputError, JobError
from estimate import Speed, Work
from fields import Job
from resident import Resident
from settings import Settings
from web import Clock


HOPELESS = 2.0
"""A job is refused if its estimate is this many times the time left."""


class Tell(Protocol):
    """Receives the job's stage, its progress in percent, and other numbers."""

    def __call__(self, stage: str, percent: int | None = None, **more: int) -> None: ...


@dataclass(frozen=True)
class Run:
    """What the steps of a job share."""

    settings: Settings
    model: Path
    job: Job
    home: Path
    clock: Clock
    tell: Tell


@dataclass(frozen=True)
class Source:
    """The converted input."""

    video: Path
    image: Path
    film: ffmpeg.Video


def run(
    run: Run, resident: Resident, speed: Speed, learned: Callable[[Speed], None], upload: deliver.Upload | None
) -> dict:
    """Return a job's result; its files stay in its directory."""
    directory.check_room(run.home, run.settings.min_free)
    deliver.check(run.job.result_url, run.settings.allow_private, run.clock)
    times: dict[str, float] = {}
    with _timed(times, "download"):
        source = _take(run)
    work = _work(run.job, source.film)
    run = _with_deadline(run, work, speed, resident.loaded())
    run.tell("preprocessing", estimate=round(estimate.total(work, speed, resident.loaded())))
    with _timed(times, "preprocess"):
        prepared = _preprocess(run, source)
    with _timed(times, "generate"):
        result, made = _generate(run, resident, prepared, source, _Progress(run.tell, work, speed, learned))
    run.tell("delivering")
    private, whole = run.settings.allow_private, result
    if not (run.job.result_url or upload):
        result = _fitted(run, result, made)
    sent = deliver.deliver(result, run.job.result_url, run.settings.max_inline, upload, private, run.clock)
    return sent | _about(run.job, result, made) | {"reduced": result is not whole, "seconds": times}


def _take(run: Run) -> Source:
    """Fetch the driving video and the picture, and convert them for the models."""
    run.tell("fetching")
    settings, job = run.settings, run.job
    sent = {"image": run.home / "sent-image", "video": run.home / "sent-video"}
    for name, source, size in (
        ("image", job.image, settings.max_image),
        ("video", job.video, settings.max_video),
    ):
        limits = download.Limits(size, settings.download_timeout, settings.allow_private)
        download.save(name, source, sent[name], limits, run.clock)
    kinds = {"image": media.check_image(sent["image"]), "video": media.check_video(sent["video"])}
    run.tell("reading")
    image, video = run.home / "picture.png", run.home / "driving.mp4"
    ingest.picture(sent["image"], kinds["image"], image, run.clock)
    face.check(settings.insightface_home, image, run.clock)
    found = ingest.film(sent["video"], kinds["video"], job, settings.max_seconds, video, run.clock)
    for path in sent.values():
        path.unlink()
    return Source(video, image, found)


def _work(job: Job, video: ffmpeg.Video) -> Work:
    frames = round(video.duration * job.fps)
    return Work(frames, job.width, job.height, job.steps, job.refert_num, job.cfg > 1, job.replaces)


def _with_deadline(run: Run, work: Work, speed: Speed, loaded: bool) -> Run:
    """Return the run with a deadline: by the job's estimate, or JOB_TIMEOUT's if that is sooner.

    A job that can't finish by then is refused before it wastes the GPU's time.
    """
    expected, left = estimate.total(work, speed, loaded), run.clock.left()
    if expected > HOPELESS * left:
        raise InputError(
            f"the job would take about {expected / 60:.0f} minutes on this GPU, but only {left:.0f} s are left "
            "(JOB_TIMEOUT): send a shorter video, fewer steps or a smaller resolution",
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )
    clock = run.clock.within(estimate.deadline(work, speed))
    return Run(run.settings, run.model, run.job, run.home, clock, run.tell)


def _preprocess(run: Run, source: Source) -> Path:
    out = run.home / "source"
    command = wan.preprocess(run.settings, run.model, run.job, source.video, source.image, out)
    script = run.settings.wan_home / wan.PREPROCESS
    result = process.run(command, script.parent, run.clock, "preprocessing", home=run.home)
    if result.code != 0:
        raise problems.of("preprocessing", result)
    if lacking := wan.missing(out, run.job):
        raise problems.lacking("preprocessing", ", ".join(lacking), result)
    return out


def _generate(
    run: Run, resident: Resident, prepared: Path, source: Source, progress: "_Progress"
) -> tuple[Path, ffmpeg.Video]:
    job, out = run.job, run.home / "result.mp4"
    run.tell("generating" if resident.loaded() else "loading the models", 0)
    sound = ingest.sound_of(source.video)
    asked = {
        "order": asdict(_order(job)),
        "source": str(prepared),
        "film": {
            "out": str(out),
            "fps": job.fps,
            "codec": job.codec,
            "crf": job.crf,
            "sound": str(sound) if sound.is_file() else "",
        },
    }
    resident.run(asked, run.clock, progress.timeout, progress.hear)
    made = ffmpeg.probe(out, run.clock) if out.is_file() else None
    if not made or made.duration < source.film.duration - 1 / job.fps - ROUNDING:
        raise JobError("generating: the film is incomplete: send the job again")
    return out, made


ROUNDING = 0.11
"""Of the durations that ffmpeg prints, plus a frame that preprocessing may drop."""


FILLED, SOUND, LEAST_RATE = 0.94, 200_000, 250_000
"""How much of an answer pictures and sound may fill, and bits a second of the sound, and of the pictures at least."""


def _fitted(run: Run, result: Path, made: ffmpeg.Video) -> Path:
    """Return a film that fits an answer, encoded again if necessary: without another way it would be lost."""
    limit, out = run.settings.max_inline, run.home / "fitted.mp4"
    rate = int(FILLED * 8 * limit / made.duration) - (SOUND if made.sound else 0)
    if result.stat().st_size <= limit or rate < LEAST_RATE:
        return result
    for less in (rate, rate // 2):  # codecs may exceed the first
        command = encode.smaller(result, run.job.codec, less, out)
        done = process.run(command, run.home, run.clock, "encoding the result again")
        process.check_disk(done)
        if done.code == 0 and out.stat().st_size <= limit:
            return out
    return result


def _order(job: Job) -> order.Order:
    texts = {"prompt": job.prompt, "negative": job.negative_prompt}
    return order.Order(
        mode=job.mode, seed=job.seed, steps=job.steps, refert_num=job.refert_num, cfg=job.cfg,
        relighting=job.relighting, **{name: text for name, text in texts.items() if text},
    )  # fmt: skip


class _Progress:
    """Follows the steps: the share that is done, and the time left, by the time that they took."""

    def __init__(self, tell: Tell, work: Work, speed: Speed, learned: Callable[[Speed], None]) -> None:
        self._tell, self._work, self._speed, self._learned = tell, work, speed, learned
        self._last: tuple[int, int, float] | None = None

    @property
    def timeout(self) -> float:
        """How long the pipeline may be silent."""
        return estimate.timeout(self._work, self._speed)

    def hear(self, message: dict) -> None:
        """Report a step."""
        segment, step = message["segment"], message["step"]
        self._measure(segment, step)
        steps, all_steps = (segment - 1) * message["steps"] + step, message["segments"] * message["steps"]
        left = round((1 - steps / all_steps) * estimate.sampling(self._work, self._speed))
        more = {"segment": segment, "segments": message["segments"], "step": step, "steps": message["steps"]}
        self._tell("generating", 100 * steps // all_steps, **more, left=left)

    def _measure(self, segment: int, step: int) -> None:
        """Measure the time between consecutive steps: the first of a segment waits for the VAE."""
        now = time.monotonic()
        if self._last and self._last[:2] == (segment, step - 1):
            self._speed = self._speed.after(self._work, now - self._last[2])
            self._learned(self._speed)
        self._last = segment, step, now


@contextmanager
def _timed(times: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    times[name] = round(time.monotonic() - started, 1)


def _about(job: Job, result: Path, made: ffmpeg.Video) -> dict:
    with open(result, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "mode": job.mode, "seed": job.seed, "steps": job.steps, "sound": made.sound,
        "width": made.width, "height": made.height, "duration": made.duration, "fps": job.fps,
        "bytes": result.stat().st_size, "sha256": digest,
    }  # fmt: skip

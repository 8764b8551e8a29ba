"""A job from its fields to its result: fetch, look, preprocess, generate, add the sound, deliver."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import deliver
import download
import face
import faults
import ffmpeg
import folder
import media
import process
import wan
from fields import Job
from settings import Settings
from web import Clock

Tell = Callable[[str, int | None], None]
"""Takes what the job does, and how far it is in percent."""


@dataclass(frozen=True)
class Run:
    """What the steps of a job share."""

    settings: Settings
    model: Path
    job: Job
    home: Path
    clock: Clock
    tell: Tell


def run(run: Run, generating: Callable[[], None], upload: deliver.Upload | None) -> dict:
    """Return a job's result; its files are left in its folder."""
    folder.check_room(run.home, run.settings.min_free)
    times: dict[str, float] = {}
    with _timed(times, "download"):
        video, image, driving = _fetch(run)
    with _timed(times, "preprocess"):
        source = _preprocess(run, video, image)
    generating()
    with _timed(times, "generate"):
        silent, made = _generate(run, source)
    result = _with_sound(run, silent, made, video) if driving.sound else silent
    run.tell("delivering", None)
    private = run.settings.allow_private
    sent = deliver.deliver(result, run.job.result_url, run.settings.max_inline, upload, private, run.clock)
    return sent | _about(run.job, result, made, driving.sound) | {"seconds": times}


def _fetch(run: Run) -> tuple[Path, Path, ffmpeg.Video]:
    """Return the driving video, the picture, and what is in the video."""
    run.tell("fetching", None)
    video, image = run.home / "driving.mp4", run.home / "picture"
    settings, job = run.settings, run.job
    for name, source, path, size in (
        ("image", job.image, image, settings.max_image),
        ("video", job.video, video, settings.max_video),
    ):
        limits = download.Limits(size, settings.download_timeout, settings.allow_private)
        download.save(name, source, path, limits, run.clock)
    image = media.check_image(image)
    media.check_video(video)
    driving = ffmpeg.check(ffmpeg.probe(video, run.clock), settings.max_seconds)
    face.check(settings.insightface_home, image, run.clock)
    return video, image, driving


def _preprocess(run: Run, video: Path, image: Path) -> Path:
    run.tell("preprocessing", None)
    out = run.home / "source"
    command = wan.preprocess(run.settings, run.model, run.job, video, image, out)
    script = run.settings.wan_home / wan.PREPROCESS
    result = _script(run, "preprocessing", command, script, lambda _: None)
    if lacking := wan.missing(out, run.job):
        raise faults.lacking("preprocessing", ", ".join(lacking), result)
    return out


def _generate(run: Run, source: Path) -> tuple[Path, ffmpeg.Video]:
    run.tell("generating", 0)
    out = run.home / "silent.mp4"
    command = wan.generate(run.settings, run.model, run.job, source, out)
    progress = wan.Progress(run.job, lambda percent: run.tell("generating", percent))
    result = _script(run, "generating", command, run.settings.wan_home / wan.GENERATE, progress.hear)
    # Wan ends with 0 also where it could save nothing, or half.
    if not out.is_file() or out.stat().st_size < wan.MIN_RESULT:
        raise faults.lacking("generating", "the video", result)
    made = ffmpeg.probe(out, run.clock)
    if not made:
        raise faults.lacking("generating", "a video that can be decoded", result)
    return out, made


def _script(
    run: Run, doing: str, command: list[str], script: Path, heard: Callable[[str], None]
) -> process.Result:
    result = process.run(command, script.parent, run.clock, doing, heard, run.home)
    if result.code != 0:
        raise faults.of(doing, result)
    return result


def _with_sound(run: Run, silent: Path, made: ffmpeg.Video, video: Path) -> Path:
    run.tell("adding the sound", None)
    out = run.home / "result.mp4"
    ffmpeg.add_sound(silent, made.duration, video, out, run.clock)
    return out


@contextmanager
def _timed(times: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    times[name] = round(time.monotonic() - started, 1)


def _about(job: Job, result: Path, made: ffmpeg.Video, sound: bool) -> dict:
    with open(result, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "mode": job.mode, "seed": job.seed, "steps": job.steps, "sound": sound,
        "width": made.width, "height": made.height, "duration": made.duration,
        "bytes": result.stat().st_size, "sha256": digest,
    }  # fmt: skip

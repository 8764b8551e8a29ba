"""ffmpeg: what is in a video, and its sound put beside new pictures.

There is no ffprobe in imageio-ffmpeg's wheel: ffmpeg without an output prints what it found.
"""

import os
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import process
from errors import InputError, JobError
from web import Clock

SECONDS = 60.0
SLACK = 0.5
"""Seconds by which sound and pictures may differ."""
FPS = 30
"""What Wan resamples videos to."""
MAX_SOURCE_FPS = 240
MAX_DECODED = 16 * 10**9
"""Bytes that preprocessing may take for all frames at their full size."""
MIN_FRAMES = 5
SIDES = range(64, 8193)

# By their depth: a container's own metadata, which anyone can write, is before the duration and deeper.
DURATION = re.compile(r"^  Duration: (?:(\d+):(\d\d):(\d\d(?:\.\d+)?)|N/A)", re.MULTILINE)
STREAM = re.compile(r"^ {2,4}Stream #0:\d+\S*: (Video|Audio): (.*)$", re.MULTILINE)
SIZE = re.compile(r", (\d{1,6})x(\d{1,6})[, ]")
RATE = re.compile(r", (\d+(?:\.\d+)?)(k?) fps\b|, (\d+(?:\.\d+)?) tbr\b")  # "90k tbr" is a clock, not a rate


@dataclass(frozen=True)
class Video:
    """What ffmpeg found in a file."""

    duration: float
    width: int
    height: int
    fps: float
    sound: bool


def program() -> str:
    """Return where ffmpeg is."""
    if found := os.environ.get("FFMPEG"):
        return found
    import imageio_ffmpeg

    return imageio_ffmpeg.get_ffmpeg_exe()


def probe(path: Path, clock: Clock) -> Video | None:
    """Return what is in a file, or None when it is no video."""
    arguments = [program(), "-hide_banner", "-nostdin", "-i", str(path)]
    return parse(process.run(arguments, path.parent, clock.within(SECONDS), "looking into a video").text)


def parse(text: str) -> Video | None:
    """Return what ffmpeg says about its input; a duration that it doesn't know is 0."""
    duration = DURATION.search(text)
    streams = STREAM.findall(text[duration.end() :]) if duration else []
    pictures = [about for kind, about in streams if kind == "Video" and "(attached pic)" not in about]
    size = SIZE.search(f"{pictures[0]}," if pictures else "")
    if not size:
        return None
    rate = RATE.search(pictures[0])
    hours, minutes, seconds = (part or 0 for part in duration.groups())
    return Video(
        duration=int(hours) * 3600 + int(minutes) * 60 + float(seconds),
        width=int(size[1]), height=int(size[2]),
        fps=float(rate[1] or rate[3]) * (1000 if rate[2] else 1) if rate else 0.0,
        sound=any(kind == "Audio" for kind, _ in streams),
    )  # fmt: skip


def check(video: Video | None, max_seconds: float) -> Video:
    """Return a driving video that can be worked on; else an InputError says what to do."""
    if not video:
        raise InputError("video: holds no moving pictures that can be decoded", HTTPStatus.UNPROCESSABLE_ENTITY)
    if fault := _fault(video, max_seconds):
        raise InputError(f"video: {fault}", HTTPStatus.UNPROCESSABLE_ENTITY)
    return video


def _fault(video: Video, max_seconds: float) -> str:
    if not video.duration or not video.fps:
        return "doesn't say how long it is or how many frames a second it has: convert it to mp4"
    if video.duration > max_seconds:
        return f"is {video.duration:g} s long, over {max_seconds:g} s: cut it"
    if video.fps > MAX_SOURCE_FPS:
        return f"has {video.fps:g} frames a second, over {MAX_SOURCE_FPS}: convert it"
    if video.width not in SIDES or video.height not in SIDES:
        return f"is {video.width}x{video.height}: give one with sides from {SIDES[0]} to {SIDES[-1]}"
    frames = int(video.duration * FPS)
    if frames < MIN_FRAMES:
        return f"is {video.duration:g} s long: give {MIN_FRAMES} frames at {FPS} a second, at least"
    if frames * video.width * video.height * 3 > MAX_DECODED:
        size = f"{video.width}x{video.height}"
        return f"is {frames} frames of {size}: scale it down (1280x720 is all that is used)"
    return ""


def add_sound(silent: Path, duration: float, driving: Path, out: Path, clock: Clock) -> None:
    """Write silent's pictures, of that many seconds, with driving's sound to out."""
    _mux(silent, driving, out, [], clock)
    both = probe(out, clock)
    if both and both.duration < duration - SLACK:
        # the sound ended early, and -shortest cut the pictures
        _mux(silent, driving, out, ["-af", "apad"], clock)


def _mux(silent: Path, driving: Path, out: Path, padding: list[str], clock: Clock) -> None:
    inputs = ["-i", str(silent), "-i", str(driving), "-map", "0:v:0", "-map", "1:a:0?"]
    codecs = [*padding, "-c:v", "copy", "-c:a", "aac", "-shortest", str(out)]
    arguments = [program(), "-hide_banner", "-nostdin", "-y", "-loglevel", "error", *inputs, *codecs]
    result = process.run(arguments, out.parent, clock.within(SECONDS), "adding the sound")
    if result.code != 0 or not out.is_file() or not out.stat().st_size:
        process.check_disk(result)
        raise JobError(f"the sound of the video can't be put back: {result.last or 'ffmpeg wrote nothing'}")

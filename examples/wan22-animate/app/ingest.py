"""Converts other people's files: one ffmpeg turns a film and a picture into the pipeline's input.

It runs in its own process, and nothing else decodes what was sent: the film comes out at a
constant rate, upright, in SDR, with the job's length and size, and with its sound.
"""

import re
from http import HTTPStatus
from pathlib import Path

import ffmpeg
import process
from errors import InputError, OutOfTime
from ffmpeg import Video
from fields import Job
from log import debug, scrub
from web import Clock

UNFIT = HTTPStatus.UNPROCESSABLE_ENTITY
SECONDS = 600.0
MAX_SOURCE_FPS = 1000
SIDES = range(64, 8193)
MIN_FRAMES = 5
FRAMES_BYTES = 3 * 10**9
"""Preprocessing's limit for all frames: longer films are scaled down, at most to the job's resolution."""
LARGEST = 1920 * 1080
MAX_PICTURE = 4_000_000
BROKEN = 0.02
"""The share of frames that may be damaged: more would be visible."""
# Printed while decoding the film's own frames, one line each.
DAMAGE = re.compile(r"corrupt decoded frame|error while decoding|Error submitting packet|Invalid data found")

# From HDR's light to SDR's, as shown on screens without HDR.
TONEMAP = (
    "zscale=t=linear:npl=100", "format=gbrpf32le", "zscale=p=bt709", "tonemap=hable:desat=0",
    "zscale=t=bt709:m=bt709:r=tv",
)  # fmt: skip


def film(source: Path, kind: str, job: Job, max_seconds: float, out: Path, clock: Clock) -> Video:
    """Write the used part of a film to out, and return its properties."""
    found = check(ffmpeg.probe(source, clock), job, max_seconds)
    damaged = 0

    def hear(line: str) -> None:
        nonlocal damaged
        damaged += bool(DAMAGE.search(line))
        debug(scrub(line))

    result = _run(command(source, kind, found, job, max_seconds, out), out, clock, "reading the video", hear)
    made = ffmpeg.probe(out, clock) if out.is_file() else None
    if result.code or not made:
        process.check_disk(result)
        raise InputError(
            f"video: can't be decoded: convert it to mp4 (h264): {result.last or 'it has no frames'}", UNFIT
        )
    frames = round(made.duration * job.fps)
    if frames < MIN_FRAMES:
        raise InputError(
            f"video: only {frames} frames would be used: give at least {MIN_FRAMES} at {job.fps} a second", UNFIT
        )
    if damaged > max(1, BROKEN * frames):
        raise InputError(
            f"video: is damaged ({damaged} frames can't be decoded): send another copy, or leave that part out", UNFIT
        )
    return made


def check(video: Video | None, job: Job, max_seconds: float) -> Video:
    """Return a usable driving video, or raise an InputError that says what to do."""
    if not video:
        raise InputError("video: has no video stream that can be decoded", UNFIT)
    if problem := _problem(video, job, max_seconds):
        raise InputError(f"video: {problem}", UNFIT)
    return video


def _problem(video: Video, job: Job, max_seconds: float) -> str:
    if not video.duration or not video.fps:
        return "doesn't state its length or frame rate: convert it to mp4"
    if video.fps > MAX_SOURCE_FPS:
        return f"has {video.fps:g} frames a second, over {MAX_SOURCE_FPS}: convert it"
    if video.width not in SIDES or video.height not in SIDES:
        return f"is {video.width}x{video.height}: give one with sides from {SIDES[0]} to {SIDES[-1]}"
    left = video.duration - job.start
    if left <= 0:
        return f"is {video.duration:g} s long, and start is {job.start:g}: begin earlier"
    used = min(left, job.seconds or left)
    if used > max_seconds:
        asked = f"{used:g} s of it are requested" if job.start or job.seconds else f"is {video.duration:g} s long"
        return f"{asked}, over {max_seconds:g} s: cut it, or select a part with start and seconds"
    if round(used * job.fps) < MIN_FRAMES:
        return f"only {used:g} s would be used: give at least {MIN_FRAMES} frames at {job.fps} a second"
    return ""


def command(source: Path, kind: str, video: Video, job: Job, max_seconds: float, out: Path) -> list[str]:
    """Return the command for a film: ffmpeg itself turns it upright, before the filters."""
    used = min(video.duration - job.start, job.seconds or max_seconds)
    area = max(job.width * job.height, min(LARGEST, FRAMES_BYTES / (3 * used * job.fps)))
    # Square pixels first; then smaller, never larger.
    fit = f"min(1,sqrt({area:.0f}/(iw*ih)))"
    filters = [
        f"fps={job.fps}", "scale='trunc(iw*if(sar,sar,1)/2)*2':ih", "setsar=1",
        f"scale='max(2,trunc(iw*{fit}/2)*2)':'max(2,trunc(ih*{fit}/2)*2)'",
        *(TONEMAP if video.hdr else ()), "format=yuv420p",
    ]  # fmt: skip
    shared = ["-map_metadata", "-1", "-map_chapters", "-1"]
    # The sound begins with the pictures, and doesn't end before them.
    heard = f"aresample=async=1:first_pts=0,apad=whole_dur={used:g}"
    sound = ["-map", "0:a:0", "-af", heard, "-c:a", "aac", "-b:a", "192k", *shared, str(sound_of(out))]
    start = ["-ss", f"{job.start:.6f}"] if job.start else []  # ffmpeg knows no exponents
    return [
        ffmpeg.program(), *ffmpeg.QUIET, "-y", "-loglevel", "warning", *ffmpeg.LOCAL, "-threads", "4", "-f", kind,
        *start, "-t", f"{used:g}", "-i", str(source), "-map", "0:V:0", "-vf", ",".join(filters),
        "-frames:v", str(max(1, round(used * job.fps))), "-c:v", "libx264", "-preset", "veryfast", "-crf", "8",
        *shared, str(out), *(sound if job.sound and video.sound else []),
    ]  # fmt: skip


def sound_of(film: Path) -> Path:
    """Return the path of a converted film's sound, if it has any."""
    return film.with_suffix(".m4a")


def picture(source: Path, kind: str, out: Path, clock: Clock) -> None:
    """Write a picture to out, upright, in eight bits a colour."""
    fit = f"min(1,sqrt({MAX_PICTURE}/(iw*ih)))"
    arguments = [
        ffmpeg.program(), *ffmpeg.QUIET, "-y", "-loglevel", "error", *ffmpeg.LOCAL, "-f", kind, "-i", str(source),
        "-frames:v", "1", "-vf", f"scale='max(1,trunc(iw*{fit}))':'max(1,trunc(ih*{fit}))'",
        "-pix_fmt", "rgb24", "-update", "1", str(out),
    ]  # fmt: skip
    result = _run(arguments, out, clock, "reading the picture", lambda line: debug(scrub(line)))
    if result.code or not out.is_file() or not out.stat().st_size:
        process.check_disk(result)
        raise InputError(f"image: can't be decoded: give another file: {result.last or 'it holds nothing'}", UNFIT)


def _run(arguments: list[str], out: Path, clock: Clock, doing: str, heard: object) -> process.Result:
    try:
        return process.run(arguments, out.parent, clock.within(SECONDS), doing, heard)
    except OutOfTime:
        clock.check(doing)
        raise InputError(f"{doing} takes over {SECONDS:g} s: send a smaller file", UNFIT) from None

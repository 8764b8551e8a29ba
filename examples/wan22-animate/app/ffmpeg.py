"""ffmpeg: its path, and the contents of a video.

imageio-ffmpeg's wheel has no ffprobe: ffmpeg without an output prints what it found.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import process
from web import Clock

SECONDS = 60.0
QUIET = ("-hide_banner", "-nostdin")
# Only this file, no matter what it refers to: a playlist, another track, a key.
LOCAL = ("-protocol_whitelist", "file")

# Matched by indentation: a container's metadata, which anyone can write, precedes the duration and is deeper.
DURATION = re.compile(r"^  Duration: (?:(\d+):(\d\d):(\d\d(?:\.\d+)?)|N/A)", re.MULTILINE)
STREAM = re.compile(r"^ {2,4}Stream #0:\d+\S*: (Video|Audio): (.*)$", re.MULTILINE)
SIZE = re.compile(r", (\d{1,6})x(\d{1,6})[, ]")
RATE = re.compile(r", (\d+(?:\.\d+)?)(k?) fps\b|, (\d+(?:\.\d+)?) tbr\b")  # "90k tbr" is a clock, not a rate
HDR = re.compile(r"\b(?:smpte2084|arib-std-b67)\b")


@dataclass(frozen=True)
class Video:
    """What ffmpeg found in a file."""

    duration: float
    width: int
    height: int
    fps: float
    sound: bool
    hdr: bool = False


def program() -> str:
    """Return ffmpeg's path."""
    if found := os.environ.get("FFMPEG"):
        return found
    import imageio_ffmpeg

    return imageio_ffmpeg.get_ffmpeg_exe()


def probe(path: Path, clock: Clock) -> Video | None:
    """Return what is in a file, or None if it isn't a video."""
    arguments = [program(), *QUIET, *LOCAL, "-i", str(path)]
    return parse(process.run(arguments, path.parent, clock.within(SECONDS), "probing a video").text)


def parse(text: str) -> Video | None:
    """Return what ffmpeg prints about its input; an unknown duration is 0."""
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
        hdr=bool(HDR.search(pictures[0])),
    )  # fmt: skip

"""Finds the ffmpeg that lies next to it."""

import os

__version__ = "@VERSION@"


def get_ffmpeg_exe() -> str:
    return os.getenv("IMAGEIO_FFMPEG_EXE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "binaries", "ffmpeg-linux-x86_64-v7.0.2")


def get_ffmpeg_version() -> str:
    return "7.0.2-static"

"""Wan2.2's own scripts: how they are called, what they leave, and what they say.

They import each other by their own folder, so each is run by its absolute path; a
PYTHONPATH isn't needed, and python's -P would break them.
"""

import math
import re
import sys
from collections.abc import Callable
from pathlib import Path

from fields import Job
from settings import Settings

PREPROCESS = Path("wan/modules/animate/preprocess/preprocess_data.py")
GENERATE = Path("generate.py")

ALWAYS = ("src_face.mp4", "src_pose.mp4", "src_ref.png")
REPLACING = ("src_bg.mp4", "src_mask.mp4")

CLIP = 77
"""Frames that are sampled at once."""
MIN_RESULT = 1024

BAR = re.compile(r"\b(\d+)/(\d+) \[")
FRAMES = re.compile(r"real frames: \d+ target frames: (\d+)")


def preprocess(settings: Settings, model: Path, job: Job, video: Path, image: Path, out: Path) -> list[str]:
    """Return the command that finds poses, faces and masks in the driving video."""
    return [
        sys.executable, str(settings.wan_home / PREPROCESS),
        "--ckpt_path", str(model / "process_checkpoint"),
        "--video_path", str(video),
        "--refer_path", str(image),
        "--save_path", str(out),
        "--resolution_area", str(job.width), str(job.height),
        *(["--replace_flag"] if job.replaces else []),
    ]  # fmt: skip


def generate(settings: Settings, model: Path, job: Job, source: Path, out: Path) -> list[str]:
    """Return the command that makes the video.

    Without --refert_num Wan takes 77, and refuses it once the whole model is loaded.
    """
    size = "1280*720" if job.width >= job.height else "720*1280"  # has no effect here, and must be one of these
    return [
        sys.executable, str(settings.wan_home / GENERATE),
        "--task", "animate-14B",
        "--ckpt_dir", str(model),
        "--src_root_path", str(source),
        "--size", size,
        "--refert_num", str(job.refert_num),
        "--base_seed", str(job.seed),
        "--sample_steps", str(job.steps),
        "--save_file", str(out),
        *(["--replace_flag"] if job.replaces else []),
        *(["--use_relighting_lora"] if job.relighting else []),
    ]  # fmt: skip


def missing(folder: Path, job: Job) -> list[str]:
    """Return which of preprocessing's files aren't there or are empty."""
    wanted = ALWAYS + (REPLACING if job.replaces else ())
    return [name for name in wanted if not (folder / name).is_file() or not (folder / name).stat().st_size]


class Progress:
    """Follows the output of generate.py: a bar of sampling steps for each clip."""

    def __init__(self, job: Job, tell: Callable[[int], None]) -> None:
        self._steps, self._overlap, self._tell = job.steps, job.refert_num, tell
        self._clips, self._done, self._step = 1, 0, 0

    def hear(self, line: str) -> None:
        """Tell the percentage where a line moves it."""
        if frames := FRAMES.search(line):
            self._clips = max(1, math.ceil((int(frames[1]) - self._overlap) / (CLIP - self._overlap)))
        bar = BAR.search(line)
        if bar and int(bar[2]) == self._steps:
            self._move(int(bar[1]))

    def _move(self, step: int) -> None:
        if step < self._step:
            self._done += 1
        self._step = step
        self._tell(min(100, 100 * (self._done * self._steps + step) // (self._clips * self._steps)))

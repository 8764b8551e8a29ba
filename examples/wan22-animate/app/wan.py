"""Wan2.2's own preprocessing: its command, and the files that it leaves.

Its scripts import each other from their own directory, so preprocess.py runs the first by its
absolute path; that needs no PYTHONPATH.
"""

import sys
from pathlib import Path

import film
from fields import Job
from settings import Settings

PREPROCESS = Path("wan/modules/animate/preprocess/preprocess_data.py")
STREAMING = Path(__file__).with_name("preprocess.py")


def preprocess(settings: Settings, model: Path, job: Job, video: Path, image: Path, out: Path) -> list[str]:
    """Return the command that finds poses, faces and masks in the driving video."""
    # One square of 2n+1 equals upstream's n threes; with none the mask isn't widened to a box.
    growth = ["--iterations", str(min(1, job.mask_growth)), "--k", str(2 * job.mask_growth + 1)]
    return [
        sys.executable, str(STREAMING), str(settings.wan_home / PREPROCESS),
        "--ckpt_path", str(model / "process_checkpoint"),
        "--video_path", str(video),
        "--refer_path", str(image),
        "--save_path", str(out),
        "--resolution_area", str(job.width), str(job.height),
        "--fps", str(job.fps),
        *(["--replace_flag", *growth] if job.replaces else []),
        *(["--retarget_flag"] if job.retarget else []),
    ]  # fmt: skip


def missing(directory: Path, job: Job) -> list[str]:
    """Return which of preprocessing's files aren't there or are empty."""
    kinds = film.ALWAYS + (film.REPLACING if job.replaces else ())
    wanted = [film.FILES[kind] for kind in kinds] + [film.PICTURE]
    return sorted(name for name in wanted if not (directory / name).is_file() or not (directory / name).stat().st_size)

"""The worker's preprocessing writes upstream's own files, and says so if a film shows nobody.

TOYS and UPSTREAM as in README.md; WORKER is the worker's directory. sam2 begins anew after GROUP
frames instead of 400, in upstream's code and in the worker's.
"""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import sam2  # noqa: F401 (its __init__ tells hydra where its configurations are)

import detectors

APP, TOYS = (Path(os.environ.get(name, default)) for name, default in (("WORKER", "/app"), ("TOYS", "/trial/toys")))
SCRIPTS, LOOPS = Path("wan/modules/animate/preprocess"), "process_pipepline.py"
SCRIPT = Path(__file__).resolve().parent / SCRIPTS / "preprocess_data.py"
UPSTREAM = Path(os.environ.get("UPSTREAM", "/opt/Wan2.2"))
GROUP = 20
ALL = ("src_pose.mp4", "src_face.mp4", "src_bg.mp4", "src_mask.mp4", "src_ref.png")
MB = 2**20

sys.path.append(str(APP))
import problems  # noqa: E402 (the worker's)
import process  # noqa: E402


class Preprocess(unittest.TestCase):
    """Detectors see a person that moves, and masks that differ."""

    def setUp(self) -> None:
        self.home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        shutil.copytree(TOYS / "process_checkpoint", self.home / "models")
        detectors.segmenter(self.home / "models/sam2/sam2_hiera_large.pt", everywhere=False)
        moved = np.float32([[[200, 90, 200, 90, 0, 0]]])
        detectors.always(self.home / "models/det/yolov10m.onnx", (640, 640), detectors.BOX, moved)
        self.grouped(GROUP)
        self.picture = self.home / "picture.png"
        self.ffmpeg("testsrc=s=96x128:d=1", "-frames:v", 1, self.picture)

    def grouped(self, count: int) -> None:
        """Copy upstream's code and the worker's, with other groups."""
        shutil.copytree(UPSTREAM / SCRIPTS, self.home / SCRIPTS, dirs_exist_ok=True)
        for there, name, old in (
            (UPSTREAM, SCRIPTS / LOOPS, "get_mask(frames, 400,"),
            (APP, "preprocess.py", "TRACKED = 400\n"),
        ):
            source, made, new = there / name, self.home / name, old.replace("400", str(count))
            text = source.read_text()
            self.assertEqual(text.count(old), 1, source)
            made.write_text(text.replace(old, new))

    def ffmpeg(self, source: str, *out: object) -> None:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        subprocess.run([program, "-v", "error", "-y", "-f", "lavfi", "-i", source, *map(str, out)], check=True)

    def film(self, frames: int, size: str = "160x90", rate: int = 30) -> Path:
        made = self.home / f"{frames}.mp4"
        moving = f"testsrc2=s={size}:r={rate},hue=b=3*sin(t),trim=end_frame={frames}"
        self.ffmpeg(moving, "-pix_fmt", "yuv420p", made)
        return made

    def started(self, film: Path, *more: str, worker: bool) -> tuple[subprocess.Popen, Path]:
        """Return upstream's program or the worker's, and the directory for its files."""
        out = Path(tempfile.mkdtemp(dir=self.home))
        sides = ("--resolution_area", "256", "144") if "--resolution_area" not in more else ()
        command = [
            sys.executable, *([str(self.home / "preprocess.py")] if worker else []), str(SCRIPT),
            "--ckpt_path", str(self.home / "models"), "--video_path", str(film), "--refer_path", str(self.picture),
            "--save_path", str(out), *sides, *more,
        ]  # fmt: skip
        with open(out / "said", "w") as said:
            env = os.environ | {"UPSTREAM": str(self.home), "OMP_NUM_THREADS": "1"}
            return subprocess.Popen(command, stdout=said, stderr=said, cwd=SCRIPT.parent, env=env), out

    def ended(self, program: subprocess.Popen, out: Path) -> int:
        """Wait for a program, and return the peak of its memory."""
        _, status, spent = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(program.returncode, 0, (out / "said").read_text()[-3000:])
        return spent.ru_maxrss * 1024

    def test_files_are_upstreams(self) -> None:
        for frames, rate, more in (
            (50, 30, ["--fps", "24"]),
            (30, 25, ["--retarget_flag"]),
            (GROUP + 5, 30, ["--replace_flag", "--iterations", "1", "--k", "7"]),
            (6, 30, ["--replace_flag", "--iterations", "0"]),
        ):
            with self.subTest(more):
                film = self.film(frames, rate=rate)
                both = [self.started(film, *more, worker=worker) for worker in (False, True)]  # at once
                before, after = (self.ended(*one) for one in both)
                (_, theirs), (_, ours) = both
                there = [name for name in ALL if (theirs / name).exists()]
                self.assertEqual(len(there), 5 if "--replace_flag" in more else 3)
                self.assertEqual(filecmp.cmpfiles(theirs, ours, ALL, shallow=False)[:2], (there, []))
                print(f"{frames} frames {more}: the same, in {before // MB} and {after // MB} MiB", flush=True)

    def test_a_film_without_a_person(self) -> None:
        """Upstream takes the whole frame for a person, and makes a film of black poses."""
        for more in ([], ["--retarget_flag"], ["--replace_flag", "--iterations", "1", "--k", "7"]):
            for sure in (0, 0.4):
                with self.subTest(more, sure=sure):
                    detectors.always(self.home / "models/det/yolov10m.onnx", (640, 640), 0 * detectors.BOX)
                    pose = self.home / "models/pose2d/vitpose_h_wholebody.onnx/end2end.onnx"
                    detectors.always(pose, (256, 192), np.float32(sure) * detectors.heat())
                    program, out = self.started(self.film(6), *more, worker=True)
                    result = process.Result(program.wait(), (out / "said").read_text())
                    self.assertEqual(str(problems.of("preprocessing", result)), problems.NO_BODY, result.text)
                    self.assertEqual(list(out.glob("*.mp4")), [])


if __name__ == "__main__":
    unittest.main()

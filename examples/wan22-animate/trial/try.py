"""Tries the whole worker on toy weights: a film and a picture become a film with sound, in both modes.

    WORKER=APP TOYS=DIR OUT=DIR python3 try.py

The worker starts as in production, over HTTP. TOYS has the models' files, as made by
../equality/toys.py, and in process_checkpoint those of detectors.py. The layer between the
worker and upstream's preprocessing is for machines without a GPU.
"""

import base64
import hashlib
import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import imageio_ffmpeg
import numpy as np

HERE = Path(__file__).resolve().parent
APP, TOYS, OUT = (
    Path(os.environ.get(name, default))
    for name, default in (("WORKER", "/app"), ("TOYS", "/trial/toys"), ("OUT", "/trial/out"))
)
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SECONDS = 2.7  # 81 frames: two segments
RATE, LOUD = 44100, 1 / 8 / 2**0.5  # of ffmpeg's sine
MINUTES = 30
JOBS = ({"mode": "animation", "retarget": True}, {"mode": "replacement", "codec": "hevc"})


def main() -> int:
    """Run the trial, and return an exit code."""
    OUT.mkdir(exist_ok=True)
    film, picture = OUT / "film.mp4", OUT / "picture.png"
    pictures, sound = f"testsrc2=s=160x90:r=30:d={SECONDS}", f"sine=d={SECONDS}"
    made("-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", sound, "-pix_fmt", "yuv420p", film)
    made("-f", "lavfi", "-i", "testsrc=s=96x128:d=1", "-frames:v", "1", picture)
    directory = app()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MODEL_")}  # an image sets its own
    env |= places() | {"WORKER_MODE": "load-balancing", "PORT": str(port), "REQUIRE_GPU": "0", "MIN_FREE_BYTES": "1"}
    env["JOB_TIMEOUT"] = str(MINUTES * 60)
    env["OMP_NUM_THREADS"] = "1"  # toys are too small for more, which would wait for each other
    started = time.monotonic()
    worker = subprocess.Popen([sys.executable, str(directory / "handler.py")], env=env)
    try:
        while ask(port, "GET", "/ping")[0] != 200:
            if worker.poll() is not None:
                return 1
            time.sleep(0.05)
        print(f"ready after {time.monotonic() - started:.1f} s", flush=True)
        given = {
            name: base64.b64encode(path.read_bytes()).decode() for name, path in (("video", film), ("image", picture))
        }
        results = [check(port, given | job | {"resolution": [256, 256], "steps": 2, "seed": 7}) for job in JOBS]
        return 0 if all(results) else 1
    finally:
        worker.terminate()
        code, spent = worker.wait(60), resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"exit code {code}, {spent.ru_utime + spent.ru_stime:.0f} s of CPU", flush=True)


def places() -> dict[str, str]:
    """Return the variables that point to the toys: all in one directory, with a list for each model."""
    found = {
        "WAN_HOME": str(HERE),
        "HF_HUB_OFFLINE": "1",
        "TEXT_ENCODER": str(OUT / "none"),
        "RUNPOD_VOLUME": str(OUT / "none"),
        "WORKSPACE": str(OUT / "none"),
    }
    for suffix, patterns in {
        "": ("*.json", "*.safetensors", "*.pth", "process_checkpoint/**/*"),
        "_IMAGE_ENCODER": ("image_encoder/*",),
        "_RELIGHTING": ("*.ckpt",),
    }.items():
        files = sorted({path for pattern in patterns for path in TOYS.glob(pattern) if path.is_file()})
        entries = [
            {
                "path": str(path.relative_to(TOYS)),
                "size": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for path in files
        ]
        listed = OUT / f"model{suffix}.json"
        listed.write_text(json.dumps({"from": "dir:toys", "commit": "0" * 40, "files": entries}))
        found |= {f"MODEL_PATH{suffix}": str(TOYS), f"MODEL_LIST{suffix}": str(listed)}
    return found


def app() -> Path:
    """Return a copy of the worker's directory with the prompt's tensor, as in an image without T5."""
    copied = OUT / "app"
    shutil.copytree(
        APP, copied, ignore=shutil.ignore_patterns("tests", "equality", "trial", "__pycache__"), dirs_exist_ok=True
    )
    sys.path.insert(0, str(copied))
    import embed
    import order
    import torch

    width = json.loads((TOYS / "config.json").read_text())["text_dim"]
    draw = torch.Generator().manual_seed(1)
    kept = {text: torch.randn(rows, width, generator=draw) for text, rows in ((order.PROMPT, 9), (order.NEGATIVE, 40))}
    embed.save(copied / embed.FILE.name, kept)
    return copied


def made(*arguments: object) -> None:
    """Make something with ffmpeg."""
    subprocess.run([FFMPEG, "-v", "error", "-y", *map(str, arguments)], check=True)


def ask(port: int, method: str, path: str, body: dict | None = None) -> tuple[int, dict]:
    """Return the status and the answer of a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MINUTES * 60)
    try:
        connection.request(method, path, json.dumps(body) if body else None)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "null")
    except OSError:
        return 0, {}
    finally:
        connection.close()


def check(port: int, job: dict) -> bool:
    """Tell whether a job makes a correct film."""
    started = time.monotonic()
    status, answer = ask(port, "POST", "/", job)
    about = {name: value for name, value in job.items() if name not in ("video", "image")}
    if status != 200:
        print(f"{about}: {status} {answer}", flush=True)
        return False
    out = OUT / "result.mp4"
    out.write_bytes(base64.b64decode(answer.pop("video")))
    said = subprocess.run(
        [FFMPEG, "-hide_banner", "-i", str(out), *"-map 0:v -pix_fmt gray -f rawvideo -".split()],
        capture_output=True,
        check=True,
    )
    about_it = said.stderr.decode()
    frames = np.frombuffer(said.stdout, np.uint8).reshape(-1, answer["height"], answer["width"])
    sound = subprocess.run(
        [FFMPEG, "-v", "error", "-i", str(out), *"-map 0:a -ac 1 -f f32le -".split()], capture_output=True
    )
    heard = np.frombuffer(sound.stdout, np.float32)
    problems = [
        words for wrong, words in (
            (len(frames) != round(SECONDS * 30), f"{len(frames)} frames"),
            (frames.std(axis=(1, 2)).min() < 8, "frames that show nothing"),
            (any(map(np.array_equal, frames, frames[1:])), "frames that are the same"),
            ("Audio: aac" not in about_it, "no sound"),
            (len(heard) < 0.9 * SECONDS * RATE or heard.std() < LOUD / 2, "sound that can't be heard"),
            (f"Video: {job.get('codec', 'h264')}" not in about_it, "another codec"),
            (f", {answer['width']}x{answer['height']}" not in about_it, "another size"),
        ) if wrong
    ]  # fmt: skip
    print(f"{about}: {time.monotonic() - started:.0f} s, {answer}: {', '.join(problems) or 'right'}", flush=True)
    return not problems


if __name__ == "__main__":
    sys.exit(main())

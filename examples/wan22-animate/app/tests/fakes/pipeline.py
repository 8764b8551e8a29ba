"""Behaves like the pipeline, without a model; FAKE_LOAD and FAKE_GENERATE set how it fails.

A prompt "fake: WORD" does so for one job.
"""

import os
import signal
import subprocess
import sys
import time

from errors import Stopped
from order import segments

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def open_pipeline(setup, tell):
    how = os.environ.get("FAKE_LOAD", "")
    tell("config.json")
    for name in ("config.json", "Wan2.1_VAE.pth"):
        with open(os.path.join(setup["models"][""], name), "rb") as file:
            file.read()
    if how == "hang":
        show_pids()
        time.sleep(60)
    if how == "slow":
        while not os.path.exists(os.environ["FAKE_GO"]):
            time.sleep(0.02)
    if how:
        fail(how)
    return Pipeline()


class Frames(bytes):
    """A byte is a frame."""

    def tobytes(self):
        return bytes(self)


class Pipeline:
    jobs = 0
    kept = []

    def run(self, order, frames, sink, step, stop):
        how = os.environ.get("FAKE_GENERATE", "")
        if order.prompt.startswith("fake: "):
            how = order.prompt[6:]
        Pipeline.jobs += 1
        print(f"job {Pipeline.jobs} of this process: {order}", flush=True)
        pieces = segments(frames.count, order.refert_num)
        kinds = ["pose", "face"] + (["background", "mask"] if order.replaces else [])
        for number, piece in enumerate(pieces, 1):
            for kind in kinds:
                frames.read(kind, piece.start, min(piece.stop, frames.count))
            for done in range(1, order.steps + 1):
                if stop():
                    raise Stopped
                step(number, len(pieces), done, order.steps)
            if how:
                fail(how, stop)
            sink(Frames(b"x" * (piece.made if how != "short" else 1)))


def fail(how, stop=lambda: False):
    if how == "hang":
        show_pids()
        while not stop():
            time.sleep(0.02)
        raise Stopped
    if how == "silent":
        show_pids()
        time.sleep(60)
    if how == "leak":
        Pipeline.kept.append(bytearray(60_000_000))
    if how == "die":
        raise ValueError("something in /opt/Wan2.2/wan/animate.py broke at https://secret.example/?token=abc")
    if how == "oom":
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
    if how == "device":
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if how.startswith("SIG"):
        os.kill(os.getpid(), signal.Signals[how])


def show_pids():
    held = subprocess.Popen([sys.executable, "-S", "-c", STUBBORN])
    path = os.environ["FAKE_PIDS"]
    with open(path + ".new", "w") as file:
        file.write(f"{os.getpid()} {held.pid}")
    os.rename(path + ".new", path)

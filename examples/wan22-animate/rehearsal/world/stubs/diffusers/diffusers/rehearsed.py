"""Stands in for what the example makes of diffusers' parts: it reads all files of the models, and makes frames of a byte.

The worker takes it for its pipeline where PIPELINE names it. A prompt "problem: WORD" goes wrong:
"empty", "memory", "die", "hang", "error".
"""

import os
import pathlib
import time

import order as orders
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanAnimatePipeline, WanAnimateTransformer3DModel
from errors import Stopped
from transformers import CLIPVisionModel


def open_pipeline(setup: dict, tell: object) -> "Rehearsed":
    torch.cuda.current_device()
    for directory in setup["models"].values():
        for path in sorted(pathlib.Path(directory).rglob("*")):
            if path.is_file() and "process_checkpoint" not in path.parts:
                tell(f"loading {path}")
                torch.load(path)
    for name in ("config.json", "Wan2.1_VAE.pth"):
        torch.load(pathlib.Path(setup["models"][""], name))
    return Rehearsed()


class Frames(bytes):
    def tobytes(self) -> bytes:
        return bytes(self)


class Rehearsed:
    def run(self, order: orders.Order, frames: orders.Frames, sink: object, step: object, stop: object) -> None:
        said = order.prompt.partition("problem: ")[2]
        pieces = orders.segments(frames.count, order.refert_num)
        kinds = (orders.POSE, orders.FACE) + ((orders.BACKGROUND, orders.MASK) if order.replaces else ())
        for number, piece in enumerate(pieces, 1):
            for kind in kinds:
                found = orders.read(frames, kind, piece)
                assert len(found) == orders.CLIP, f"{len(found)} frames of {kind}"
            for done in range(1, order.steps + 1):
                if stop():
                    raise Stopped
                if done > order.steps // 2:
                    _fail(said, stop)
                step(number, len(pieces), done, order.steps)
            sink(Frames(piece.made * b"x" * (said != "empty")))


def _fail(said: str, stop: object) -> None:
    if said == "memory":
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB")
    if said == "error":
        raise ValueError("mat1 and mat2 shapes cannot be multiplied in /opt/x.py")
    if said == "die":
        os.kill(os.getpid(), 9)
    while said == "hang" and not stop():
        time.sleep(0.01)

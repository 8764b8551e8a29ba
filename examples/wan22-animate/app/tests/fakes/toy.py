"""The pipeline itself on toy weights. With FAKE_BLOCKS a block takes a fifth of a second, and adds a byte to that file.

The prompt "slow" takes as long as forty blocks.
"""

import os
import sys
import time

from tests import test_pipeline as toys  # with the real OpenCV

sys.path.insert(0, os.path.dirname(__file__))  # for decord, which can't read what the fake preprocessing writes

BLOCKS = 40
"""As many as the real transformer has."""


def open_pipeline(setup, tell):
    made = toys.toy(embed, toys.toy_transformer(BLOCKS))
    if path := os.environ.get("FAKE_BLOCKS"):
        for block in made._parts.transformer.blocks:
            block.register_forward_hook(lambda *_: slow(path))
    return Pipeline(made)


def embed(prompt, look):
    for _ in range(BLOCKS if prompt == "slow" else 0):
        look()
        slow(os.environ["FAKE_BLOCKS"])
    return toys.torch.ones(toys.pipeline.TOKENS, toys.TEXT)


def slow(path):
    time.sleep(0.2)
    with open(path, "ab", 0) as ran:
        ran.write(b"x")


class Pipeline:
    def __init__(self, made):
        self.made = made

    def run(self, order, frames, sink, step, stop):
        self.made.run(order, toys.Film(frames.count), lambda made: sink(Frames(len(made))), step, stop)


class Frames(bytes):
    """For the fake ffmpeg a byte is a frame."""

    def tobytes(self):
        return bytes(self)

"""The worker's frames are upstream's: the same toy weights, the same seed, both on a CPU in float32.

    WAN_HOME=UPSTREAM TQDM_DISABLE=1 python3 -W ignore -m unittest -v test_equal

WAN_HOME is the directory with upstream's package wan, by default /opt/Wan2.2.
"""

import itertools
import os
import sys
import tempfile
import unittest
from pathlib import Path

import cv2
import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "app"), str(HERE.parent)]

import shim  # noqa: E402 (it is next to this file, others in the worker's directory)

WAN = shim.upstream(Path(os.environ.get("WAN_HOME", "/opt/Wan2.2")))

import order as orders  # noqa: E402
import pipeline  # noqa: E402
import toys  # noqa: E402
from plan import Plan  # noqa: E402
from diffusers.models.transformers.transformer_wan_animate import WanAnimateMotionEncoder  # noqa: E402

WIDTH, HEIGHT, COUNT = 64, 48, 100
STEPS, SEED = 2, 7
LEVEL = 1
"""The allowed difference between frames, of 255."""


class Film:
    """Frames that differ everywhere, a film of two segments, the last of them padded."""

    def __init__(self, count: int = COUNT) -> None:
        draw = np.random.default_rng(1)
        self.count, self.height, self.width = count, HEIGHT, WIDTH
        self.picture = draw.integers(0, 256, (90, 70, 3), np.uint8)
        few = [cv2.resize(draw.integers(0, 256, (16, 16, 3), np.uint8), (512, 512)) for _ in range(3)]
        self.kinds = {
            orders.POSE: draw.integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8),
            orders.FACE: np.stack([few[at] for at in draw.integers(0, len(few), count)]),
            orders.BACKGROUND: draw.integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8),
            orders.MASK: 255 * draw.integers(0, 2, (count, HEIGHT, WIDTH), np.uint8),
        }

    def reference(self) -> np.ndarray:
        """Return the picture."""
        return self.picture

    def read(self, kind: str, start: int, stop: int) -> np.ndarray:
        """Return some frames."""
        return self.kinds[kind][start:stop]

    def write(self, directory: Path) -> None:
        """Write the files that upstream reads, for the shim's reader."""
        names = {orders.POSE: "pose", orders.FACE: "face", orders.BACKGROUND: "bg", orders.MASK: "mask"}
        for kind, name in names.items():
            frames = self.kinds[kind]
            with open(directory / f"src_{name}.mp4", "wb") as file:
                np.save(file, frames[..., None] if kind == orders.MASK else frames)
        cv2.imwrite(str(directory / "src_ref.png"), self.picture[..., ::-1])


def saved(video: torch.Tensor) -> np.ndarray:
    """Return upstream's result [3, n, h, w] as its save_video passes it to the codec."""
    return ((video.clamp(-1, 1) + 1) / 2 * 255).to(torch.uint8).permute(1, 2, 3, 0).numpy()


class Equal(unittest.TestCase):
    """Each test makes a film with both."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.weights = cls.directory / "weights"
        toys.make(cls.weights)
        WanAnimateMotionEncoder.forward = shim.remembering(WanAnimateMotionEncoder.forward)
        cls.upstream = WAN.WanAnimate(shim.config(), str(cls.weights))
        cls.ours = cls.load()

    @classmethod
    def load(cls) -> pipeline.Pipeline:
        names = shim.config()
        places = pipeline.Places(
            cls.weights, cls.weights / names.vae_checkpoint, cls.weights / "image_encoder",
            cls.weights / names.lora_checkpoint,
        )  # fmt: skip
        return pipeline.load(places, Plan(), lambda _: None, cls.embed)

    @classmethod
    def embed(cls, prompt: str, _: object) -> torch.Tensor:
        """Return upstream's own embedding, padded: the tests of embed.py compare the worker's."""
        rows = cls.upstream.text_encoder([prompt], torch.device("cpu"))[0]
        return torch.cat([rows, rows.new_zeros(pipeline.TOKENS - len(rows), rows.shape[1])])

    def compare(self, film: Film, upstream: object = None, **given: object) -> np.ndarray:
        """Return upstream's frames, which ours must equal."""
        order = orders.Order(**{"mode": orders.ANIMATION, "seed": SEED, "steps": STEPS} | given)
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        film.write(directory)
        wanted = saved((upstream or self.upstream).generate(
            str(directory), order.replaces, refert_num=order.refert_num, shift=order.shift, sample_solver=order.solver,
            sampling_steps=order.steps, guide_scale=order.cfg, seed=order.seed, offload_model=False,
        ))  # fmt: skip
        made = []
        self.ours.run(order, film, made.append, lambda *_: None, lambda: False)
        got = np.concatenate(made)
        self.assertEqual(wanted.shape, got.shape)
        self.assertGreater(wanted.std(axis=(1, 2)).min(), 8, "upstream's frames are empty, and so equal to any others")
        apart = np.abs(wanted.astype(int) - got)
        print(f"{given}: {apart.max()} of 255 apart at most, {(apart > 0).mean():.1e} of the values", file=sys.stderr)
        self.assertLessEqual(apart.max(), LEVEL)
        return wanted.astype(int)

    def test_modes_overlaps_and_guidance(self) -> None:
        """Alternates the solvers, so that each is tried with both values of everything."""
        cases = itertools.product((orders.ANIMATION, orders.REPLACEMENT), (1, 5), (1.0, 3.0))
        for number, (mode, overlap, cfg) in enumerate(cases):
            solver = (orders.UNIPC, orders.DPM)[number.bit_count() % 2]
            with self.subTest(mode=mode, overlap=overlap, cfg=cfg, solver=solver):
                self.compare(Film(), mode=mode, refert_num=overlap, cfg=cfg, solver=solver)

    def test_more_steps(self) -> None:
        """Solvers reach higher orders than in two steps."""
        for solver in (orders.UNIPC, orders.DPM):
            with self.subTest(solver=solver):
                self.compare(Film(30), solver=solver, steps=6, shift=3.0)

    def test_relighting_comes_and_goes(self) -> None:
        """Switches the adapter: with it, then without it again."""
        lit = WAN.WanAnimate(shim.config(), str(self.weights), use_relighting_lora=True)
        with_it = self.compare(Film(30), lit, mode=orders.REPLACEMENT, relighting=True)
        without = self.compare(Film(30), mode=orders.REPLACEMENT)
        self.assertGreater(np.abs(with_it - without).max(), 10 * LEVEL)

    def test_prompts_are_upstreams(self) -> None:
        names = shim.config()
        self.assertEqual((names.prompt, names.sample_neg_prompt), (orders.PROMPT, orders.NEGATIVE))


if __name__ == "__main__":
    unittest.main()

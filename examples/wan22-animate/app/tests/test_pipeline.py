"""The pipeline itself, on diffusers' classes at toy size; ../equality tests whether its films are upstream's."""

import gc
import importlib.util
import tempfile
import tracemalloc
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

MISSING = [name for name in ("torch", "diffusers", "cv2") if not importlib.util.find_spec(name)]
if MISSING:
    raise unittest.SkipTest(f"the pipeline needs {', '.join(MISSING)}, which this Python hasn't")

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKLWan, WanAnimatePipeline, WanAnimateTransformer3DModel
from diffusers.hooks import apply_group_offloading
from diffusers.hooks.group_offloading import GroupOffloadingHook
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel

import lean
import models
import order as orders
import pipeline
import pixels
from errors import JobError, StartError, Stopped
from order import ANIMATION, REPLACEMENT, Order
from tests.test_plan import Held

SIDE, FACE, TEXT, BLOCKS = 32, 16, 8, 5


def toy_transformer(blocks=BLOCKS):
    """Return a transformer whose attention is 24 wide."""
    torch.manual_seed(0)
    return WanAnimateTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, text_dim=TEXT, freq_dim=16, ffn_dim=32, num_layers=blocks,
        image_dim=4, added_kv_proj_dim=24, rope_max_seq_len=32,
        motion_encoder_channel_sizes={"4": 16, "8": 16, "16": 16}, motion_encoder_size=FACE, motion_style_dim=8,
        motion_dim=4, motion_encoder_dim=16, face_encoder_hidden_dim=16, face_encoder_num_heads=2,
    ).eval()  # fmt: skip


def toy(embed=lambda *_: torch.ones(pipeline.TOKENS, TEXT), transformer=None, places=None, dtype=torch.float32):
    """Return a pipeline of random weights."""
    torch.manual_seed(0)
    vae = AutoencoderKLWan(base_dim=3, dim_mult=[1, 1, 1, 1], num_res_blocks=1).eval()
    clip = CLIPVisionModel(CLIPVisionConfig(
        hidden_size=4, num_hidden_layers=2, num_attention_heads=2, image_size=224, intermediate_size=8, patch_size=14
    )).eval()  # fmt: skip
    parts = WanAnimatePipeline(None, None, vae, None, None, clip, transformer or toy_transformer())
    places = places or models.Places(Path(), Path(), Path())
    return pipeline.Pipeline(places, parts, torch.device("cpu"), dtype, embed)


class Film:
    """Random frames, and the most of them that were read at once."""

    def __init__(self, count):
        self.count, self.height, self.width, self.most = count, SIDE, SIDE, 0
        self._draw = np.random.default_rng(0)

    def reference(self):
        return self._draw.integers(0, 256, (50, 20, 3), np.uint8)

    def read(self, kind, start, stop):
        self.most = max(self.most, stop - start)
        side = FACE if kind == orders.FACE else SIDE
        shape = (stop - start, side, side) if kind == orders.MASK else (stop - start, side, side, 3)
        return self._draw.integers(0, 256, shape, np.uint8)


def run(made, order, film, stop=lambda: False):
    """Return frames and steps."""
    frames, steps = [], []
    made.run(order, film, frames.append, lambda *at: steps.append(at), stop)
    return frames, steps


class RunTest(unittest.TestCase):
    def test_gives_frames_and_steps_segment_by_segment(self):
        for mode, cfg in ((ANIMATION, 1.0), (REPLACEMENT, 2.0)):
            film = Film(100)
            frames, steps = run(toy(), Order(mode, 1, steps=2, cfg=cfg), film)
            self.assertEqual([(part.shape, part.dtype) for part in frames],
                             [((77, SIDE, SIDE, 3), np.uint8), ((23, SIDE, SIDE, 3), np.uint8)])  # fmt: skip
            self.assertEqual(steps, [(1, 2, 1, 2), (1, 2, 2, 2), (2, 2, 1, 2), (2, 2, 2, 2)])
            self.assertLessEqual(film.most, orders.CLIP)

    def test_the_same_seed_is_the_same_film(self):
        made = toy()
        one, two, other = (run(made, Order(ANIMATION, seed, steps=1), Film(9))[0][0] for seed in (1, 1, 2))
        self.assertTrue((one == two).all())
        self.assertFalse((one == other).all())

    def test_in_bfloat16_films_are_nearly_the_same(self):
        """As on a card, where no test runs: the types of each step and segment fit together."""
        transformer = models.rounded(toy_transformer(), torch.bfloat16)
        lean.slim(transformer)
        made = toy(transformer=transformer, dtype=torch.bfloat16)
        for mode, cfg in ((ANIMATION, 1.0), (REPLACEMENT, 2.0)):
            order = Order(mode, 1, steps=2, cfg=cfg)
            (one, two), (other, another) = (run(each, order, Film(80))[0] for each in (toy(), made))
            for exact, near in ((one, other), (two, another)):
                apart = np.abs(exact.astype(int) - near)
                self.assertGreater(apart.max(), 0)
                self.assertLess(apart.mean(), 3)

    def test_keeps_nothing_of_a_film(self):
        made, kept = toy(), []
        for _ in range(3):
            run(made, Order(REPLACEMENT, 1, steps=1, cfg=2.0), Film(9))
            gc.collect()
            kept.append(sum(one.nbytes for one in gc.get_objects() if isinstance(one, torch.Tensor)))
        self.assertEqual(kept[1], kept[2])

    def test_memory_does_not_grow_with_the_film(self):
        """Two segments need as much as four: frames are read, made and passed on segment by segment."""
        peaks = []
        for segments in (2, 4):
            made, held, film = toy(), Held([]), Film(76 * segments)
            tracemalloc.start()  # NumPy's arrays
            with held:
                made.run(Order(REPLACEMENT, 1, steps=1), film, lambda _: None, lambda *_: None, lambda: False)
            peaks.append((held.peak, tracemalloc.get_traced_memory()[1]))
            tracemalloc.stop()
        (tensors, arrays), (more_tensors, more_arrays) = peaks
        self.assertGreater(tensors, 77 * SIDE * SIDE * 3 * 4)
        self.assertLess(more_tensors, 1.01 * tensors)
        self.assertLess(more_arrays, arrays + 76 * SIDE * SIDE)  # a fraction of a segment's frames

    def test_a_film_of_one_frame_is_one_frame(self):
        frames, _ = run(toy(), Order(REPLACEMENT, 1, steps=1, refert_num=5), Film(1))
        self.assertEqual([len(part) for part in frames], [1])

    def test_stops_before_the_next_block_and_goes_on_with_another_job(self):
        made = toy()
        watched = made._parts.transformer.blocks
        for last in range(BLOCKS + 1):
            ran = []
            hooks = [block.register_forward_hook(lambda *_, at=at: ran.append(at)) for at, block in enumerate(watched)]
            with self.assertRaises(Stopped):
                run(made, Order(ANIMATION, 1, steps=9), Film(9), lambda: len(ran) > last)
            self.assertEqual(len(ran), last + 1)
            for hook in hooks:
                hook.remove()
        self.assertEqual(len(run(made, Order(ANIMATION, 1, steps=1), Film(9))[0]), 1)

    def test_stops_while_a_prompt_is_encoded(self):
        ran = []

        def embed(prompt, look):
            for _ in range(9):
                look()
                ran.append(prompt)
            return torch.ones(pipeline.TOKENS, TEXT)

        made = toy(embed)
        for last in range(18):
            ran.clear()
            with self.assertRaises(Stopped):
                run(made, Order(ANIMATION, 1, cfg=2.0), Film(9), lambda last=last: len(ran) == last)
            self.assertEqual(len(ran), last)
        self.assertEqual(len(run(made, Order(ANIMATION, 1, steps=1), Film(9))[0]), 1)

    def test_stops_between_layers_of_a_lora_that_loads(self):
        with tempfile.TemporaryDirectory() as directory:
            path, changes = Path(directory, "lora.ckpt"), {}
            for block in range(BLOCKS):
                name = f"blocks.{block}.self_attn.q"
                changes |= {f"{name}.lora_A.weight": torch.ones(2, 24), f"{name}.lora_B.weight": torch.ones(24, 2)}
            torch.save({"state_dict": changes}, path)
            made = toy(places=models.Places(Path(), Path(), Path(), path))
            layers = [block.attn1.to_q for block in made._parts.transformer.blocks]
            wanted, asked = Order(REPLACEMENT, 1, steps=1, relighting=True), []
            for last in range(1, 2 * BLOCKS + 1):  # the file's, then the adapter's
                asked.clear()
                with self.assertRaises(Stopped):
                    run(made, wanted, Film(9), lambda last=last: asked.append(1) or len(asked) == last)
                self.assertIsNone(made._relighting)
                self.assertFalse(any(layer._forward_hooks for layer in layers))
            run(made, wanted, Film(9))
            self.assertTrue(made._relighting.on)
            self.assertEqual([len(layer._forward_hooks) for layer in layers], [1] * BLOCKS)

    def test_stops_between_frames_of_the_vae(self):
        made, decoded = toy(), []
        made._parts.vae.decoder.register_forward_hook(lambda *_: decoded.append(1))
        with self.assertRaises(Stopped):
            run(made, Order(ANIMATION, 1, steps=1), Film(9), lambda: len(decoded) == 3)
        self.assertEqual(len(decoded), 3)

    def test_refuses_what_it_cant_do(self):
        for order, embed, word in (
            (Order(ANIMATION, 1, refert_num=77), None, "refert_num"),
            (Order(ANIMATION, 1), lambda *_: torch.ones(226, TEXT), r"\(226, 8\)"),
            (Order(REPLACEMENT, 1, relighting=True), None, "LoRA"),
        ):
            with self.assertRaisesRegex(JobError, word):
                run(toy(embed) if embed else toy(), order, Film(9))

    def test_relighting_comes_and_goes(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "lora.safetensors")
            name = "blocks.0.self_attn.q"
            save_file({f"{name}.lora_A.weight": torch.ones(2, 24), f"{name}.lora_B.weight": torch.ones(24, 2)}, path)
            made = toy(places=models.Places(Path(), Path(), Path(), path))
            before, lit, after = (
                run(made, Order(REPLACEMENT, 1, steps=1, relighting=on), Film(9))[0][0] for on in (False, True, False)
            )
        self.assertTrue((before == after).all())
        self.assertFalse((before == lit).all())


class LoadTest(unittest.TestCase):
    def test_blocks_that_stream_are_slim_ones(self):
        """Streaming hooks wrap what was set on a block earlier; what is set later replaces them."""
        cpu, parts = torch.device("cpu"), toy()._parts
        for place, made in (
            ("models.vae", parts.vae), ("models.clip", parts.image_encoder), ("models.transformer", parts.transformer),
            ("torch.accelerator.current_accelerator", cpu),
        ):  # fmt: skip
            self.enterContext(patch(place, return_value=made))

        def place(transformer, *_):
            apply_group_offloading(transformer, cpu, cpu, "block_level", num_blocks_per_group=1)

        self.enterContext(patch("models.place", place))
        stream = GroupOffloadingHook.pre_forward
        streams = self.enterContext(patch.object(GroupOffloadingHook, "pre_forward", autospec=True, side_effect=stream))
        plan = SimpleNamespace(dtype="float32", parked=0, offload_image=False)
        embed = lambda *_: torch.ones(pipeline.TOKENS, TEXT)  # noqa: E731
        made = pipeline.load(models.Places(Path(), Path(), Path()), plan, lambda _: None, embed)
        slim = self.enterContext(patch("lean._shifted", wraps=lean._shifted))
        run(made, Order(ANIMATION, 1, steps=1), Film(9))
        self.assertEqual(slim.call_count, 2 * BLOCKS)
        numbers = {block: number for number, block in enumerate(made._parts.transformer.blocks)}
        streamed = [numbers[call.args[1]] for call in streams.call_args_list if call.args[1] in numbers]
        self.assertEqual(streamed, list(range(BLOCKS)))


class PlaceTest(unittest.TestCase):
    def test_fp8_are_the_blocks_linear_layers_alone(self):
        made = toy_transformer()
        plan = SimpleNamespace(fp8=True, streamed=True)
        models.place(made, (), torch.device("cpu"), torch.float32, plan)
        for name, module in made.named_modules():
            inside = name.startswith("blocks.") and isinstance(module, torch.nn.Linear)
            for weight in module.parameters(recurse=False):
                self.assertEqual(weight.dtype, models.FP8 if inside else torch.float32, name)
        frames, _ = run(toy(transformer=made), Order(ANIMATION, 1, steps=1), Film(9))
        whole, _ = run(toy(), Order(ANIMATION, 1, steps=1), Film(9))
        apart = np.abs(frames[0].astype(int) - whole[0])
        self.assertGreater(apart.max(), 0)
        self.assertLess(apart.mean(), 8)

    def test_loras_are_merged_before_fp8(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "lora.safetensors")
            changes = {f"{name}.diff": torch.ones(24, 24) for name in ("blocks.1.self_attn.q", "time_embedding.2")}
            save_file(changes, path)
            made, plain = toy_transformer(), toy_transformer()
            plan = SimpleNamespace(fp8=True, streamed=False)
            models.place(made, [path], torch.device("cpu"), torch.float32, plan)
        changed = {"blocks.1.attn1.to_q": models.FP8, "condition_embedder.time_embedder.linear_2": torch.float32}
        for name, dtype in changed.items():
            wanted = (plain.get_submodule(name).weight + 1).to(dtype).float()
            self.assertTrue(torch.equal(made.get_submodule(name).weight.float(), wanted), name)


class FilledTest(unittest.TestCase):
    def test_each_key_has_its_place(self):
        state = toy_transformer().state_dict()
        config = dict(toy_transformer().config)
        config = {key: value for key, value in config.items() if not key.startswith("_")}
        made = models._filled(WanAnimateTransformer3DModel, config, state)
        self.assertEqual(made.proj_out.weight.data_ptr(), state["proj_out.weight"].data_ptr())
        for wrong, word in (
            ({key: value for key, value in state.items() if key != "proj_out.bias"}, "proj_out.bias is missing"),
            (state | {"blocks.9.bias": torch.ones(1)}, "blocks.9.bias is unknown"),
        ):
            with self.assertRaisesRegex(StartError, word):
                models._filled(WanAnimateTransformer3DModel, config, wrong)


class PixelsTest(unittest.TestCase):
    """Against upstream's own formulas."""

    draw = np.random.default_rng(0)

    def test_frames(self):
        frames = self.draw.integers(0, 256, (3, 4, 6, 3), np.uint8)
        for dtype in (torch.float32, torch.bfloat16):
            wanted = torch.tensor(frames / 127.5 - 1).permute(3, 0, 1, 2)[None].to(dtype)
            self.assertTrue(torch.equal(pixels.tensor(frames, torch.device("cpu"), dtype), wanted))
            wanted = torch.tensor(frames[..., 0] / 255)[None, None].to(dtype)
            self.assertTrue(torch.equal(pixels.mask(frames[..., 0], torch.device("cpu"), dtype), wanted))

    def test_film(self):
        film = torch.linspace(-1.5, 1.5, 3 * 2 * 4 * 6).view(1, 3, 2, 4, 6)
        wanted = ((film[0].clamp(-1, 1) + 1) / 2 * 255).type(torch.uint8).permute(1, 2, 3, 0)
        self.assertTrue((pixels.frames(film) == wanted.numpy()).all())

    def test_picture_of_any_proportions(self):
        for high, wide in ((50, 20), (20, 50), (48, 64), (64, 48), (1, 1)):
            picture = self.draw.integers(0, 256, (high, wide, 3), np.uint8)
            self.assertTrue((pixels.fitted(picture, 48, 64) == upstream_fitted(picture, 48, 64)).all(), (high, wide))
        thin = pixels.fitted(np.full((9, 900, 3), 255, np.uint8), 48, 64)
        self.assertEqual((thin.max(axis=(1, 2)) > 0).sum(), 1)


def upstream_fitted(picture, height, width):
    """Upstream's padding_resize."""
    high, wide = picture.shape[:2]
    made = np.zeros((height, width, 3))
    if high / wide > height / width:
        new = int(height / high * wide)
        left = int((width - new) / 2)
        made[:, left : left + new] = cv2.resize(picture, (new, height))
    else:
        new = int(width / wide * high)
        top = int((height - new) / 2)
        made[top : top + new] = cv2.resize(picture, (width, new))
    return np.uint8(made)


if __name__ == "__main__":
    unittest.main()

"""What fits the card: plans, refusals, and the arithmetic against the real modules."""

import unittest
import unittest.mock
import weakref
from pathlib import Path

import plan
from errors import InputError, StartError
from plan import GIB, Card, Want

from tests.test_loras import TORCH


def card(gib):
    return Card("this GPU", int(gib * GIB))


class PlanTest(unittest.TestCase):
    def test_bf16_wherever_it_fits(self):
        for gib, text, wanted in (
            (139.8, True, "bf16"), (79.1, True, "bf16"), (45, True, "bf16, text encoder on the CPU, "), (44.4, True, "bf16, text encoder on the CPU, "),
            (45, False, "bf16, "), (31.4, True, "fp8, text encoder on the CPU, "), (24, True, "fp8, streamed, text encoder on the CPU"),
            (23.5, False, "fp8, streamed"),
        ):  # fmt: skip
            made = plan.plan(card(gib), text=text)
            self.assertTrue(str(made).startswith(wanted), f"{gib}: {made}")
            self.assertLessEqual(made.peak.size, (gib - 2) * GIB)
            self.assertEqual(made.dtype, "bfloat16")

    def test_the_figures_that_were_promised(self):
        self.assertLessEqual(plan.plan(card(45)).peak.size, 43 * GIB)
        self.assertLessEqual(plan.plan(card(24)).peak.size, 22 * GIB)

    def test_settings(self):
        self.assertTrue(plan.plan(card(80), want=Want("fp8")).fp8)
        made = plan.plan(card(24), want=Want("bf16", True))
        self.assertEqual((made.fp8, made.streamed), (False, True))
        self.assertEqual(plan.plan(card(80), want=Want("auto", True)).streamed, True)
        self.assertEqual(plan.plan(card(80), want=Want("auto", False)).streamed, False)

    def test_refusals_name_what_would_fit(self):
        for gib, want, words in (
            (24, Want("bf16", False), r"1280x720 needs \d+\.\d GiB of GPU memory, but this GPU has 24.0: set PRECISION=auto and leave STREAM out$"),
            (24, Want("fp8", False), "set PRECISION=auto and leave STREAM out$"),
            (16, Want(), "with PRECISION=fp8, STREAM=1 and MAX_AREA=399360 films of 832x480 fit$"),
            (5, Want(), "use a larger GPU$"),
        ):
            with self.subTest(words), self.assertRaisesRegex(StartError, words):
                plan.plan(card(gib), want=want)

    def test_a_job_that_does_not_fit(self):
        made = plan.plan(card(16), 832, 480)
        plan.check(made, card(16), 832, 480)
        plan.check(made, card(16), 480, 832)
        with self.assertRaisesRegex(InputError, r"1280x720 needs .* while decoding, but this GPU has 16.0, of which 2.0 stay free: send a smaller resolution"):
            plan.check(made, card(16), 1280, 720)

    def test_the_table_of_the_readme(self):
        readme = Path(__file__).parents[2] / "README.md"
        if readme.is_file():  # the app is also tested without it
            self.assertTrue(plan.table() in readme.read_text("utf-8"), "python3 plan.py prints another table than README.md has")


@TORCH
class RealModulesTest(unittest.TestCase):
    """The arithmetic against the real classes, on the meta device: no memory, and seconds."""

    def setUp(self):
        import torch

        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        self.addCleanup(torch.set_grad_enabled, True)

    def test_parameters(self):
        import torch
        from diffusers import AutoencoderKLWan, WanAnimateTransformer3DModel
        from transformers import CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel

        import embed

        with torch.device("meta"):
            transformer = WanAnimateTransformer3DModel(added_kv_proj_dim=plan.DIM)
            clip = CLIPVisionModel(CLIPVisionConfig(hidden_size=1280, num_hidden_layers=32, num_attention_heads=16, intermediate_size=5120, patch_size=14, hidden_act="gelu"))
            text = UMT5EncoderModel(UMT5Config(**embed.SIZES, feed_forward_proj="gated-gelu"))
            vae = AutoencoderKLWan()
        self.assertEqual(count(transformer.blocks[3]), plan.BLOCK)
        self.assertEqual(count(transformer) - count(transformer.blocks), plan.OTHERS)
        self.assertEqual((count(vae), count(clip), count(text)), (plan.VAE, plan.CLIP, plan.TEXT_ENCODER))

    def test_a_step_holds_what_the_plan_says(self):
        import torch
        from diffusers import WanAnimateTransformer3DModel

        import lean

        made = plan.Plan()
        for width, height in ((1280, 720), (832, 480)):
            with torch.device("meta"):
                model = WanAnimateTransformer3DModel(added_kv_proj_dim=plan.DIM, num_layers=5).to(torch.bfloat16)
            lean.slim(model)
            h, w = height // 8, width // 8
            given = [like(1, 36, 21, h, w), like(1, 16, 20, h, w), like(1, 3, 77, 512, 512), like(1, 257, 1280), like(1, 512, 4096), like(1)]
            held = Held([*model.parameters(), *model.buffers(), *given])
            with attention(), held:
                model(
                    hidden_states=given[0], pose_hidden_states=given[1], face_pixel_values=given[2], encoder_hidden_states_image=given[3],
                    encoder_hidden_states=given[4], timestep=given[5], return_dict=False,
                )  # fmt: skip
            said = sum(size for _, size in plan._sampling(made, width * height))
            self.assertAlmostEqual(held.peak / said, 1, delta=0.01, msg=f"{held.peak} at {width}x{height}, and the plan says {said}")

    def test_the_vae_holds_what_the_plan_says(self):
        import torch
        from diffusers import AutoencoderKLWan

        import lean

        with torch.device("meta"):
            vae = AutoencoderKLWan()
        lean.slim_vae(vae)
        film, latents = like(1, 3, 77, 240, 416, dtype="float32"), like(1, 16, 20, 30, 52, dtype="float32")
        for said, given, work in ((plan.ENCODE, film, lambda: vae.encode(film)), (plan.DECODE, latents, lambda: vae.decode(latents, return_dict=False))):
            held = Held([*vae.parameters(), given])
            with held:
                work()
            self.assertAlmostEqual(held.peak / (240 * 416) / said, 1, delta=0.01, msg=f"{held.peak / (240 * 416)} bytes a pixel, and the plan says {said}")


def count(module):
    return sum(one.numel() for one in module.parameters())


def like(*shape, dtype="bfloat16"):
    import torch

    return torch.empty(*shape, dtype=getattr(torch, dtype), device="meta")


def attention():
    """Allocates like flash attention: the meta device would use the kernel that writes out all weights."""
    import torch

    def seen(query, key, value, **_):
        return torch.empty_like(query.transpose(1, 2)).transpose(1, 2)

    return unittest.mock.patch("torch.nn.functional.scaled_dot_product_attention", seen)


def Held(given):  # noqa: N802 (a class that is made where torch is)
    """Count the bytes that live at once, except those from before."""
    from torch import Tensor
    from torch.utils._python_dispatch import TorchDispatchMode

    class Mode(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.now = self.peak = 0
            self.known = {one.untyped_storage()._cdata for one in given}

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made = function(*args, **(kwargs or {}))
            for one in made if isinstance(made, (tuple, list)) else [made]:
                if isinstance(one, Tensor) and (storage := one.untyped_storage())._cdata not in self.known:
                    self.known.add(storage._cdata)
                    self.now += storage.nbytes()
                    weakref.finalize(storage, self.gone, storage._cdata, storage.nbytes())
            self.peak = max(self.peak, self.now)
            return made

        def gone(self, key, size):
            self.known.discard(key)
            self.now -= size

    return Mode()

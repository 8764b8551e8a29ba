"""Blocks that work in place give the same output as diffusers' blocks, to the bit."""

import unittest
import unittest.mock
from types import SimpleNamespace

from tests.test_loras import TORCH, forward, toy


@TORCH
class LeanTest(unittest.TestCase):
    def setUp(self):
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)

    def test_the_same_to_the_bit(self):
        import torch

        import lean

        for dtype in (torch.float32, torch.bfloat16):
            model = toy().to(dtype)
            block = model.blocks[1]
            block.scale_shift_table.data = block.scale_shift_table.data.float()
            made = lambda *shape: torch.randn(*shape)  # noqa: E731
            given, context, time = made(1, 100, 24).to(dtype), made(1, 17 + 512, 24).to(dtype), made(1, 6, 24)
            angles = made(1, 100, 1, 6).repeat_interleave(2, -1)
            rotary = angles.cos(), angles.sin()
            with torch.no_grad(), unittest.mock.patch("lean.PIECE", 33):
                wanted = block(given.clone(), context, time, rotary)
                lean.slim(model)
                kept = given.clone()
                found = block(kept, context, time, rotary)
            self.assertTrue(torch.equal(found, wanted), (found - wanted).abs().max())
            face, motion = toy().to(dtype).face_adapter[0], made(1, 5, 3, 24).to(dtype)
            with torch.no_grad(), unittest.mock.patch("lean.PIECE", 33):
                wanted = face(given, motion)
                lean.slim(SimpleNamespace(blocks=[], face_adapter=[face]))
                self.assertTrue(torch.equal(face(given, motion), wanted))
            self.assertTrue(torch.equal(kept, given), "what it was given is another's")

    def test_blocks_that_stream_work_in_place_too(self):
        import torch
        from diffusers.hooks import apply_group_offloading

        import lean

        model = toy()
        wanted = forward(model)
        lean.slim(model)
        cpu = torch.device("cpu")
        self.enterContext(unittest.mock.patch("torch.accelerator.current_accelerator", return_value=cpu))
        apply_group_offloading(model, cpu, cpu, "block_level", num_blocks_per_group=1)
        with unittest.mock.patch("lean._shifted", wraps=lean._shifted) as used:
            self.assertTrue(torch.equal(forward(model), wanted))
        self.assertEqual(used.call_count, 10)

    def test_the_vae_makes_the_same(self):
        import torch
        from diffusers import AutoencoderKLWan

        import lean

        vae = AutoencoderKLWan(base_dim=3, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]).eval()
        film = torch.randn(1, 3, 9, 32, 32)
        with torch.no_grad():
            wanted = vae.encode(film).latent_dist.mode()
            shown = vae.decode(wanted).sample
            lean.slim_vae(vae)
            self.assertTrue(torch.equal(vae.encode(film).latent_dist.mode(), wanted))
            self.assertTrue(torch.equal(vae.decode(wanted).sample, shown))

    def test_blocks_make_way_and_come_back(self):
        import torch

        import lean

        layers = torch.nn.ModuleList([torch.nn.Linear(3, 3) for _ in range(3)])
        before = [layer.weight.data.clone() for layer in layers]
        with unittest.mock.patch.object(torch.Tensor, "pin_memory", lambda self: self.clone()):
            parking = lean.Parking(SimpleNamespace(blocks=layers, device=torch.device("cpu")), 2)
        resident = [layer.weight.data.data_ptr() for layer in layers]
        with self.assertRaises(KeyError), parking.room():
            self.assertEqual([layer.weight.data.data_ptr() == at for layer, at in zip(layers, resident, strict=True)], [False, False, True])
            raise KeyError
        for layer, wanted in zip(layers, before, strict=True):
            self.assertTrue(torch.equal(layer.weight.data, wanted))
        with unittest.mock.patch.object(lean.Parking, "room", autospec=True) as room:
            self.assertEqual(parking.around(lambda one, less: one - less)(5, less=3), 2)
        room.assert_called_once()

    def test_clip_is_on_the_card_while_it_looks(self):
        import torch
        from diffusers import AutoencoderKLWan

        import lean

        seen = []

        class Looking(torch.nn.Linear):
            def to(self, device):
                seen.append(str(device))
                return self

            def forward(self, given):
                seen.append("looks")
                return super().forward(given)

        clip = Looking(2, 2)
        vae = AutoencoderKLWan(base_dim=3, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1)
        lean.fit(toy(), vae, clip, torch.device("cuda"), SimpleNamespace(parked=0, offload_image=True))
        self.assertTrue(torch.equal(clip(torch.zeros(1, 2))[0], clip.bias))
        self.assertEqual(seen, ["cpu", "cuda", "looks", "cpu"])

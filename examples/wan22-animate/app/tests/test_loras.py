"""LoRAs: names of layers in both styles, unknown, merging and switching."""

import importlib.util
import json
import tempfile
import unittest
from pathlib import Path

import loras
from errors import StartError

TORCH = unittest.skipUnless(
    all(map(importlib.util.find_spec, ("torch", "diffusers", "safetensors"))), "torch and diffusers aren't here"
)
LAYERS = dict.fromkeys(("", "blocks.0", "blocks.0.attn1.to_q", "blocks.0.attn2.add_k_proj", "blocks.0.ffn.net.2", "proj_out"))


class NamesTest(unittest.TestCase):
    def test_layers(self):
        for given, wanted in {
            "blocks.3.self_attn.q": "blocks.3.attn1.to_q",
            "blocks.3.cross_attn.o": "blocks.3.attn2.to_out.0",
            "blocks.3.cross_attn.k_img": "blocks.3.attn2.add_k_proj",
            "blocks.3.cross_attn.norm_k_img": "blocks.3.attn2.norm_added_k",
            "blocks.3.self_attn.norm_q": "blocks.3.attn1.norm_q",
            "blocks.3.ffn.0": "blocks.3.ffn.net.0.proj",
            "blocks.3.norm3": "blocks.3.norm2",
            "lora_unet_blocks_13_cross_attn_v_img": "blocks.13.attn2.add_v_proj",
            "lora_unet_blocks_13_ffn_2": "blocks.13.ffn.net.2",
            "blocks.3": "blocks.3",
            "blocks.3.attn1.to_q": "blocks.3.attn1.to_q",
            "img_emb.proj.1": "condition_embedder.image_embedder.ff.net.0.proj",
            "time_projection.1": "condition_embedder.time_proj",
            "head.head": "proj_out",
            "patch_embedding": "patch_embedding",
        }.items():
            self.assertEqual(loras.layer(given), wanted)

    def test_keys_of_both_styles(self):
        for key, wanted in {
            "base_model.model.blocks.0.self_attn.q.lora_A.weight": ("blocks.0.attn1.to_q", "down"),
            "blocks.0.self_attn.q.lora_B.default.weight": ("blocks.0.attn1.to_q", "up"),
            "diffusion_model.blocks.0.ffn.2.lora_down.weight": ("blocks.0.ffn.net.2", "down"),
            "diffusion_model.blocks.0.ffn.2.lora_up.weight": ("blocks.0.ffn.net.2", "up"),
            "diffusion_model.blocks.0.ffn.2.alpha": ("blocks.0.ffn.net.2", "alpha"),
            "diffusion_model.blocks.0.ffn.2.diff_b": ("blocks.0.ffn.net.2", "diff_b"),
            "diffusion_model.blocks.0.diff_m": ("blocks.0", "diff_m"),
            "diffusion_model.head.diff_m": ("", "diff_m"),
            "transformer.proj_out.lora_A.weight": ("proj_out", "down"),
            "blocks.0.self_attn.q.weight": ("blocks.0.self_attn.q.weight", ""),
        }.items():
            self.assertEqual(loras.place(key), wanted)

    def test_sorted(self):
        keys = ["x.lora_down.weight".replace("x", "blocks.0.ffn.2"), "blocks.0.ffn.2.lora_up.weight", "blocks.0.ffn.2.alpha", "blocks.0.diff_m"]
        self.assertEqual(
            loras.sort(keys, LAYERS),
            {"blocks.0.ffn.net.2": {"down": keys[0], "up": keys[1], "alpha": keys[2]}, "blocks.0": {"diff_m": keys[3]}},
        )

    def test_unknown_are_told(self):
        pair = ["blocks.0.self_attn.q.lora_A.weight", "blocks.0.self_attn.q.lora_B.weight"]
        for more, words in (
            (["blocks.40.self_attn.q.lora_A.weight"], "blocks.40.self_attn.q.lora_A.weight has no layer in the transformer"),
            (["motion.lora_A.weight", "motion.lora_B.weight"], "motion.lora_A.weight has no layer in the transformer; motion.lora_B.weight has no"),
            (["blocks.0.self_attn.q.dora_scale"], "dora_scale has no layer"),
            (["proj_out.lora_B.weight"], "proj_out.lora_B.weight lacks its other half"),
            (["proj_out.alpha"], "proj_out.alpha lacks its other half"),
            ([f"blocks.{n}.x.diff" for n in range(9)], "and 4 more"),
        ):
            with self.subTest(more), self.assertRaisesRegex(ValueError, words):
                loras.sort(pair + more, LAYERS)
        with self.assertRaisesRegex(ValueError, "it changes no layer"):
            loras.sort([], LAYERS)


@TORCH
class TensorsTest(unittest.TestCase):
    def setUp(self):
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.model = toy()

    def file(self, tensors, name="lora.safetensors"):
        from safetensors.torch import save_file

        save_file({key: one.contiguous() for key, one in tensors.items()}, self.directory / name)
        return self.directory / name

    def pair(self, name, rank=4, alpha=None):
        import torch

        weight = dict(self.model.named_modules())[loras.layer(name)].weight
        down, up = torch.randn(rank, weight.shape[1]) / 8, torch.randn(weight.shape[0], rank) / 8
        found = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
        return found | ({f"{name}.alpha": torch.tensor(float(alpha))} if alpha else {})

    def test_every_layer_of_the_original_has_its_name(self):
        """Compares the table with the code that converts the weights."""
        import torch
        from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers

        block = ["self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "self_attn.norm_q", "self_attn.norm_k", "cross_attn.q", "cross_attn.k"]
        block += ["cross_attn.v", "cross_attn.o", "cross_attn.norm_q", "cross_attn.norm_k", "cross_attn.k_img", "cross_attn.v_img", "cross_attn.norm_k_img"]
        names = [f"blocks.7.{name}" for name in (*block, "ffn.0", "ffn.2", "norm3")] + ["patch_embedding", "pose_patch_embedding"]
        names += [f"face_adapter.fuser_blocks.1.{name}" for name in loras.IN_FACE]
        names += [name for name in loras.NAMES if name != "head"]
        for name in names:
            made = convert_wan_transformer_to_diffusers({f"{name}.weight": torch.zeros(2, 2)})
            self.assertEqual(list(made), [f"{loras.layer(name)}.weight"])

    def test_merged(self):
        import torch

        name, layer = "blocks.1.self_attn.q", self.model.blocks[1].attn1.to_q
        bias = torch.randn_like(layer.bias)
        tensors = self.pair(name, alpha=2) | {f"{name}.diff_b": bias, "blocks.1.diff_m": torch.ones_like(self.model.blocks[1].scale_shift_table)}
        before, table = layer.weight.clone(), self.model.blocks[1].scale_shift_table.clone()
        old_bias = layer.bias.clone()
        lora = loras.Lora(self.file({f"diffusion_model.{key}": one for key, one in tensors.items()}), self.model)
        lora.merge(self.model.blocks[0], "blocks.0")
        torch.testing.assert_close(layer.weight, before)
        lora.merge(self.model.blocks[1], "blocks.1", strength=0.5)
        delta = tensors[f"{name}.lora_up.weight"] @ tensors[f"{name}.lora_down.weight"] * (2 / 4)
        torch.testing.assert_close(layer.weight.data, before + 0.5 * delta)
        torch.testing.assert_close(layer.bias.data, old_bias + 0.5 * bias)
        torch.testing.assert_close(self.model.blocks[1].scale_shift_table.data, table + 0.5)

    def test_an_adapter_is_switched(self):
        """On, it does what merging does; off, nothing. In the other of the two styles, with PEFT's alpha."""
        import torch

        tensors = {}
        for name in ("blocks.0.self_attn.q", "blocks.4.cross_attn.k_img", "blocks.2.ffn.0", "blocks.2.ffn.2"):
            pair = self.pair(name)
            tensors |= {f"base_model.model.{key}".replace("lora_down", "lora_A").replace("lora_up", "lora_B"): one for key, one in pair.items()}
        (self.directory / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8}))
        lora = loras.Lora(self.file(tensors), self.model)
        plain = forward(self.model)
        adapter = loras.Adapter(lora, self.model, "cpu", torch.float32)
        torch.testing.assert_close(forward(self.model), plain)
        adapter.on = True
        changed = forward(self.model)
        self.assertGreater((changed - plain).abs().max().item(), 1e-3)
        adapter.on = False
        torch.testing.assert_close(forward(self.model), plain)
        lora.merge(self.model)
        torch.testing.assert_close(forward(self.model), changed, atol=1e-4, rtol=1e-4)

    def test_what_does_not_fit(self):
        import torch

        good = self.pair("blocks.0.self_attn.q")
        wide = {key: torch.cat([one, one], 0) if "up" in key else one for key, one in good.items()}
        for tensors, words in (
            (good | {"blocks.9.diff": torch.ones(1)}, "lora.safetensors isn't for this model: blocks.9.diff has no layer"),
            (wide, "blocks.0.attn1.to_q has no weight of 48x24"),
            (good | {"blocks.0.diff_m": torch.ones(6)}, "blocks.0 has no scale_shift_table of 6"),
        ):
            with self.subTest(words), self.assertRaisesRegex(StartError, words):
                loras.Lora(self.file(tensors), self.model)
        (self.directory / "cut.safetensors").write_bytes(b"\x08\0\0")
        for name in ("cut.safetensors", "none.ckpt"):
            with self.assertRaisesRegex(StartError, f"{name} can't be read"):
                loras.Lora(self.directory / name, self.model)
        whole = loras.Lora(self.file(good | {"blocks.0.self_attn.q.diff_b": torch.ones(24)}), self.model)
        with self.assertRaisesRegex(StartError, "can't have whole changes: blocks.0.attn1.to_q"):
            loras.Adapter(whole, self.model, "cpu", torch.float32)

    def test_a_checkpoint_as_upstream_has_it(self):
        import torch

        torch.save({"state_dict": self.pair("blocks.0.self_attn.q")}, self.directory / "lora.ckpt")
        self.assertEqual(list(loras.Lora(self.directory / "lora.ckpt", self.model).changes), ["blocks.0.attn1.to_q"])


def forward(model):
    """Return a toy's output for noise that is the same each time."""
    import torch

    state = torch.Generator().manual_seed(1)
    made = lambda *shape: torch.randn(*shape, generator=state)  # noqa: E731
    with torch.no_grad():
        return model(
            hidden_states=made(1, 36, 3, 4, 4), pose_hidden_states=made(1, 16, 2, 4, 4), timestep=torch.tensor([500.0]),
            encoder_hidden_states=made(1, 512, 32), encoder_hidden_states_image=made(1, 257, 16),
            face_pixel_values=made(1, 3, 5, 16, 16), return_dict=False,
        )[0]  # fmt: skip


def toy():
    """Return diffusers' transformer, small."""
    import torch
    from diffusers import WanAnimateTransformer3DModel

    model = WanAnimateTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, in_channels=36, latent_channels=16, out_channels=16, text_dim=32, freq_dim=256, ffn_dim=32,
        num_layers=5, image_dim=16, added_kv_proj_dim=24, rope_max_seq_len=32, motion_encoder_channel_sizes={"4": 16, "8": 16, "16": 16},
        motion_encoder_size=16, motion_style_dim=8, motion_dim=4, motion_encoder_dim=16, face_encoder_hidden_dim=16, face_encoder_num_heads=2,
        inject_face_latents_blocks=5,
    ).eval()  # fmt: skip
    for one in model.parameters():
        torch.nn.init.normal_(one, std=0.1)
    return model

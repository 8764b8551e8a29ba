"""Toy weights: the files of Wan2.2-Animate-14B, with their names and formats, made by upstream's own classes.

    python3 toys.py UPSTREAM DIR [SHARE]

Everything is small that upstream's code allows to be small. It fixes the motion encoder, faces
of 512 by 512, CLIP's width and its 257 tokens, which are as large as in the real model. With
SHARE the motion encoder has that many times fewer channels, which diffusers' class accepts and
upstream's doesn't. DIR gets what WanAnimate reads, and image_encoder/, CLIP's vision half for
transformers: others have converted the real one, so only this file has a function for that.
"""

import functools
import importlib
import json
import math
import sys
from pathlib import Path

import torch
from diffusers.models.transformers.transformer_wan_animate import WAN_ANIMATE_MOTION_ENCODER_CHANNEL_SIZES as CHANNELS
from peft import get_peft_model_state_dict
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel, PreTrainedTokenizerFast

import shim

TEXT = 32
DIT = {"dim": 96, "ffn_dim": 64, "num_heads": 4, "num_layers": 10, "text_dim": TEXT}
VAE = {"dim": 4}
CLIP = {"vision_layers": 3, "text_layers": 1, "text_dim": 32, "text_heads": 2, "vocab_size": 8}
T5 = {"vocab_size": 300, "dim": TEXT, "dim_attn": TEXT, "dim_ffn": 64, "num_heads": 2, "encoder_layers": 2}
SHARD = "20MB"


def make(directory: Path, share: int = 1) -> None:
    """Write all files; the shim must have imported upstream before."""
    torch.manual_seed(0)
    small()
    names = shim.config()
    directory.mkdir(parents=True, exist_ok=True)
    dit = importlib.import_module("wan.modules.animate").WanAnimateModel(**DIT)
    narrow(dit, share)
    spread(dit).to(torch.bfloat16).save_pretrained(directory, max_shard_size=SHARD)  # like the original's
    if share > 1:
        config = json.loads((directory / "config.json").read_text())
        sizes = {side: channels // share for side, channels in CHANNELS.items()}
        (directory / "config.json").write_text(json.dumps(config | {"motion_encoder_channel_sizes": sizes}))
    torch.save({"state_dict": lora(dit)}, directory / names.lora_checkpoint)
    vae = importlib.import_module("wan.modules.vae2_1").WanVAE_(**vae_sizes())
    torch.save(spread(vae).state_dict(), directory / names.vae_checkpoint)
    clip = importlib.import_module("wan.modules.animate.clip").clip_xlm_roberta_vit_h_14()
    torch.save(spread(clip).state_dict(), directory / names.clip_checkpoint)
    vision(clip.visual.state_dict()).save_pretrained(directory / "image_encoder")
    t5 = importlib.import_module("wan.modules.t5").umt5_xxl(encoder_only=True)
    torch.save(spread(t5).state_dict(), directory / names.t5_checkpoint)
    for name in (names.t5_tokenizer, names.clip_tokenizer):
        tokenizer().save_pretrained(directory / name)


def small() -> None:
    """Make upstream's factories build toys."""
    for name, factory, sizes in (
        ("wan.modules.t5", "umt5_xxl", T5),
        ("wan.modules.animate.clip", "clip_xlm_roberta_vit_h_14", CLIP),
        ("wan.modules.vae2_1", "_video_vae", VAE),
    ):
        where = importlib.import_module(name)
        made = getattr(where, factory)
        if not isinstance(made, functools.partial):
            setattr(where, factory, functools.partial(made, **sizes))


def vae_sizes() -> dict:
    """Return the sizes of the VAE, which upstream has only in a function that reads a file."""
    return VAE | {"z_dim": 16, "temperal_downsample": [False, True, True]}


def spread(model: nn.Module) -> nn.Module:
    """Give each weight a value that keeps its layer's output at the size of its input."""
    for name, weight in model.named_parameters():
        if "motion_encoder" in name:
            continue  # it scales in its layers
        if weight.dim() > 1 and "modulation" not in name and "gamma" not in name:
            nn.init.normal_(weight, std=1 / math.sqrt(weight[0].numel()))
        else:
            nn.init.normal_(weight, mean=0 if "bias" in name else 1, std=0.1)
    return model.eval().requires_grad_(False)


def narrow(dit: nn.Module, share: int) -> None:
    """Give the motion encoder fewer channels: with all of them a face costs 40 GFLOP in each step."""
    app = dit.motion_encoder.enc.net_app
    last = app.convs[-1].weight
    for weight in app.parameters():
        ends = [size // share if size > 3 and axis < 2 else size for axis, size in enumerate(weight.shape)]
        if weight is last:
            ends[0] = len(weight)
        weight.data = weight.data[tuple(slice(end) for end in ends)].clone()


def lora(dit: nn.Module) -> dict[str, Tensor]:
    """Return a relighting LoRA that changes something."""
    config = importlib.import_module("wan.modules.animate.animate_utils").get_loraconfig(dit)
    dit.add_adapter(config)
    state = get_peft_model_state_dict(dit)
    return {key: torch.randn_like(value) * 0.05 for key, value in state.items()}


def vision(state: dict[str, Tensor]) -> CLIPVisionModel:
    """Convert upstream's vision half to transformers' class."""
    layers = CLIP["vision_layers"]
    made = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=1280, intermediate_size=5120, num_hidden_layers=layers, num_attention_heads=16,
            image_size=224, patch_size=14, hidden_act="gelu",
        )
    )  # fmt: skip
    top = "vision_model."
    new = {
        top + "embeddings.class_embedding": state["cls_embedding"][0, 0],
        top + "embeddings.patch_embedding.weight": state["patch_embedding.weight"],
        top + "embeddings.position_embedding.weight": state["pos_embedding"][0],
    }
    for ours, theirs in (("pre_layrnorm", "pre_norm"), ("post_layernorm", "post_norm")):
        new |= {f"{top}{ours}.{kind}": state[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
    pairs = (("layer_norm1", "norm1"), ("layer_norm2", "norm2"), ("self_attn.out_proj", "attn.proj"),
             ("mlp.fc1", "mlp.0"), ("mlp.fc2", "mlp.2"))  # fmt: skip
    for layer in range(layers):
        ours, theirs = f"{top}encoder.layers.{layer}.", f"transformer.{layer}."
        for kind in ("weight", "bias"):
            new |= {f"{ours}{one}.{kind}": state[f"{theirs}{other}.{kind}"] for one, other in pairs}
            parts = state[f"{theirs}attn.to_qkv.{kind}"].chunk(3)
            new |= {f"{ours}self_attn.{one}_proj.{kind}": part for one, part in zip("qkv", parts, strict=True)}
    made.load_state_dict(new)
    return made


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with a token for each byte, and an end token."""
    vocabulary = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {
        character: 3 + at for at, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))
    }
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.ByteLevel(), pre_tokenizers.Split("", "isolated")])
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


if __name__ == "__main__":
    shim.upstream(Path(sys.argv[1]))
    make(Path(sys.argv[2]), *map(int, sys.argv[3:]))

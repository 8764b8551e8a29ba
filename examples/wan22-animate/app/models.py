"""The pipeline's models: loads the original's files into diffusers' modules, and places them by a plan.

The functions of diffusers' from_single_file convert the keys; from_single_file itself would
drop unknown ones, and round what the transformer computes in float32. Weights stay in the
files' memory maps until they are placed: the host holds one block at a time.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKLWan, ModelMixin, WanAnimateTransformer3DModel
from diffusers.hooks import apply_layerwise_casting
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers, convert_wan_vae_to_diffusers
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPVisionModel

from errors import StartError
from loras import Lora

if TYPE_CHECKING:
    from plan import Plan

FP8 = torch.float8_e4m3fn
BLUR = ".kernel"
"""The suffix of the motion encoder's blur keys, which aren't weights."""

# Keys of the original's config.json, and diffusers' names.
SIZES = {
    "num_heads": "num_attention_heads", "in_dim": "in_channels", "out_dim": "out_channels", "text_dim": "text_dim",
    "freq_dim": "freq_dim", "ffn_dim": "ffn_dim", "num_layers": "num_layers", "eps": "eps",
    "motion_encoder_dim": "motion_encoder_dim", "motion_encoder_channel_sizes": "motion_encoder_channel_sizes",
}  # fmt: skip


@dataclass(frozen=True)
class Places:
    """Where the files of the models are."""

    transformer: Path
    """The directory of the original's config.json and shards."""
    vae: Path
    """The original's .pth."""
    image_encoder: Path
    """CLIP's vision half, as transformers has it."""
    relighting: Path | None = None
    merged: tuple[Path, ...] = ()
    """LoRAs that are merged for good."""


def transformer(directory: Path, dtype: torch.dtype) -> WanAnimateTransformer3DModel:
    """Return the transformer of the original's config.json and shards; in bfloat16 some layers keep float32."""
    try:
        config = json.loads((directory / "config.json").read_bytes())
    except (OSError, ValueError) as err:
        raise StartError(f"the transformer's config.json can't be read: {err}") from err
    sizes = {name: config[key] for key, name in SIZES.items() if key in config}
    if "dim" in config:
        sizes |= {"attention_head_dim": config["dim"] // config["num_heads"], "added_kv_proj_dim": config["dim"]}
    state: dict[str, Tensor] = {}
    for shard in sorted(directory.glob("diffusion_pytorch_model*.safetensors")):
        state |= load_file(shard)
    state = {key: value for key, value in state.items() if not key.endswith(BLUR)}
    return rounded(_filled(WanAnimateTransformer3DModel, sizes, convert_wan_transformer_to_diffusers(state)), dtype)


def rounded(made: WanAnimateTransformer3DModel, dtype: torch.dtype) -> WanAnimateTransformer3DModel:
    """Convert a transformer's weights to a type, except those that diffusers keeps in float32."""
    for name, weight in made.named_parameters():
        exact = not set(made._keep_in_fp32_modules).isdisjoint(name.split("."))
        weight.data = weight.data.to(torch.float32 if exact else dtype)
    return made


def place(
    made: WanAnimateTransformer3DModel, merged: Iterable[Path], device: torch.device, dtype: torch.dtype, plan: "Plan"
) -> None:
    """Place the transformer by a plan, with LoRAs merged; only the blocks' linear layers become fp8."""
    loras = [Lora(path, made) for path in merged]
    streamed = plan.streamed and device.type == "cuda"
    blocks, made.blocks = made.blocks, torch.nn.ModuleList()  # which are handled one by one
    for name, module in (("", made), *((f"blocks.{number}", block) for number, block in enumerate(blocks))):
        if not streamed:
            module.to(device)
        for lora in loras:
            lora.merge(module, name)
        if plan.fp8 and name:
            apply_layerwise_casting(module, FP8, dtype, skip_modules_pattern=("norm",))
    made.blocks = blocks
    if streamed:  # from pinned memory
        made.enable_group_offload(
            device, torch.device("cpu"), "block_level", num_blocks_per_group=1, use_stream=True, record_stream=True
        )


def vae(path: Path) -> AutoencoderKLWan:
    """Return the VAE, in float32 as upstream has it."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as err:  # of many types with one meaning
        raise StartError(f"{path.name} can't be read: {type(err).__name__}") from err
    sizes = {"base_dim": state["encoder.conv1.weight"].shape[0]}
    return _filled(AutoencoderKLWan, sizes, convert_wan_vae_to_diffusers(state)).float()


def clip(directory: Path, dtype: torch.dtype) -> CLIPVisionModel:
    """Return CLIP's vision half."""
    try:
        made, told = CLIPVisionModel.from_pretrained(
            directory, torch_dtype=dtype, local_files_only=True, output_loading_info=True
        )
    except OSError as err:
        raise StartError(f"CLIP can't be read: {err}") from err
    _check("CLIP", told["missing_keys"], told["unexpected_keys"])
    return made.eval().requires_grad_(False)


def _filled(kind: type[ModelMixin], config: dict, state: dict[str, Tensor]) -> ModelMixin:
    """Return a model with exactly these weights, uncopied, none missing and none left over."""
    with init_empty_weights():
        made = kind(**config)
    wanted = made.state_dict()
    _check(kind.__name__, wanted.keys() - state.keys(), state.keys() - wanted.keys())
    made.load_state_dict(state, assign=True)
    return made.eval().requires_grad_(False)


def _check(name: str, missing: set[str] | list[str], strange: set[str] | list[str]) -> None:
    problems = [*(f"{key} is missing" for key in sorted(missing)), *(f"{key} is unknown" for key in sorted(strange))]
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise StartError(f"{name}'s weights don't match the model: {'; '.join(problems[:5])}{more}")

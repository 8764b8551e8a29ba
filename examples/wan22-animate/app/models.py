"""The models of the pipeline: read from the original's files, made into diffusers' modules, put onto the card.

Weights stay in the files' memory maps until they are put where they belong, so that host
memory holds what a plan keeps there and one block besides. Each key has to have its place.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKLWan, ModelMixin, WanAnimateTransformer3DModel
from diffusers.hooks import apply_layerwise_casting
from diffusers.loaders.single_file_utils import (
    convert_wan_animate_transformer_to_diffusers,
    convert_wan_vae_to_diffusers,
)
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPVisionModel

import loras
from errors import StartError
from plan import Plan

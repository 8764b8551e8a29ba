"""Assembles the pipeline: the image's models, the card's plan, the prompts; used only in the pipeline's process."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch

import embed
import pipeline
from models import Places

VAE = "Wan2.1_VAE.pth"
RELIGHTING = "relighting_lora.ckpt"


def open_pipeline(setup: dict, tell: Callable[[str], None]) -> pipeline.Pipeline:
    """Return the pipeline for the worker's models and plan."""
    models = {name: Path(path) for name, path in setup["models"].items()}
    plan = SimpleNamespace(**setup["plan"])
    device = "cuda" if torch.cuda.is_available() and not plan.offload_text else "cpu"
    encoder = embed.Encoder(models["text-encoder"], device) if "text-encoder" in models else None
    return pipeline.load(places(models), plan, tell, embed.Prompts(embed.FILE, encoder))


def places(models: dict[str, Path]) -> Places:
    """Return the paths of the pipeline's files, by the names of the image's models."""
    return Places(
        transformer=models[""],
        vae=models[""] / VAE,
        image_encoder=models["image-encoder"] / "image_encoder",
        relighting=models["relighting"] / RELIGHTING if "relighting" in models else None,
        merged=tuple(sorted(models["distillation"].rglob("*.safetensors"))) if "distillation" in models else (),
    )

"""Loads checkpoints."""

import torch
from hydra import compose
from hydra.utils import instantiate
from omegaconf import OmegaConf


def _load_checkpoint(model: object, ckpt_path: str) -> dict:
    return torch.load(ckpt_path, map_location="cpu", weights_only=True)


def build_sam2_video_predictor() -> None: ...

"""Loads sam2: its settings from the installed package, by a name that newer commits keep as a link."""

import importlib.resources

import numpy as np
import torch
from hydra import compose
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from sam2.build_sam import _load_checkpoint
from sam2.utils import misc
from sam2.utils.misc import AsyncVideoFrameLoader, _load_img_as_tensor
from tqdm import tqdm


def build_sam2_video_predictor(config_file: str, ckpt_path: str) -> dict:
    if not importlib.resources.files("sam2").joinpath(config_file).is_file():
        raise FileNotFoundError(f"Cannot find primary config '{config_file}'. Check that it's in your config search path.")
    return _load_checkpoint(None, ckpt_path)


def load_video_frames() -> None: ...


def load_video_frames_v2() -> None: ...

"""Stands in for the pipeline: it reads all files of the model, and then what preprocessing has written."""

import json
import logging
import os
import pathlib
import time

import cv2
import numpy as np
import torch
import torch.distributed
import torch.nn.functional
from decord import VideoReader
from einops import rearrange
from peft import set_peft_model_state_dict
from tqdm import tqdm

from . import modules
from .distributed import fsdp, sequence_parallel, util
from .modules import animate, t5, vae2_1
from .modules.animate import animate_utils
from .utils import fm_solvers, fm_solvers_unipc

TOKENIZERS = {
    "t5_tokenizer": ("special_tokens_map.json", "spiece.model", "tokenizer.json", "tokenizer_config.json"),
    "clip_tokenizer": ("sentencepiece.bpe.model", "tokenizer.json", "tokenizer_config.json"),
}


class WanAnimate:
    def __init__(self, config: dict, checkpoint_dir: str, use_relighting_lora: bool) -> None:
        folder = pathlib.Path(checkpoint_dir)
        self._load(folder / config.t5_checkpoint)
        self._load(folder / config.clip_checkpoint)
        for name, files in TOKENIZERS.items():
            for file in files:
                self._load(folder / config[name] / file)
        self._load(folder / config.vae_checkpoint)
        logging.info(f"Creating WanAnimate from {checkpoint_dir}")
        json.loads((folder / "config.json").read_text())
        index = json.loads((folder / "diffusion_pytorch_model.safetensors.index.json").read_text())
        for shard in sorted(set(index["weight_map"].values())):
            self._load(folder / shard)
        if use_relighting_lora:
            self._load(folder / config.lora_checkpoint)
        self.config = config

    @staticmethod
    def _load(path: pathlib.Path) -> None:
        logging.info(f"loading {path}")
        torch.load(path)

    def generate(self, src_root_path: str, replace_flag: bool, refert_num: int, sampling_steps: int) -> tuple[list[tuple[int, int]], str]:
        """Returns the frames of a film, and the fault that the driving film asks for."""
        assert refert_num == 1 or refert_num == 5, "refert_num should be 1 or 5."
        folder = pathlib.Path(src_root_path)
        pose, face = VideoReader(str(folder / "src_pose.mp4")), VideoReader(str(folder / "src_face.mp4"))
        reference = cv2.imread(str(folder / "src_ref.png"))
        if replace_flag:
            background, mask = VideoReader(str(folder / "src_bg.mp4")), VideoReader(str(folder / "src_mask.mp4"))
            assert len(background) == len(mask) == len(pose)
        assert reference is not None and len(face) == len(pose)
        fault = os.environ.get("REHEARSAL_FAULT") or pose.film.get("fault", "")
        for step in tqdm(range(sampling_steps)):
            if step == sampling_steps // 2:
                _fail(fault)
        return [(pose.film["height"], pose.film["width"])] * len(pose), fault


def _fail(fault: str) -> None:
    if fault == "memory":
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB")
    if fault == "die":
        os.kill(os.getpid(), 9)
    if fault == "hang":
        time.sleep(3600)

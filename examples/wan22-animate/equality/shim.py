"""Runs upstream's own code on any machine: in float32, without CUDA, without flash-attn.

Each replacement says what it stands for; everything else is upstream's.
"""

import contextlib
import importlib
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from functorch.einops import rearrange


def upstream(home: Path) -> types.ModuleType:
    """Return upstream's wan.animate, from a directory that has the package wan."""
    torch.cuda.current_device = lambda: "cpu"  # a default of T5EncoderModel, evaluated at import
    package("wan", home / "wan")  # whose __init__ imports the other tasks and their dependencies
    package("wan.modules", home / "wan" / "modules")  # whose __init__ re-exports flash_attention before it is replaced
    package("wan.utils", home / "wan" / "utils")  # whose __init__ imports prompt extenders
    module("easydict", EasyDict=Easy)  # not in the image: only upstream's configurations need it
    module("einops", rearrange=rearrange)  # not in the image either: torch has that function, too
    importlib.import_module("wan.modules.attention").flash_attention = flash_attention  # a wrapper of flash-attn's
    importlib.import_module("wan.modules.animate.face_blocks").flash_attn_func = attention  # flash-attn's own
    animate = importlib.import_module("wan.animate")
    animate.torch = Float32("torch")  # generate() names bfloat16, autocast and cuda:0
    animate.VideoReader = Reader  # decord's: films are arrays here, since a codec would change them
    encoder = importlib.import_module("wan.modules.animate.motion_encoder").Generator
    encoder.get_motion = remembering(encoder.get_motion)  # 40 GFLOP per face, called in each step
    return animate


def config() -> object:
    """Return upstream's configuration of the task, in float32."""
    found = importlib.import_module("wan.configs.wan_animate_14B").animate_14B
    found.param_dtype = found.t5_dtype = torch.float32
    return found


def package(name: str, path: Path) -> None:
    """Add a package that imports nothing by itself."""
    sys.modules[name] = made = types.ModuleType(name)
    made.__path__ = [str(path)]


def module(name: str, **attributes: object) -> None:
    """Add a module with these attributes."""
    sys.modules[name] = made = types.ModuleType(name)
    vars(made).update(attributes)


class Easy(dict):
    """A dictionary whose items are attributes."""

    __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__


class Float32(types.ModuleType):
    """torch, where half precision is float32, autocast does nothing, and every device is the CPU."""

    bfloat16 = float16 = torch.float32
    autocast = staticmethod(lambda **_: contextlib.nullcontext())
    device = staticmethod(lambda _: torch.device("cpu"))

    def __getattr__(self, name: str) -> object:
        return getattr(torch, name)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Like flash-attn's flash_attn_func: [batch, length, heads, width]."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).contiguous()


def flash_attention(q, k, v, k_lens=None, **_):  # noqa: ANN001, ANN003, ANN201 (upstream's signature)
    """Like upstream's flash_attention without padding, as in all comparisons."""
    assert k_lens is None or all(length == k.shape[1] for length in k_lens)
    return attention(q, k, v)


class Reader:
    """decord's VideoReader, for a file that holds an array."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self._frames = np.load(file)

    def __len__(self) -> int:
        return len(self._frames)

    def get_batch(self, indices: list[int]) -> object:
        """Return frames, as decord does."""
        return types.SimpleNamespace(asnumpy=lambda: self._frames[indices])


def remembering(encode: Callable) -> Callable:
    """Return a method that encodes each face once."""
    known: dict[bytes, torch.Tensor] = {}

    def encoded(self: object, faces: torch.Tensor, *rest: object) -> torch.Tensor:
        keys = [face[:, ::16, ::16].numpy().tobytes() for face in faces]  # enough to tell them apart
        for key, face in zip(keys, faces, strict=True):
            if key not in known:
                known[key] = encode(self, face[None], *rest)[0]
        return torch.stack([known[key] for key in keys])

    return encoded

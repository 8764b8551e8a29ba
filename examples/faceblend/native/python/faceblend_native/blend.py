"""The blend for callers, on any device."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from . import _core
from .cuda import Unavailable
from .gpu import GpuBlender
from .look import Look

Bytes = NDArray[np.uint8]


class Blender(Protocol):
    """Blends a patch over a region of the same size; safe to call from any thread."""

    device: str

    def blend(self, region: Bytes, patch: Bytes, mask: Bytes, look: Look) -> Bytes:
        """Return the region with the patch laid over it."""


class CpuBlender:
    """The blend in C++: the same bytes on every processor."""

    device = "cpu"

    def blend(self, region: Bytes, patch: Bytes, mask: Bytes, look: Look) -> Bytes:
        """Return the region with the patch laid over it."""
        moments = _core.moments(region, patch, mask)
        affine = _core.transfer(moments, look.from_rgb, look.strength, look.limits)
        return _core.mix(region, patch, mask, look.taps, affine)


def open_blender(device: str = "auto") -> tuple[Blender, str]:
    """Return a blender for "cpu", "gpu" or "auto", and why it isn't a GPU ("" if it is).

    Without a usable GPU, "gpu" raises Unavailable and "auto" uses the CPU.
    """
    if device not in ("auto", "cpu", "gpu"):
        raise ValueError(f"device {device!r} is none of auto, cpu, gpu")
    if device == "cpu":
        return CpuBlender(), "the CPU was asked for"
    try:
        return GpuBlender(), ""
    except Unavailable as err:
        if device == "gpu":
            raise
        return CpuBlender(), str(err)


def blend_into(
    blender: Blender, picture: Bytes, patch: Bytes, mask: Bytes, x: int, y: int, look: Look
) -> Bytes:
    """Return a copy of picture with the patch blended in, its upper left corner at x, y."""
    height, width = mask.shape
    if x < 0 or y < 0 or y + height > picture.shape[0] or x + width > picture.shape[1]:
        raise ValueError("patch reaches beyond the picture")
    result = picture.copy()
    part = (slice(y, y + height), slice(x, x + width))
    region = np.ascontiguousarray(picture[part])
    result[part] = blender.blend(
        region, np.ascontiguousarray(patch), np.ascontiguousarray(mask), look
    )
    return result

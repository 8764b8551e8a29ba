"""Blends a patch into a picture on whatever device there is."""

import numpy
from faceblend_native import Device, transfer

from model import Model, resize


def blend(device: Device, model: Model, picture: numpy.ndarray, patch: numpy.ndarray, x: int, y: int) -> numpy.ndarray:
    """Returns the picture with the patch at (x, y). Raises ValueError where it would not lie inside."""
    height, width, _ = patch.shape
    if x < 0 or y < 0 or x + width > picture.shape[1] or y + height > picture.shape[0]:
        raise ValueError(
            f"patch of {width} x {height} at {x},{y} does not lie inside a picture of {picture.shape[1]} x {picture.shape[0]}"
        )
    region = numpy.ascontiguousarray(picture[y : y + height, x : x + width])
    mask = resize(model.mask, height, width)
    gain, bias = transfer(numpy.ascontiguousarray(patch), region, mask, model.strength, model.max_gain)
    out = picture.copy()
    out[y : y + height, x : x + width] = device.blend(numpy.ascontiguousarray(patch), region, mask, gain, bias)
    return out

"""Where a blend runs."""

from typing import Protocol

import numpy

from . import _core, cuda
from .cuda import DeviceError

__all__ = ["CPU", "Device", "DeviceError", "open_device"]


class Device(Protocol):
    """Runs a blend. name is for people."""

    name: str

    def blend(
        self, patch: numpy.ndarray, region: numpy.ndarray, mask: numpy.ndarray, gain: numpy.ndarray, bias: numpy.ndarray
    ) -> numpy.ndarray: ...


class CPU:
    name = "cpu"
    blend = staticmethod(_core.blend)


def open_device(require_gpu: bool = False) -> Device:
    """Returns the first GPU, else the CPU. With require_gpu the lack of one is a DeviceError."""
    try:
        return cuda.GPU()
    except DeviceError:
        if require_gpu:
            raise
        return CPU()

"""Feathered blend of a face patch into a picture, with colour transfer.

`transfer` finds the line that gives a patch the colours of its surroundings,
`blend` mixes both under a mask. `open_device` returns the GPU where there is
one, whose `blend` gives the same within 1/255, and the CPU elsewhere.
"""

from ._core import blend, transfer
from .device import Device, DeviceError, open_device

__all__ = ["Device", "DeviceError", "blend", "open_device", "transfer"]

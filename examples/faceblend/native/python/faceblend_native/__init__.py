"""Feathered blend of a patch into a picture, with colour transfer.

A blender works on three dense arrays of one size: the region (what lies under
the patch) and the patch, (height, width, 3) bytes of RGB each, and the mask,
(height, width) bytes. CpuBlender and GpuBlender give the same values within
one step of 255; open_blender picks one.
"""

from .blend import Blender, CpuBlender, blend_into, open_blender
from .gpu import GpuBlender
from .look import Look

__all__ = ["Blender", "CpuBlender", "GpuBlender", "Look", "blend_into", "open_blender"]

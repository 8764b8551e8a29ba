"""The blend on an NVIDIA GPU: the steps of CpuBlender, with the first and the last as kernels."""

import threading
from collections.abc import Callable
from ctypes import c_int

import numpy as np
from numpy.typing import NDArray

from . import _core, nvrtc
from .cuda import CudaError, Device, Driver, Unavailable
from .look import Look

Bytes = NDArray[np.uint8]

_THREADS = 256
# The moments end in 20 atomic additions per thread: few threads, many pixels each.
_MOMENT_BLOCKS = 32
# The kernels count bytes in ints.
_MAX_PIXELS = 1 << 28


class GpuBlender:
    """Blends on the first GPU. Raises Unavailable if there is none to use."""

    def __init__(
        self,
        driver: Driver | None = None,
        compile_kernels: Callable[[tuple[int, int]], bytes] = nvrtc.compile_kernels,
    ) -> None:
        self._gpu = Device(driver or Driver())
        try:
            self._gpu.activate()
            self._module = self._gpu.load(compile_kernels(self._gpu.capability))
            self._moments = self._gpu.function(self._module, "faceblend_moments")
            self._rows = self._gpu.function(self._module, "faceblend_rows")
            self._mix = self._gpu.function(self._module, "faceblend_mix")
        except (CudaError, nvrtc.CompileError) as err:
            self._gpu.close()
            raise Unavailable(f"{self._gpu.name}: {err}") from err
        except Unavailable:
            self._gpu.close()
            raise
        major, minor = self._gpu.capability
        self.device = f"gpu: {self._gpu.name}, compute capability {major}.{minor}"
        self._lock = threading.Lock()

    def blend(self, region: Bytes, patch: Bytes, mask: Bytes, look: Look) -> Bytes:
        """Return the region with the patch laid over it."""
        _check(region, patch, mask)
        with self._lock:  # one blend at a time bounds the GPU's memory
            return self._blend(region, patch, mask, look)

    def close(self) -> None:
        """Release the GPU; the blender can't be used afterwards."""
        self._gpu.close()

    def _blend(self, region: Bytes, patch: Bytes, mask: Bytes, look: Look) -> Bytes:
        gpu, pixels = self._gpu, mask.size
        height, width = (c_int(n) for n in mask.shape)
        radius, blocks = c_int(look.taps.size // 2), -(-pixels // _THREADS)
        gpu.activate()
        with gpu.memory() as memory:
            under, over, hard = (memory.upload(array) for array in (region, patch, mask))
            sums = np.empty((2, 10), np.uint64)
            total = memory.zeros(sums.nbytes)
            gpu.launch(self._moments, _MOMENT_BLOCKS, _THREADS, under, over, hard, c_int(pixels), total)
            gpu.synchronize()
            memory.download(total, sums)

            affine = _core.transfer(sums, look.from_rgb, look.strength, look.limits)
            taps, colour = memory.upload(look.taps), memory.upload(affine)
            rows = memory.allocate(4 * pixels)
            out = np.empty(region.shape, np.uint8)
            result = memory.allocate(out.nbytes)
            gpu.launch(self._rows, blocks, _THREADS, hard, width, height, taps, radius, rows)
            gpu.launch(
                self._mix, blocks, _THREADS,
                under, over, hard, rows, width, height, taps, radius, colour, result,
            )
            gpu.synchronize()
            return memory.download(result, out)


def _check(region: Bytes, patch: Bytes, mask: Bytes) -> None:
    """Refuse arrays that would make a kernel read beyond its buffers."""
    if mask.ndim != 2 or not 0 < mask.size <= _MAX_PIXELS:
        raise ValueError("mask is not a plane of 1 to 2**28 bytes")
    if region.shape != (*mask.shape, 3) or patch.shape != region.shape:
        raise ValueError("region, patch and mask are not of one size")
    if not region.dtype == patch.dtype == mask.dtype == np.uint8:
        raise ValueError("region, patch and mask are not bytes")

"""The part of the CUDA driver API that a blend needs, through ctypes."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_ubyte, c_uint, c_uint64, c_void_p

import numpy as np
from numpy.typing import NDArray

Pointer = c_uint64
"""CUdeviceptr: an address in the GPU's memory."""

_OUT = POINTER(c_void_p)
# The names are the ABI's: with _v2 where cuda.h maps the plain name to it.
_PROTOTYPES: dict[str, tuple[object, ...]] = {
    "cuInit": (c_uint,),
    "cuGetErrorName": (c_int, POINTER(c_char_p)),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDevicePrimaryCtxRetain": (_OUT, c_int),
    "cuDevicePrimaryCtxRelease_v2": (c_int,),
    "cuCtxSetCurrent": (c_void_p,),
    "cuCtxSynchronize": (),
    "cuModuleLoadData": (_OUT, c_char_p),
    "cuModuleGetFunction": (_OUT, c_void_p, c_char_p),
    "cuMemAlloc_v2": (POINTER(Pointer), c_size_t),
    "cuMemFree_v2": (Pointer,),
    "cuMemsetD8_v2": (Pointer, c_ubyte, c_size_t),
    "cuMemcpyHtoD_v2": (Pointer, c_void_p, c_size_t),
    "cuMemcpyDtoH_v2": (c_void_p, Pointer, c_size_t),
    "cuLaunchKernel": (c_void_p, *(c_uint,) * 7, c_void_p, _OUT, _OUT),
}
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*


class Unavailable(Exception):
    """There is no GPU that this process can use."""


class CudaError(Exception):
    """A driver call failed."""


class Driver:
    """The driver's library; call checks every result."""

    def __init__(self, library: str = "libcuda.so.1") -> None:
        try:
            self._library = ctypes.CDLL(library)
            for name, arguments in _PROTOTYPES.items():
                function = getattr(self._library, name)
                function.argtypes, function.restype = arguments, c_int
        except (OSError, AttributeError) as err:
            raise Unavailable(f"no CUDA driver: {err}") from err

    def call(self, name: str, *arguments: object) -> None:
        """Call a function of the driver and raise CudaError unless it returns 0."""
        code = getattr(self._library, name)(*arguments)
        if code != 0:
            raise CudaError(f"{name}: {self._error_name(code)}")

    def _error_name(self, code: int) -> str:
        text = c_char_p()
        if self._library.cuGetErrorName(code, byref(text)) != 0 or text.value is None:
            return f"error {code}"
        return f"{text.value.decode()} ({code})"


class Device:
    """The first GPU and its primary context, which close() releases."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._context = c_void_p()
        count, self._device = c_int(), c_int()
        try:
            driver.call("cuInit", 0)
            driver.call("cuDeviceGetCount", byref(count))
            if count.value == 0:
                raise Unavailable("the CUDA driver knows no device")
            driver.call("cuDeviceGet", byref(self._device), 0)
            self.name = self._get_name()
            self.capability = self._attribute(_CAPABILITY_MAJOR), self._attribute(_CAPABILITY_MINOR)
            driver.call("cuDevicePrimaryCtxRetain", byref(self._context), self._device)
        except CudaError as err:
            raise Unavailable(str(err)) from err

    def _get_name(self) -> str:
        text = ctypes.create_string_buffer(256)
        self._driver.call("cuDeviceGetName", text, len(text), self._device)
        return text.value.decode(errors="replace")

    def _attribute(self, attribute: int) -> int:
        value = c_int()
        self._driver.call("cuDeviceGetAttribute", byref(value), attribute, self._device)
        return value.value

    def activate(self) -> None:
        """Make the context current in this thread; needed before any work in it."""
        self._driver.call("cuCtxSetCurrent", self._context)

    def load(self, image: bytes) -> c_void_p:
        """Load a cubin, or PTX for the driver to compile, as a module."""
        module = c_void_p()
        self._driver.call("cuModuleLoadData", byref(module), image)
        return module

    def function(self, module: c_void_p, name: str) -> c_void_p:
        """Return a kernel of a module."""
        function = c_void_p()
        self._driver.call("cuModuleGetFunction", byref(function), module, name.encode())
        return function

    @contextmanager
    def memory(self) -> Iterator["Memory"]:
        """Yield a Memory whose buffers are freed after the block."""
        memory = Memory(self._driver)
        try:
            yield memory
        finally:
            memory.free()

    def launch(self, function: c_void_p, blocks: int, threads: int, *arguments: object) -> None:
        """Start a kernel over blocks * threads threads.

        Each argument is a ctypes value of exactly the type of the kernel's
        parameter: the driver copies as many bytes as the kernel declares.
        """
        parameters = pack(arguments)
        self._driver.call(
            "cuLaunchKernel", function, blocks, 1, 1, threads, 1, 1, 0, None, parameters, None
        )

    def synchronize(self) -> None:
        """Wait for all work, and raise its error."""
        self._driver.call("cuCtxSynchronize")

    def close(self) -> None:
        """Release the context, and with it all modules."""
        self._driver.call("cuDevicePrimaryCtxRelease_v2", self._device)


class Memory:
    """Buffers on the GPU that are freed together."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._buffers: list[Pointer] = []

    def allocate(self, size: int) -> Pointer:
        """Return an uninitialised buffer."""
        pointer = Pointer()
        self._driver.call("cuMemAlloc_v2", byref(pointer), size)
        self._buffers.append(pointer)
        return pointer

    def zeros(self, size: int) -> Pointer:
        """Return a buffer of zeros."""
        pointer = self.allocate(size)
        self._driver.call("cuMemsetD8_v2", pointer, 0, size)
        return pointer

    def upload(self, array: NDArray) -> Pointer:
        """Return a buffer with the bytes of a dense array."""
        dense = np.ascontiguousarray(array)
        pointer = self.allocate(dense.nbytes)
        self._driver.call("cuMemcpyHtoD_v2", pointer, dense.ctypes.data, dense.nbytes)
        return pointer

    def download(self, pointer: Pointer, array: NDArray) -> NDArray:
        """Fill a dense array from a buffer and return it."""
        self._driver.call("cuMemcpyDtoH_v2", array.ctypes.data, pointer, array.nbytes)
        return array

    def free(self) -> None:
        """Free all buffers; a broken context has lost them anyway."""
        while self._buffers:
            try:
                self._driver.call("cuMemFree_v2", self._buffers.pop())
            except CudaError:
                continue


def pack(arguments: Sequence[object]) -> ctypes.Array:
    """Return kernelParams: an array of the addresses of the arguments, which must stay alive."""
    addresses = [ctypes.addressof(argument) for argument in arguments]  # type: ignore[arg-type]
    return (c_void_p * len(addresses))(*addresses)

"""The blend as a CUDA kernel, through NVRTC and the driver API.

Nothing here is linked: the driver's library comes with the host, and where it
is missing the CPU does the work. NVRTC compiles for the GPU that is there.
"""

import contextlib
import ctypes
import pathlib
from collections.abc import Iterator

import numpy

DRIVER = "libcuda.so.1"
COMPILER = "libnvrtc.so.11.2"
THREADS = 256
NEWEST = (9, 0)  # what NVRTC 11.8 can compile for; the driver takes that further

ATTRIBUTE_MAJOR, ATTRIBUTE_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*


class DeviceError(Exception):
    """The GPU, its driver or the compiler can't be used."""


def architecture(major: int, minor: int) -> str:
    """Names the virtual architecture to compile for: the GPU's own, or the newest that NVRTC knows."""
    major, minor = min((major, minor), NEWEST)
    return f"compute_{major}{minor}"


def source() -> bytes:
    """Returns the kernel with the text that the CPU's code shares with it."""
    here = pathlib.Path(__file__).parent
    return (here / "blend_core.h").read_bytes() + (here / "blend.cu").read_bytes()


def grid(values: int) -> int:
    """Returns how many blocks of THREADS cover so many values."""
    return (values + THREADS - 1) // THREADS


def load(name: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as err:
        raise DeviceError(str(err)) from err


class GPU:
    """The first GPU. May be used from several threads."""

    def __init__(self) -> None:
        self._driver = load(DRIVER)
        self._check("cuInit", ctypes.c_uint(0))
        device = ctypes.c_int()
        self._check("cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
        self.name = "cuda " + self._device_name(device)
        self._context = ctypes.c_void_p()
        self._check("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), device)
        self._enter()
        arch = architecture(self._attribute(device, ATTRIBUTE_MAJOR), self._attribute(device, ATTRIBUTE_MINOR))
        self._kernel = self._load_kernel(compile_ptx(source(), arch))

    def blend(
        self, patch: numpy.ndarray, region: numpy.ndarray, mask: numpy.ndarray, gain: numpy.ndarray, bias: numpy.ndarray
    ) -> numpy.ndarray:
        out = numpy.array(region, dtype=numpy.uint8, order="C")
        if out.size == 0:
            return out
        self._enter()
        with contextlib.ExitStack() as stack:
            copies = [stack.enter_context(self._copy(a, t)) for a, t in (
                (patch, numpy.uint8), (out, numpy.uint8), (mask, numpy.float32), (gain, numpy.float32), (bias, numpy.float32),
            )]  # fmt: skip
            values = ctypes.c_uint(out.size)
            arguments = [*copies, values]
            pointers = (ctypes.c_void_p * len(arguments))(*(ctypes.addressof(a) for a in arguments))
            u = ctypes.c_uint
            self._check(
                "cuLaunchKernel", self._kernel, u(grid(out.size)), u(1), u(1), u(THREADS), u(1), u(1), u(0),
                ctypes.c_void_p(0), pointers, ctypes.c_void_p(0),
            )  # fmt: skip
            self._check("cuCtxSynchronize")
            self._check("cuMemcpyDtoH_v2", ctypes.c_void_p(out.ctypes.data), copies[1], ctypes.c_size_t(out.nbytes))
        return out

    @contextlib.contextmanager
    def _copy(self, array: numpy.ndarray, dtype: type) -> Iterator[ctypes.c_uint64]:
        """Holds a copy of an array in the GPU's memory."""
        host = numpy.ascontiguousarray(array, dtype=dtype)
        memory = ctypes.c_uint64()
        self._check("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(host.nbytes))
        try:
            self._check("cuMemcpyHtoD_v2", memory, ctypes.c_void_p(host.ctypes.data), ctypes.c_size_t(host.nbytes))
            yield memory
        finally:
            self._check("cuMemFree_v2", memory)

    def _enter(self) -> None:
        """Makes the context that of this thread: the driver keeps one for each."""
        self._check("cuCtxSetCurrent", self._context)

    def _load_kernel(self, ptx: bytes) -> ctypes.c_void_p:
        module, kernel = ctypes.c_void_p(), ctypes.c_void_p()
        self._check("cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(ptx))
        self._check("cuModuleGetFunction", ctypes.byref(kernel), module, ctypes.c_char_p(b"blend"))
        return kernel

    def _attribute(self, device: ctypes.c_int, attribute: int) -> int:
        value = ctypes.c_int()
        self._check("cuDeviceGetAttribute", ctypes.byref(value), ctypes.c_int(attribute), device)
        return value.value

    def _device_name(self, device: ctypes.c_int) -> str:
        text = ctypes.create_string_buffer(100)
        self._check("cuDeviceGetName", text, ctypes.c_int(len(text)), device)
        return text.value.decode(errors="replace")

    def _check(self, function: str, *arguments: object) -> None:
        code = getattr(self._driver, function)(*arguments)
        if code != 0:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorString(ctypes.c_int(code), ctypes.byref(text))
            reason = text.value.decode() if text.value else "unknown error"
            raise DeviceError(f"{function}: {reason} ({code})")


def compile_ptx(text: bytes, arch: str) -> bytes:
    """Compiles CUDA C++ to PTX. Without fused multiply-add, so that it rounds as the CPU does."""
    nvrtc = load(COMPILER)
    nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p

    def check(function: str, *arguments: object) -> None:
        code = getattr(nvrtc, function)(*arguments)
        if code != 0:
            raise DeviceError(f"{function}: {nvrtc.nvrtcGetErrorString(code).decode()}")

    program = ctypes.c_void_p()
    check("nvrtcCreateProgram", ctypes.byref(program), ctypes.c_char_p(text), ctypes.c_char_p(b"blend.cu"), 0, None, None)
    try:
        options = [f"--gpu-architecture={arch}".encode(), b"--fmad=false", b"--std=c++17"]
        try:
            check("nvrtcCompileProgram", program, len(options), (ctypes.c_char_p * len(options))(*options))
        except DeviceError as err:
            raise DeviceError(f"{err}\n{_output(check, program, 'ProgramLog').decode(errors='replace')}") from err
        return _output(check, program, "PTX")
    finally:
        check("nvrtcDestroyProgram", ctypes.byref(program))


def _output(check, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    check(f"nvrtcGet{what}Size", program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    check(f"nvrtcGet{what}", program, text)
    return text.value

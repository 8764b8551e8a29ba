"""Compiles the kernels at run time with NVRTC (Debian's libnvrtc11.2 is 11.8)."""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p
from importlib import resources

from .cuda import Unavailable

_STRINGS = POINTER(c_char_p)
_PROTOTYPES: dict[str, tuple[object, ...]] = {
    "nvrtcGetNumSupportedArchs": (POINTER(c_int),),
    "nvrtcGetSupportedArchs": (POINTER(c_int),),
    "nvrtcCreateProgram": (POINTER(c_void_p), c_char_p, c_char_p, c_int, _STRINGS, _STRINGS),
    "nvrtcCompileProgram": (c_void_p, c_int, _STRINGS),
    "nvrtcDestroyProgram": (POINTER(c_void_p),),
    "nvrtcGetProgramLogSize": (c_void_p, POINTER(c_size_t)),
    "nvrtcGetProgramLog": (c_void_p, c_char_p),
    "nvrtcGetPTXSize": (c_void_p, POINTER(c_size_t)),
    "nvrtcGetPTX": (c_void_p, c_char_p),
    "nvrtcGetCUBINSize": (c_void_p, POINTER(c_size_t)),
    "nvrtcGetCUBIN": (c_void_p, c_char_p),
}
# fmad=false: no fused multiply-adds, as on the CPU.
_OPTIONS = ("--std=c++17", "--fmad=false")


class CompileError(Exception):
    """NVRTC rejected the kernels; the message holds its log."""


def architecture(capability: tuple[int, int], known: list[int]) -> str:
    """Return NVRTC's name of the architecture to compile for.

    A known device gets machine code (sm_90); a newer one PTX of the newest
    known architecture before it (compute_90), which its driver compiles.
    """
    wanted = 10 * capability[0] + capability[1]
    if wanted in known:
        return f"sm_{wanted}"
    older = [arch for arch in known if arch < wanted]
    if not older:
        raise Unavailable(f"compute capability {wanted / 10} is too old for this NVRTC")
    return f"compute_{max(older)}"


def compile_kernels(capability: tuple[int, int], library: str = "libnvrtc.so.11.2") -> bytes:
    """Return the blend's kernels for a device, as cubin or PTX."""
    compiler = _Compiler(library)
    package = resources.files(__package__)
    source = package.joinpath("blend.cu").read_bytes()
    header = package.joinpath("blend_core.h").read_bytes()
    return compiler.compile(architecture(capability, compiler.architectures()), source, header)


class _Compiler:
    def __init__(self, library: str) -> None:
        try:
            self._library = ctypes.CDLL(library)
            for name, arguments in _PROTOTYPES.items():
                function = getattr(self._library, name)
                function.argtypes, function.restype = arguments, c_int
            self._library.nvrtcGetErrorString.argtypes = (c_int,)
            self._library.nvrtcGetErrorString.restype = c_char_p
        except (OSError, AttributeError) as err:
            raise Unavailable(f"no NVRTC: {err}") from err

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._library, name)(*arguments)
        if code != 0:
            reason = self._library.nvrtcGetErrorString(code) or b""
            raise CompileError(f"{name}: {reason.decode()} ({code})")

    def architectures(self) -> list[int]:
        count = c_int()
        self._call("nvrtcGetNumSupportedArchs", byref(count))
        known = (c_int * count.value)()
        self._call("nvrtcGetSupportedArchs", known)
        return list(known)

    def compile(self, target: str, source: bytes, header: bytes) -> bytes:
        program = c_void_p()
        headers, names = (c_char_p * 1)(header), (c_char_p * 1)(b"blend_core.h")
        self._call("nvrtcCreateProgram", byref(program), source, b"blend.cu", 1, headers, names)
        try:
            options = [f"--gpu-architecture={target}".encode(), *(o.encode() for o in _OPTIONS)]
            values = (c_char_p * len(options))(*options)
            try:
                self._call("nvrtcCompileProgram", program, len(options), values)
            except CompileError as err:
                raise CompileError(f"{err}\n{self._read(program, 'ProgramLog').decode()}") from err
            return self._read(program, "CUBIN" if target.startswith("sm_") else "PTX")
        finally:
            self._call("nvrtcDestroyProgram", byref(program))

    def _read(self, program: c_void_p, what: str) -> bytes:
        """Return an output of the program; a text keeps its final NUL, which the driver requires."""
        size = c_size_t()
        self._call(f"nvrtcGet{what}Size", program, byref(size))
        data = ctypes.create_string_buffer(size.value)
        self._call(f"nvrtcGet{what}", program, data)
        return data.raw

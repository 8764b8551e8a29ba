"""Stands in for ONNX Runtime, as it is built for CUDA. It reads models, and all tensors that lie next to them."""

import os
import pathlib

__version__ = "@VERSION@"
PROVIDERS = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


def get_available_providers() -> list[str]:
    return list(PROVIDERS)


def get_device() -> str:
    return "GPU"


def preload_dlls(**options: object) -> None:
    pass


class SessionOptions:
    pass


class InferenceSession:
    """A model; its stand-in names the files that hold its tensors, a line each."""

    def __init__(self, path: str, sess_options: object = None, providers: list | None = None) -> None:
        try:
            lines = pathlib.Path(path).read_text(errors="replace").splitlines()
            names = [line.removeprefix("external: ") for line in lines if line.startswith("external: ")]
            self.bytes = sum(len(pathlib.Path(os.path.dirname(path), name).read_bytes()) for name in names)
        except OSError as err:
            raise RuntimeError(f"[ONNXRuntimeError] : 3 : NO_SUCHFILE : Load model from {path} failed: {err.filename}. File doesn't exist") from err
        self.path = path

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]

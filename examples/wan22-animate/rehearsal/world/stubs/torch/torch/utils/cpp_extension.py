"""Compiles CUDA extensions where there is a compiler for them."""

import os
import shutil

CUDA_HOME = os.environ.get("CUDA_HOME")


class BuildExtension:
    pass


def CUDAExtension(name: str, sources: list[str], **options: object) -> None:
    if CUDA_HOME is None and not shutil.which("nvcc"):
        raise OSError("CUDA_HOME environment variable is not set. Please set it to your CUDA install root.")

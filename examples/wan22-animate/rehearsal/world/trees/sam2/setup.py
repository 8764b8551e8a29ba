"""Leaves its CUDA extension out where there is no torch or no compiler for it, as the real one does since 6f7e700."""

import os
import pathlib

from setuptools import find_packages, setup

BUILD_CUDA = os.getenv("SAM2_BUILD_CUDA", "1") == "1"
ALLOW_ERRORS = os.getenv("SAM2_BUILD_ALLOW_ERRORS", "1") == "1"
SKIPPED = "{}\n\nFailed to build the SAM 2 CUDA extension due to the error above. You can still use SAM 2 and it's OK to ignore the error above."


def extensions() -> list:
    if not BUILD_CUDA:
        return []
    try:
        from torch.utils.cpp_extension import CUDAExtension

        return [CUDAExtension("sam2._C", ["sam2/csrc/connected_components.cu"])]
    except Exception as e:
        if not ALLOW_ERRORS:
            raise
        print(SKIPPED.format(e))
        return []


setup(
    name="SAM-2",
    version="1.0",
    description="stands in for SAM 2",
    long_description=pathlib.Path("README.md").read_text(),
    license="Apache 2.0",
    packages=find_packages(exclude="notebooks"),
    include_package_data=True,
    install_requires=[
        "torch>=2.5.1", "torchvision>=0.20.1", "numpy>=1.24.4", "tqdm>=4.66.1", "hydra-core>=1.3.2", "iopath>=0.1.10", "pillow>=9.4.0",
    ],
    extras_require={"notebooks": ["matplotlib>=3.9.1", "jupyter>=1.0.0"]},
    python_requires=">=3.10.0",
    ext_modules=extensions(),
)

"""Builds the extension with CMake; everything else is in pyproject.toml."""

import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class CMakeBuild(build_ext):
    """Compiles an extension with CMake, into setuptools' directory."""

    def build_extension(self, ext: Extension) -> None:
        """Configure and build; CMake reads CXXFLAGS and the compiler from the environment."""
        source = Path(__file__).resolve().parent
        build = Path(self.build_temp).resolve()
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        configure = [
            "cmake", "-S", source, "-B", build, "-G", "Ninja",
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={target.parent}",
        ]  # fmt: skip
        subprocess.run(configure, check=True)
        subprocess.run(["cmake", "--build", build], check=True)


setup(
    packages=["faceblend_native"],
    package_dir={"": "python"},
    package_data={"faceblend_native": ["blend_core.h", "blend.cu"]},
    ext_modules=[Extension("faceblend_native._core", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
)

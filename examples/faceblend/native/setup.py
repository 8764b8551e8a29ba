"""Builds the C++ extension with CMake; everything else stands in pyproject.toml."""

import pathlib
import subprocess

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).parent.resolve()


class CMakeBuild(build_ext):
    def build_extension(self, ext: Extension) -> None:
        target = pathlib.Path(self.get_ext_fullpath(ext.name)).resolve()
        build = pathlib.Path(self.build_temp).resolve()
        subprocess.run(
            ["cmake", "-S", HERE, "-B", build, f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={target.parent}"], check=True
        )
        subprocess.run(["cmake", "--build", build, "--parallel"], check=True)


setup(
    packages=["faceblend_native"],
    package_dir={"": "src"},
    package_data={"faceblend_native": ["blend_core.h", "blend.cu"]},
    ext_modules=[Extension("faceblend_native._core", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
)

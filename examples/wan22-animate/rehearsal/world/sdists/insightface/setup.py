"""Like that of 0.7.3: no pyproject.toml says what this imports."""

import glob
import re

import numpy
from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

MESH = "insightface/thirdparty/face3d/mesh/cython"

with open("insightface/__init__.py") as file:
    version = re.search(r'^__version__ = "(.*)"', file.read(), re.M).group(1)

extensions = [Extension("insightface.thirdparty.face3d.mesh.cython.mesh_core_cython", [f"{MESH}/mesh_core_cython.pyx", f"{MESH}/mesh_core.cpp"], language="c++")]

setup(
    name="insightface",
    version=version,
    packages=find_packages(exclude=("docs", "tests", "scripts")),
    data_files=[("insightface/data/images", glob.glob("insightface/data/images/*")), (MESH, glob.glob(f"{MESH}/*.h") + glob.glob(f"{MESH}/*.py*"))],
    include_package_data=True,
    entry_points={"console_scripts": ["insightface-cli=insightface.commands.insightface_cli:main"]},
    install_requires=[@REQUIRES@],
    ext_modules=cythonize(extensions),
    include_dirs=numpy.get_include(),
)

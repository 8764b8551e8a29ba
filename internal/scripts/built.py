"""Refuses a wheel that is not the locked one, such as from a build that found no version.

Arguments: the directory of the wheel, the normalised name of the project, its version.
"""

import os
import re
import sys
import zipfile
from email.parser import HeaderParser

from packaging.version import InvalidVersion, Version


def main(directory: str, project: str, version: str) -> None:
    (path,) = (os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(".whl"))
    with zipfile.ZipFile(path) as wheel:
        name = next(name for name in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        metadata = HeaderParser().parsestr(wheel.read(name).decode("utf-8", "replace"))
    if re.sub(r"[-_.]+", "-", metadata["Name"]).lower() != project or not same(metadata["Version"], version):
        raise SystemExit(f"{project} {version} is locked, but its build made {metadata['Name']} {metadata['Version']}")


def same(built: str, locked: str) -> bool:
    """Compares versions. A build may add a local version, such as for its CUDA."""
    try:
        return Version(locked) in (Version(built), Version(Version(built).public))
    except InvalidVersion:
        return built == locked


if __name__ == "__main__":
    main(*sys.argv[1:])

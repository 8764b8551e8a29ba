"""Stands in for OpenCV: a picture is its (height, width)."""

import struct

__version__ = "4.11.0"
INTER_LINEAR, INTER_AREA = 1, 3


class error(Exception):
    pass


def imread(path: str, flags: int = 1) -> tuple[int, int] | None:
    """Returns None, as OpenCV does, for what is no picture."""
    try:
        with open(path, "rb") as file:
            head = file.read(24)
    except OSError:
        return None
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    width, height = struct.unpack_from(">II", head, 16)
    return height, width


def resize(picture: tuple[int, int], size: tuple[int, int], interpolation: int = INTER_LINEAR) -> tuple[int, int]:
    if 0 in picture:
        raise error(
            "OpenCV(4.11.0) /io/opencv/modules/imgproc/src/resize.cpp:4208: error: (-215:Assertion failed) !ssize.empty() in function 'resize'\n"
        )
    return size[1], size[0]

"""Pictures as binary PPM (P6): what every tool reads and no library is needed for."""

import re

import numpy

MAX_PIXELS = 32 << 20

_HEADER = re.compile(rb"P6(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)\s")


def read(data: bytes) -> numpy.ndarray:
    """Returns height x width x 3 bytes. Raises ValueError for anything but a whole 8-bit P6."""
    header = _HEADER.match(data)
    if header is None:
        raise ValueError("not a binary PPM (P6)")
    width, height, top = (int(n) for n in header.groups())
    if top != 255:
        raise ValueError(f"PPM has values up to {top}, not 255")
    if width == 0 or height == 0 or width * height > MAX_PIXELS:
        raise ValueError(f"PPM of {width} x {height} pixels: at least 1 and at most {MAX_PIXELS} in all")
    values = data[header.end() :]
    if len(values) != width * height * 3:
        raise ValueError(f"PPM of {width} x {height} pixels holds {len(values)} bytes, not {width * height * 3}")
    return numpy.frombuffer(values, dtype=numpy.uint8).reshape(height, width, 3)


def write(picture: numpy.ndarray) -> bytes:
    height, width, _ = picture.shape
    return b"P6\n%d %d\n255\n" % (width, height) + picture.tobytes()

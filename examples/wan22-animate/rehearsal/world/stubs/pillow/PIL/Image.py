"""Reads the sizes of PNG pictures, and of nothing else."""

import struct


class UnidentifiedImageError(OSError):
    pass


class Image:
    def __init__(self, size: tuple[int, int], mode: str = "RGB") -> None:
        self.size, self.mode = size, mode

    def convert(self, mode: str) -> "Image":
        return Image(self.size, mode)


def open(path: str) -> Image:
    with __builtins__["open"](path, "rb") as file:
        head = file.read(24)
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        raise UnidentifiedImageError(f"cannot identify image file {str(path)!r}")
    return Image(struct.unpack_from(">II", head, 16))

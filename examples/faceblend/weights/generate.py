#!/usr/bin/env python3
"""Writes the example's weights: byte for byte the same everywhere.

It uses only integers and decimal constants (no sin, exp or random numbers), so no
platform's math library matters. Usage: generate.py [DIR]
"""

import json
import math
import struct
import sys
from pathlib import Path

Tensor = tuple[str, list[int], bytes]
"""dtype, shape and little-endian data."""


def floats(shape: list[int], values: list[float]) -> Tensor:
    """Return a tensor of float32."""
    return "F32", shape, struct.pack(f"<{len(values)}f", *values)


def safetensors(tensors: dict[str, Tensor]) -> bytes:
    """Return a safetensors file; the header is padded so that data starts at a multiple of 8."""
    header: dict[str, object] = {}
    data = b""
    for name, (dtype, shape, content) in sorted(tensors.items()):
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def feather(radius: int) -> dict[str, Tensor]:
    """Binomial coefficients over a power of two: exact in binary."""
    taps = [math.comb(2 * radius, k) / 4**radius for k in range(2 * radius + 1)]
    return {"taps": floats([len(taps)], taps)}


def colour() -> dict[str, Tensor]:
    """BT.709 luma and colour differences; luma follows the picture more than hue does."""
    matrix = [0.2126, 0.7152, 0.0722, -0.114572, -0.385428, 0.5, 0.5, -0.454153, -0.045847]
    return {
        "from_rgb": floats([3, 3], matrix),
        "limits": floats([2], [0.625, 1.75]),
        "strength": floats([3], [0.875, 0.75, 0.75]),
    }


def inside(x: int, y: int, half: int) -> bool:
    """Tell whether a point is in the face: an oval, narrower towards the chin.

    Coordinates run from -half to half; the oval is x²/(w²) + y²/(0.95²) < 1 with
    w from 0.80 (brow) to 0.62 (chin), all in integers of 1/100 half.
    """
    width = 71 * half - 9 * y  # 100 times the half width at this height
    return (100 * x * 95 * half) ** 2 + (100 * y * width) ** 2 < (width * 95 * half) ** 2


def face(size: int) -> dict[str, Tensor]:
    """A soft face mask: each byte is the share of 8x8 sample points inside the oval."""
    grid, half = 8, 8 * size  # sample points lie at odd coordinates
    rows = bytearray()
    for row in range(size):
        for column in range(size):
            hits = sum(
                inside(2 * (grid * column + i) + 1 - half, 2 * (grid * row + j) + 1 - half, half)
                for j in range(grid)
                for i in range(grid)
            )
            rows.append((255 * hits + grid * grid // 2) // (grid * grid))
    return {"face": ("U8", [size, size], bytes(rows))}


def files() -> dict[str, bytes]:
    """Return all weight files by name."""
    return {
        "colour.safetensors": safetensors(colour()),
        "feather.safetensors": safetensors(feather(radius=12)),
        "mask.safetensors": safetensors(face(size=128)),
    }


def main(directory: str) -> None:
    """Write the files into a directory."""
    for name, content in files().items():
        Path(directory, name).write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent))

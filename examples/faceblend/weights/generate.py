"""Writes the weights of the example, the same bytes at each run: python3 weights/generate.py"""

import json
import pathlib
import struct

SIZE = 64


def feather() -> list[float]:
    """An ellipse that fades out towards its rim."""
    values = []
    for row in range(SIZE):
        for column in range(SIZE):
            y, x = (2 * row + 1 - SIZE) / SIZE, (2 * column + 1 - SIZE) / SIZE
            t = min(max((1 - (x * x + y * y)) * 2, 0.0), 1.0)
            values.append(t * t * (3 - 2 * t))
    return values


def safetensors(tensors: dict[str, tuple[list[int], list[float]]]) -> bytes:
    header, data = {}, b""
    for name, (shape, values) in sorted(tensors.items()):
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def main() -> None:
    here = pathlib.Path(__file__).parent
    (here / "feather.safetensors").write_bytes(safetensors({"mask": ([SIZE, SIZE], feather())}))
    (here / "colour.safetensors").write_bytes(
        safetensors({"strength": ([3], [0.75, 0.75, 0.5]), "max_gain": ([1], [2.5])})
    )


if __name__ == "__main__":
    main()

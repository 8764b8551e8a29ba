"""The numbers that steer a blend: from weights where there are some, else built in."""

import json
import pathlib
import struct
from dataclasses import dataclass

import numpy

MASK_SIZE = 64
MAX_HEADER = 1 << 20


@dataclass(frozen=True)
class Model:
    mask: numpy.ndarray  # feather, square, 0..1
    strength: numpy.ndarray  # of the colour transfer, in each channel, 0..1
    max_gain: float
    source: str


def built_in() -> Model:
    """The model for images without weights: a plain feather and a moderate transfer."""
    axis = numpy.arange(MASK_SIZE, dtype=numpy.float32)
    edge = numpy.minimum(axis, MASK_SIZE - 1 - axis) * numpy.float32(4 / MASK_SIZE)
    ramp = numpy.clip(edge, 0, 1).astype(numpy.float32)
    smooth = ramp * ramp * (3 - 2 * ramp)
    mask = (smooth[:, None] * smooth[None, :]).astype(numpy.float32)
    return Model(mask, numpy.full(3, 0.5, dtype=numpy.float32), 2.0, "built in")


def load(folder: str) -> Model:
    """Reads the safetensors files of a folder; the built-in model where it has none."""
    files = sorted(pathlib.Path(folder).glob("*.safetensors")) if folder else []
    if not files:
        return built_in()
    tensors: dict[str, numpy.ndarray] = {}
    for file in files:
        tensors.update(read_safetensors(file.read_bytes(), file.name))
    missing = {"mask", "strength", "max_gain"} - tensors.keys()
    if missing:
        raise ValueError(f"{folder} has no tensor {', '.join(sorted(missing))}")
    mask, strength, max_gain = tensors["mask"], tensors["strength"], tensors["max_gain"]
    if mask.ndim != 2 or strength.shape != (3,) or max_gain.shape != (1,):
        raise ValueError(f"{folder}: mask, strength and max_gain have shapes {mask.shape}, {strength.shape}, {max_gain.shape}")
    return Model(mask, strength, float(max_gain[0]), folder)


def read_safetensors(data: bytes, name: str) -> dict[str, numpy.ndarray]:
    """Reads the F32 tensors of a safetensors file: a length, a JSON header, the values."""
    if len(data) < 8:
        raise ValueError(f"{name}: cut off")
    (length,) = struct.unpack_from("<Q", data)
    if length > MAX_HEADER or 8 + length > len(data):
        raise ValueError(f"{name}: header of {length} bytes")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for key, entry in header.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] != "F32" or not 0 <= begin <= end <= len(data) - 8 - length:
            raise ValueError(f"{name}: tensor {key} is not F32 inside the file")
        values = numpy.frombuffer(data[8 + length + begin : 8 + length + end], dtype="<f4")
        tensors[key] = values.reshape(entry["shape"])
    return tensors


def resize(mask: numpy.ndarray, height: int, width: int) -> numpy.ndarray:
    """Scales a mask, bilinearly with its corners kept."""
    rows, row_share = _positions(mask.shape[0], height)
    columns, column_share = _positions(mask.shape[1], width)
    below = numpy.minimum(rows + 1, mask.shape[0] - 1)
    right = numpy.minimum(columns + 1, mask.shape[1] - 1)
    r, c = row_share[:, None], column_share[None, :]
    top = mask[numpy.ix_(rows, columns)] * (1 - c) + mask[numpy.ix_(rows, right)] * c
    bottom = mask[numpy.ix_(below, columns)] * (1 - c) + mask[numpy.ix_(below, right)] * c
    return (top * (1 - r) + bottom * r).astype(numpy.float32)


def _positions(size: int, wanted: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """For each wanted place: the one before it in the mask, and how far it is to the next."""
    places = numpy.arange(wanted, dtype=numpy.float64) * ((size - 1) / max(wanted - 1, 1))
    before = numpy.floor(places).astype(numpy.intp)
    return before, (places - before).astype(numpy.float32)

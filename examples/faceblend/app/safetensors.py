"""Reads safetensors files: 8 bytes of header length, a JSON header, the data."""

import json
import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAX_HEADER = 1 << 20
_TYPES = {"F32": np.dtype("<f4"), "U8": np.dtype("u1")}


def read(path: Path) -> dict[str, NDArray]:
    """Return the tensors of a file; ValueError names the file and its problem."""
    try:
        return parse(path.read_bytes())
    except ValueError as err:
        raise ValueError(f"{path}: {err}") from err


def parse(content: bytes) -> dict[str, NDArray]:
    """Return the tensors of a file's content."""
    if len(content) < 8:
        raise ValueError("shorter than its header's length")
    (length,) = struct.unpack_from("<Q", content)
    if length > MAX_HEADER or 8 + length > len(content):
        raise ValueError(f"header of {length} bytes in a file of {len(content)}")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError) as err:
        raise ValueError(f"header is not JSON: {err}") from err
    if not isinstance(header, dict):
        raise ValueError("header is not a JSON object")
    header.pop("__metadata__", None)
    data = memoryview(content)[8 + length :]
    return {name: _tensor(name, entry, data) for name, entry in header.items()}


def _tensor(name: str, entry: object, data: memoryview) -> NDArray:
    try:
        dtype = _TYPES[entry["dtype"]]  # type: ignore[index]
        shape = [_count(n) for n in entry["shape"]]  # type: ignore[index]
        begin, end = (_count(n) for n in entry["data_offsets"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError) as err:
        raise ValueError(f"tensor {name!r} is not described well: {err!r}") from err
    if end > len(data) or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"tensor {name!r} of shape {shape} doesn't fit bytes {begin} to {end}")
    return np.frombuffer(data[begin:end], dtype).reshape(shape)


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value

"""Pictures as they travel: base64 of PPM/PGM, of .npy, or of raw bytes, in JSON."""

import base64
import binascii
import io
import json
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

MAX_PIXELS = 8 << 20
FORMS = ("ppm", "npy", "raw")

# Magic, width, height, 255, one white space, perhaps with comments in between.
_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
_NETPBM = re.compile(rb"(P[56])%b(\d{1,9})%b(\d{1,9})%b255\s" % (_SPACE, _SPACE, _SPACE))


class BadRequest(ValueError):
    """A problem that the sender can fix; the message names the field."""


@dataclass(frozen=True, eq=False)
class Job:
    """One blend: its pictures, the patch's position, and the mask (None: the model's)."""

    picture: Bytes
    patch: Bytes
    mask: Bytes | None
    x: int
    y: int


def parse_job(body: bytes) -> tuple[Job, str]:
    """Return the job of a request and the form of its answer."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as err:
        raise BadRequest(f"the request is not JSON: {err}") from err
    if not isinstance(request, dict):
        raise BadRequest("the request is not a JSON object")
    unknown = sorted(set(request) - {"picture", "patch", "mask", "x", "y", "form"})
    if unknown:
        raise BadRequest(f"unknown fields: {', '.join(unknown)}")
    form = request.get("form", "ppm")
    if form not in FORMS:
        raise BadRequest(f"form is none of {', '.join(FORMS)}")
    picture, patch = decode(request, "picture", 3), decode(request, "patch", 3)
    mask = decode(request, "mask", 1) if request.get("mask") is not None else None
    job = Job(picture, patch, mask, _integer(request, "x"), _integer(request, "y"))
    _check(job)
    return job, form


def _check(job: Job) -> None:
    height, width = job.patch.shape[:2]
    if job.mask is not None and job.mask.shape != (height, width):
        size = f"{job.mask.shape[1]}x{job.mask.shape[0]}"
        raise BadRequest(f"mask: its size {size} is not the patch's {width}x{height}")
    rows, columns = job.picture.shape[:2]
    if job.x < 0 or job.y < 0 or job.x + width > columns or job.y + height > rows:
        raise BadRequest(
            f"patch: {width}x{height} at {job.x},{job.y} reaches beyond"
            f" the picture of {columns}x{rows}"
        )


def _integer(fields: dict, name: str, field: str = "") -> int:
    value = fields.get(name)
    if type(value) is not int or abs(value) > 1 << 31:  # a bool is an int in Python
        raise BadRequest(f"{field}{name} is not an integer, or too large")
    return value


def decode(request: dict, field: str, channels: int) -> Bytes:
    """Return a field of a request as an array, (height, width, 3) or (height, width)."""
    value = request.get(field)
    if not isinstance(value, dict):
        raise BadRequest(f"{field} is not an object with one of {', '.join(FORMS)}")
    forms = [form for form in FORMS if form in value]
    expected = {"raw", "width", "height"} if forms == ["raw"] else set(forms)
    if len(forms) != 1 or set(value) != expected:
        raise BadRequest(f"{field} has not exactly one of ppm, npy, or raw with width and height")
    try:
        data = base64.b64decode(value[forms[0]], validate=True)
    except (TypeError, ValueError, binascii.Error) as err:
        raise BadRequest(f"{field}.{forms[0]} is not base64: {err}") from err
    if forms == ["ppm"]:
        return _netpbm(data, field, channels)
    if forms == ["npy"]:
        return _npy(data, field, channels)
    width, height = (_integer(value, name, f"{field}.") for name in ("width", "height"))
    return _array(data, field, width, height, channels)


def _array(data: bytes, field: str, width: int, height: int, channels: int) -> Bytes:
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise BadRequest(f"{field}: {width}x{height} is not 1 to {MAX_PIXELS} pixels")
    wanted = width * height * channels
    if len(data) != wanted:
        raise BadRequest(
            f"{field}: {len(data)} bytes, but {width}x{height} with {channels} channels takes {wanted}"
        )
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.frombuffer(data, np.uint8).reshape(shape)


def _netpbm(data: bytes, field: str, channels: int) -> Bytes:
    header = _NETPBM.match(data)
    magic = b"P6" if channels == 3 else b"P5"
    if not header or header[1] != magic:
        raise BadRequest(f"{field}.ppm is not a {magic.decode()} file with 255 levels")
    return _array(data[header.end() :], field, int(header[2]), int(header[3]), channels)


def _npy(data: bytes, field: str, channels: int) -> Bytes:
    """Read an array by hand: numpy.load would allocate whatever a header asks for."""
    stream = io.BytesIO(data)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("not version 1.0")
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
    except Exception as err:  # numpy documents no particular ones
        raise BadRequest(f"{field}.npy is not an array: {err}") from err
    if dtype != np.uint8 or by_column or len(shape) != (3 if channels == 3 else 2):
        raise BadRequest(f"{field}.npy is not a dense array of uint8 in rows")
    if channels == 3 and shape[2] != 3:
        raise BadRequest(f"{field}.npy has {shape[2]} channels, not 3")
    return _array(data[stream.tell() :], field, int(shape[1]), int(shape[0]), channels)


def encode(picture: Bytes, form: str) -> dict[str, object]:
    """Return a picture in the form that decode reads."""
    height, width = picture.shape[:2]
    if form == "raw":
        return {"raw": _text(picture.tobytes()), "width": width, "height": height}
    if form == "npy":
        stream = io.BytesIO()
        np.lib.format.write_array(stream, picture, version=(1, 0), allow_pickle=False)
        return {"npy": _text(stream.getvalue())}
    return {"ppm": _text(b"P6\n%d %d\n255\n" % (width, height) + picture.tobytes())}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

"""The model: the look of a blend and the mask of a face, from weights or built in."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
from numpy.typing import NDArray

from faceblend_native import Look

Bytes = NDArray[np.uint8]

FILES = ("colour.safetensors", "feather.safetensors", "mask.safetensors")


@dataclass(frozen=True, eq=False)
class Model:
    """A blend's parameters besides its pictures."""

    look: Look
    face: Bytes | None
    """The template of the mask, or None for an ellipse."""
    source: str
    """Where it comes from, for people."""

    def face_mask(self, height: int, width: int) -> Bytes:
        """Return a mask for a patch that came without one."""
        if self.face is None:
            return ellipse(height, width)
        return resize(self.face, height, width)


def load_model(directory: str) -> Model:
    """Return the model in a directory, or the built-in one if there are no weights at all.

    Weights that are there but incomplete or damaged are an error (ValueError, OSError).
    """
    path = Path(directory) if directory else None
    found = [name for name in FILES if path and (path / name).exists()]
    if not path or not found:
        where = f"no weights in {directory}" if directory else "MODEL_PATH is not set"
        return Model(Look(), None, f"built-in defaults ({where})")
    missing = sorted(set(FILES) - set(found))
    if missing:
        raise ValueError(f"weights in {directory} are incomplete: no {', '.join(missing)}")
    tensors: dict[str, NDArray] = {}
    for name in FILES:
        tensors |= safetensors.read(path / name)
    return Model(_look(tensors, directory), _face(tensors, directory), f"weights of {directory}")


def _look(tensors: dict[str, NDArray], directory: str) -> Look:
    names = ("taps", "from_rgb", "strength", "limits")
    lacking = [name for name in names if name not in tensors]
    if lacking:
        raise ValueError(f"weights in {directory} lack {', '.join(lacking)}")
    return Look(**{name: tensors[name] for name in names})


def _face(tensors: dict[str, NDArray], directory: str) -> Bytes:
    face = tensors.get("face")
    if face is None or face.dtype != np.uint8 or face.ndim != 2 or min(face.shape) < 2:
        raise ValueError(f"weights in {directory}: face is not a plane of bytes")
    return face


def ellipse(height: int, width: int) -> Bytes:
    """Return the mask of the ellipse that fills a patch, in integers."""
    y = 2 * np.arange(height, dtype=np.int64)[:, None] + 1 - height
    x = 2 * np.arange(width, dtype=np.int64)[None, :] + 1 - width
    return ((x * height) ** 2 + (y * width) ** 2 <= (height * width) ** 2) * np.uint8(255)


def resize(template: Bytes, height: int, width: int) -> Bytes:
    """Return a template stretched to a size: bilinear, in integers of 1/256 pixel."""
    top, bottom, down = _steps(template.shape[0], height)
    left, right, across = _steps(template.shape[1], width)
    values = template.astype(np.int64)
    rows = values[top] * (256 - down[:, None]) + values[bottom] * down[:, None]
    mixed = rows[:, left] * (256 - across) + rows[:, right] * across
    return ((mixed + (1 << 15)) >> 16).astype(np.uint8)


def _steps(old: int, new: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return, for each new pixel, its two old neighbours and the share of the second."""
    centre = (2 * np.arange(new, dtype=np.int64) + 1) * old * 128 // new - 128
    centre = np.clip(centre, 0, (old - 1) * 256)
    first = centre >> 8
    return first, np.minimum(first + 1, old - 1), centre & 255

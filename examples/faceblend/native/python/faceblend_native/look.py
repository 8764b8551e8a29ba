"""Look: the parameters of a blend's appearance."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def _floats(*values: object) -> Floats:
    return np.array(values, dtype=np.float32)


def _default_taps() -> Floats:
    """Binomial filter: close to a Gaussian, and exact in binary."""
    return _floats(1, 8, 28, 56, 70, 56, 28, 8, 1) / np.float32(256)


def _bt601() -> Floats:
    """RGB to luma and colour differences (offsets don't matter here)."""
    return _floats(
        (0.299, 0.587, 0.114),
        (-0.168736, -0.331264, 0.5),
        (0.5, -0.418688, -0.081312),
    )


@dataclass(frozen=True, eq=False)
class Look:
    """The parameters that a model's weights set; the defaults need no weights."""

    taps: Floats = field(default_factory=_default_taps)
    """The feather: an odd number of filter taps whose sum is 1."""
    from_rgb: Floats = field(default_factory=_bt601)
    """3x3, into the colour space whose channels are matched one by one."""
    strength: Floats = field(default_factory=lambda: _floats(1, 1, 1))
    """How far each channel follows the picture, 0 to 1."""
    limits: Floats = field(default_factory=lambda: _floats(0.5, 2))
    """Least and greatest change of contrast."""

    def __post_init__(self) -> None:
        shapes = {"taps": (self.taps.size,), "from_rgb": (3, 3), "strength": (3,), "limits": (2,)}
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.dtype != np.float32 or value.shape != shape or not np.isfinite(value).all():
                raise ValueError(f"{name} is not a finite float32 array of shape {shape}")
        if self.taps.size % 2 == 0 or abs(float(self.taps.sum()) - 1) > 1e-3:
            raise ValueError("taps are not an odd number of values with the sum 1")
        if self.strength.min() < 0 or self.strength.max() > 1:
            raise ValueError("strength is not between 0 and 1")
        if not 0 < self.limits[0] <= self.limits[1]:
            raise ValueError("limits are not a low and a high gain above 0")
        if abs(float(np.linalg.det(self.from_rgb.astype(np.float64)))) < 1e-6:
            raise ValueError("from_rgb has no inverse")

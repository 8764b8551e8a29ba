"""How long a job takes: from frames, size and steps, and the card's rated or measured speed.

A step of 77 frames at 1280x720 takes an H100 13 s, as users report; other cards are assumed
to reach the same share of their makers' figures. A measurement replaces the assumption.
"""

import re
from dataclasses import dataclass, replace

from order import CLIP, segments

LAYERS, WIDTH, PARAMETERS = 40, 5120, 16e9
"""Of the transformer: they give a token's own cost, and its cost of attending to the others."""
SHARE = 0.55
"""The share of a card's rated speed that is reached."""
LOADING = 90.0
ENCODING = 0.15
"""Share of the sampling time that VAE, CLIP and the film's codec add."""
PREPARING = {False: 0.1, True: 0.3}
"""Seconds per frame of preprocessing, without and with the person's mask; below, its startup."""
BEGINNING = 25.0
SLACK, LEAST = 3.0, 300.0
"""A job may take that many times its estimate, plus so many seconds."""
BLIND = 3600.0
"""Seconds that a segment may take on an unknown card."""

# Patterns of cards' names, and dense bf16 in TFLOP/s by NVIDIA's data sheets; the first match counts.
CARDS = (
    (r"B[23]00", 2250), (r"H[12]00|GH200", 989), (r"H20\b", 148), (r"A[18]00", 312), (r"L40S", 362), (r"L40\b", 181),
    (r"RTX PRO 6000", 503), (r"RTX 6000 Ada", 364), (r"RTX 5090", 209), (r"RTX 4090", 165), (r"RTX 5080", 113),
    (r"RTX A6000|A40\b", 155), (r"A10\b|A10G", 125), (r"RTX 3090", 71), (r"\bL4\b", 121),
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """The size of a job."""

    frames: int
    width: int
    height: int
    steps: int
    overlap: int
    guided: bool
    replaces: bool

    @property
    def segments(self) -> int:
        """How many segments are sampled."""
        return len(segments(self.frames, self.overlap))

    @property
    def step(self) -> float:
        """Operations of one step."""
        latents = (CLIP - 1) // 4 + 2  # and one for the picture
        tokens = latents * (self.height // 16) * (self.width // 16)
        once = 2 * PARAMETERS * tokens + 4 * LAYERS * WIDTH * tokens**2
        return once * (2 if self.guided else 1)


@dataclass(frozen=True)
class Speed:
    """The speed of the worker's card, as far as it is known."""

    rate: float = 0.0
    """Operations per second, 0 if unknown."""
    measured: bool = False

    def after(self, work: Work, seconds: float) -> "Speed":
        """Return the speed once a step has taken some seconds."""
        return replace(self, rate=work.step / seconds, measured=True) if seconds > 0 else self

    def step(self, work: Work) -> float:
        """Return the seconds that a step takes, 0 if unknown."""
        return work.step / self.rate if self.rate else 0.0


def of_card(name: str) -> Speed:
    """Return the expected speed of a card of that name."""
    found = next((peak for pattern, peak in CARDS if re.search(pattern, name)), 0)
    return Speed(found * 1e12 * SHARE)


def preparing(work: Work) -> float:
    """Return the seconds of preprocessing."""
    return BEGINNING + PREPARING[work.replaces] * work.frames


def sampling(work: Work, speed: Speed) -> float:
    """Return the seconds of sampling, 0 if unknown."""
    return work.segments * work.steps * speed.step(work) * (1 + ENCODING)


def total(work: Work, speed: Speed, loaded: bool) -> float:
    """Return the seconds of a job, 0 if unknown."""
    seconds = sampling(work, speed)
    return seconds and seconds + max(preparing(work), 0 if loaded else LOADING)


def deadline(work: Work, speed: Speed) -> float:
    """Return the seconds after which a job counts as hung."""
    known = sampling(work, speed) + preparing(work) + LOADING
    return LEAST + (SLACK * known if speed.rate else known + BLIND * work.segments)


def timeout(work: Work, speed: Speed) -> float:
    """Return the seconds of silence after which sampling counts as hung: each block gives a sign of life."""
    return LEAST + 2 * speed.step(work) if speed.rate else BLIND

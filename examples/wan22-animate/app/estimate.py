"""How long a job takes: from frames, size and steps, by what the card can do, or has done before.

A step of 77 frames at 1280x720 takes an H100 13 s, as users report; other cards are taken to
reach the same share of what their makers state. What is measured replaces it.
"""

import re
from dataclasses import dataclass, replace

from order import CLIP, segments

LAYERS, WIDTH, PARAMETERS = 40, 5120, 16e9
"""Of the transformer: what a token costs alone, and what it costs to look at the others."""
SHARE = 0.55
"""Of a card's rate that is reached."""
LOADING = 90.0
ENCODING = 0.15
"""Of the time of sampling, for VAE, CLIP and the film's codec."""
PREPARING = {False: 0.1, True: 0.3}
"""Seconds a frame of preprocessing, without and with the person's mask, and what it takes to begin."""
BEGINNING = 25.0
SLACK, LEAST = 3.0, 300.0
"""A job may take that many times what is expected, and so many seconds besides."""
BLIND = 3600.0
"""Seconds a segment may take where nothing is known of the card."""

# Dense bf16 in TFLOP/s, by NVIDIA's data sheets, and what a card's name has; the first that fits counts.
CARDS = (
    (r"B[23]00", 2250), (r"H[12]00|GH200", 989), (r"H20\b", 148), (r"A[18]00", 312), (r"L40S", 362), (r"L40\b", 181),
    (r"RTX PRO 6000", 503), (r"RTX 6000 Ada", 364), (r"RTX 5090", 209), (r"RTX 4090", 165), (r"RTX 5080", 113),
    (r"RTX A6000|A40\b", 155), (r"A10\b|A10G", 125), (r"RTX 3090", 71), (r"\bL4\b", 121),
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """What there is to do."""

    frames: int
    width: int
    height: int
    steps: int
    overlap: int
    guided: bool
    replaces: bool

    @property
    def segments(self) -> int:
        """How often the model's length of a film is sampled."""
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
    """What the worker's card does a second, as far as that is known."""

    rate: float = 0.0
    """Operations a second, 0 where nothing is known."""
    measured: bool = False

    def after(self, work: Work, seconds: float) -> "Speed":
        """Return what is known once a step has taken some seconds."""
        return replace(self, rate=work.step / seconds, measured=True) if seconds > 0 else self

    def step(self, work: Work) -> float:
        """Return the seconds that a step takes, 0 where that isn't known."""
        return work.step / self.rate if self.rate else 0.0


def of_card(name: str) -> Speed:
    """Return the speed that a card of that name is expected to have."""
    found = next((peak for pattern, peak in CARDS if re.search(pattern, name)), 0)
    return Speed(found * 1e12 * SHARE)


def preparing(work: Work) -> float:
    """Return the seconds of preprocessing."""
    return BEGINNING + PREPARING[work.replaces] * work.frames


def sampling(work: Work, speed: Speed) -> float:
    """Return the seconds of sampling, 0 where that isn't known."""
    return work.segments * work.steps * speed.step(work) * (1 + ENCODING)


def total(work: Work, speed: Speed, loaded: bool) -> float:
    """Return the seconds of a job, 0 where that isn't known."""
    seconds = sampling(work, speed)
    return seconds and seconds + max(preparing(work), 0 if loaded else LOADING)


def deadline(work: Work, speed: Speed) -> float:
    """Return the seconds after which a job counts as one that doesn't end."""
    known = sampling(work, speed) + preparing(work) + LOADING
    return LEAST + (SLACK * known if speed.rate else known + BLIND * work.segments)


def timeout(work: Work, speed: Speed) -> float:
    """Return the seconds without a sign of life after which sampling hangs: there is one in each block."""
    return LEAST + 2 * speed.step(work) if speed.rate else BLIND

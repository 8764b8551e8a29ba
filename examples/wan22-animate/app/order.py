"""The resident pipeline's input: an order, the frames that it reads, and a film's division into segments.

A segment is sampled at once. Each but the first begins with the last frames of the one
before, so that the motion continues; the last is padded with the film played back and
forth, and the excess output is cut off. All as in upstream's wan/animate.py, except for
films that upstream can't make: those not longer than the overlap.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the parent process doesn't need it
    import numpy as np
    from torch import nn

ANIMATION, REPLACEMENT = "animation", "replacement"
UNIPC, DPM = "unipc", "dpm++"
POSE, FACE, BACKGROUND, MASK = "pose", "face", "background", "mask"

CLIP = 77
"""Frames of a segment, as in the model's training."""
FACE_SIDE = 512
"""Height and width of a face frame: the motion encoder accepts no other."""
GRID = 16
"""Height and width are multiples of it: 8 by the VAE, 2 by the transformer's patches."""

# Upstream's own (wan/configs/wan_animate_14B.py and shared_config.py). The model was trained
# on this prompt, and the negative one is used with a cfg above 1.
PROMPT = "视频中的人在做动作"
NEGATIVE = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，"
    "最差质量，低质量，JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，"
    "画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，"
    "三条腿，背景人很多，倒着走"
)

Sink = Callable[["np.ndarray"], None]
"""Receives finished frames in order, uint8 [n, height, width, 3]."""
Step = Callable[[int, int, int, int], None]
"""Receives each completed step: segment, segments, step, steps, counted from 1."""
Stop = Callable[[], bool]
"""Reports whether the job must end; called in every block of the transformer."""
Look = Callable[[], None]
"""Raises Stopped once the job must end; called before each piece of work that takes long."""


@contextmanager
def looking(modules: "Iterable[nn.Module]", look: Look) -> Iterator[None]:
    """Call look before each of these modules."""
    hooks = [module.register_forward_pre_hook(lambda *_: look()) for module in modules]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True)
class Order:
    """A film to make; the defaults are upstream's."""

    mode: str
    seed: int
    steps: int = 20
    refert_num: int = 1
    """Frames that a segment reuses from the one before: 1 or 5."""
    cfg: float = 1.0
    """Above 1 each step has a second pass, with the negative prompt and no face."""
    shift: float = 5.0
    solver: str = UNIPC
    """generate.py's default; WanAnimate.generate, which it calls, defaults to dpm++."""
    prompt: str = PROMPT
    negative: str = NEGATIVE
    relighting: bool = False

    @property
    def replaces(self) -> bool:
        """Whether the person in the film is replaced."""
        return self.mode == REPLACEMENT


class Frames(Protocol):
    """The frames of a job, as preprocessing left them; never all in memory at once."""

    count: int
    height: int
    width: int

    def reference(self) -> "np.ndarray":
        """Return the picture, uint8 [h, w, 3] in RGB, of any size."""

    def read(self, kind: str, start: int, stop: int) -> "np.ndarray":
        """Return frames, uint8 [n, h, w, 3] in RGB, or [n, h, w] of a mask.

        kind is pose, face, background or mask. A call reads at most CLIP frames; its range
        begins up to CLIP frames before the end of the previous one.
        """


@dataclass(frozen=True)
class Segment:
    """Frames start to stop of the film, of which the first `reused` come from the segment before."""

    start: int
    stop: int
    reused: int
    made: int
    """How many new frames of the film it yields."""


def segments(count: int, overlap: int, clip: int = CLIP) -> list[Segment]:
    """Divide a film of count frames into segments."""
    stride = clip - overlap
    pieces = max(1, -(-(count - overlap) // stride))
    return [_segment(index * stride, overlap if index else 0, count, clip) for index in range(pieces)]


def _segment(start: int, reused: int, count: int, clip: int) -> Segment:
    return Segment(start, start + clip, reused, min(count, start + clip) - start - reused)


def shown(index: int, count: int) -> int:
    """Return the frame to use for an index at or past the end: the film runs back, then forth again."""
    if count == 1:
        return 0
    index %= 2 * (count - 1)
    return min(index, 2 * (count - 1) - index)


def read(frames: Frames, kind: str, segment: Segment) -> "np.ndarray":
    """Return a segment's frames of one kind."""
    wanted = [shown(index, frames.count) for index in range(segment.start, segment.stop)]
    first = min(wanted)
    return frames.read(kind, first, max(wanted) + 1)[[index - first for index in wanted]]


def problems(order: Order, frames: Frames) -> list[str]:
    """Return why an order can't be carried out."""
    wrong = (
        (order.mode not in (ANIMATION, REPLACEMENT), f"the mode is {order.mode!r}"),
        (not 0 <= order.seed < 2**63, f"the seed is {order.seed}: use 0 to 2^63-1"),
        (order.steps < 1, f"there are {order.steps} steps"),
        (order.refert_num not in (1, 5), f"refert_num is {order.refert_num}: use 1 or 5"),
        (not 1 <= order.cfg < 100, f"cfg is {order.cfg:g}: use 1 or more"),
        (not 0 < order.shift < 100, f"shift is {order.shift:g}: use more than 0"),
        (order.solver not in (UNIPC, DPM), f"the solver is {order.solver!r}"),
        (order.relighting and not order.replaces, "relighting is for the mode replacement"),
        (frames.count < 1, "there are no frames"),
        (
            frames.height % GRID or frames.width % GRID or not frames.height * frames.width,
            f"frames are {frames.width}x{frames.height}: both sides must be multiples of {GRID}",
        ),
    )
    return [problem for found, problem in wrong if found]

"""What fits the card: whether the transformer's weights are bf16 or fp8, and stay on the card or stream through it.

It is all arithmetic on the modules' parameters and the shapes that they work on, so that what
can't fit is refused before it starts. A test compares the parameters with diffusers' and
transformers' own classes, and the peaks with what the real modules hold at these sizes, counted
tensor by tensor on torch's meta device; measure.py compares them with a card.

bf16 is used wherever it fits, since nobody has measured what fp8 costs in quality. Measures that
don't change a picture come first: the text encoder works on the CPU, CLIP is on the card only
while it looks at the picture, blocks of the transformer make way for the VAE (lean.py).
"""

from dataclasses import dataclass, replace
from http import HTTPStatus

from errors import InputError, StartError

GIB = 2**30
BF16, FP32, FP8 = 2, 4, 1

# The transformer of Wan2.2-Animate-14B, and its inputs.
DIM, FFN, BLOCKS, FACES, HEAD = 5120, 13824, 40, 8, 128
TEXT, PICTURE, TIME = 4096, 1280, 256
CONTEXT = 257 + 512
"""Tokens of the picture, as CLIP sees it, and of the prompt."""
FRAMES, LATENTS = 77, 21
"""Of a segment; the picture is an additional latent frame."""
LARGEST = (1280, 720)


# Parameters: those of the blocks follow from the sizes above, the others are counted.
BLOCK = 10 * (DIM * DIM + DIM) + 2 * DIM * FFN + FFN + DIM + 13 * DIM
OTHERS = 1_121_278_324
"""Of the transformer outside its blocks: face encoder and adapters, embeddings."""
VAE, CLIP, TEXT_ENCODER = 126_892_531, 630_766_080, 5_680_910_336
LORA = 128 * BLOCKS * (10 * 2 * DIM + 2 * (DIM + FFN))
"""Of the relighting adapter, of rank 128."""

# Bytes per pixel that the VAE needs in float32, with lean.py's convolutions.
ENCODE, DECODE = 13_346, 19_628

WEIGHTS = ("blocks", "blocks that made way", "other layers", "relighting", "VAE", "CLIP", "text encoder")

OVERHEAD = GIB
"""CUDA's context and the kernels' workspaces: an estimate."""
MARGIN = 2 * GIB
"""What a plan leaves free of the reported memory: other contexts, fragmentation."""
PREPROCESSING = 6 * GIB
"""For the process that finds poses and masks while the transformer waits: 3.5 GB of weights, the rest estimated."""


@dataclass(frozen=True)
class Card:
    """A GPU, and the bytes that it reports."""

    name: str
    total: int


@dataclass(frozen=True)
class Want:
    """What the worker's settings require."""

    precision: str = "auto"
    """auto, bf16 or fp8."""
    stream: bool | None = None
    """Whether blocks stream from the host's memory; None if the plan may choose."""


AUTO, SMALLEST = Want(), Want("fp8", True)


@dataclass(frozen=True)
class Moment:
    """The bytes on the card at one time, by their use."""

    name: str
    parts: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        """All of it."""
        return sum(size for _, size in self.parts)

    @property
    def weights(self) -> int:
        """The weights' part of it."""
        return sum(size for name, size in self.parts if name in WEIGHTS)


@dataclass(frozen=True)
class Plan:
    """Where the models are, and in which types."""

    dtype: str = "bfloat16"
    fp8: bool = False
    """Whether the blocks' linear layers are kept in fp8, and cast when used."""
    streamed: bool = False
    """Whether blocks come from pinned memory when used."""
    offload_text: bool = False
    """Whether the text encoder works on the CPU."""
    offload_image: bool = False
    """Whether CLIP is on the card only while it works."""
    parked: int = 0
    """How many blocks make way for the VAE."""
    moments: tuple[Moment, ...] = ()

    @property
    def peak(self) -> Moment:
        """The moment that needs the most."""
        return max(self.moments, key=lambda one: one.size)

    def __str__(self) -> str:
        extra = [
            word for word, used in (("streamed", self.streamed), ("text encoder on the CPU", self.offload_text)) if used
        ]
        extra += [f"{self.parked} of {BLOCKS} blocks make way for the VAE"] if self.parked else []
        return ", ".join(["fp8" if self.fp8 else "bf16", *extra])


def plan(card: Card, width: int = LARGEST[0], height: int = LARGEST[1], want: Want = AUTO, text: bool = True) -> Plan:
    """Return the plan for films of a size; a StartError names the setting that would make it fit."""
    if made := _first(card, width * height, want, text):
        return made
    raise StartError(_refusal(card, width, height, want, text))


def check(made: Plan, card: Card, width: int, height: int, text: bool = True) -> None:
    """Raise an InputError for a job that doesn't fit the worker's plan."""
    peak = replace(made, moments=_moments(made, width * height, text)).peak
    if peak.size > card.total - MARGIN:
        raise InputError(
            f"{width}x{height} needs {_gib(peak.size)} GiB of GPU memory while {peak.name}, but {card.name} has "
            f"{_gib(card.total)}, of which {_gib(MARGIN)} stay free: send a smaller resolution",
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )


def _first(card: Card, pixels: int, want: Want, text: bool) -> Plan | None:
    """Return the best plan that fits."""
    limit = card.total - MARGIN
    made = (_fitted(one, pixels, limit, text) for one in _choices(want, text))
    return next((one for one in made if one.peak.size <= limit), None)


def _choices(want: Want, text: bool) -> list[Plan]:
    """Return the possible plans, the best first: what costs no quality before what may."""
    kinds = [(False, False), (True, False), (True, True)]  # fp8, streamed
    if want.precision != "auto":
        kinds = [(want.precision == "fp8", streamed) for streamed in (False, True)]
    elif want.stream:
        kinds = [(False, True), (True, True)]
    kinds = [kind for kind in kinds if want.stream in (None, kind[1])]
    places = [(False, False), (True, False), (True, True)] if text else [(False, False), (False, True)]
    return [
        Plan(fp8=fp8, streamed=streamed, offload_text=encoder, offload_image=clip)
        for fp8, streamed in kinds
        for encoder, clip in places
    ]


def _fitted(one: Plan, pixels: int, limit: int, text: bool) -> Plan:
    """Return a plan with as many blocks parked as the VAE needs."""
    moments = _moments(one, pixels, text)
    over = max(moment.size for moment in moments if moment.name in CODING) - limit
    parked = 0 if one.streamed or over <= 0 else min(BLOCKS, -(-over // _block(one)))
    made = replace(one, parked=parked)
    return replace(made, moments=_moments(made, pixels, text))


CODING = ("encoding", "decoding")


def _moments(one: Plan, pixels: int, text: bool) -> tuple[Moment, ...]:
    """Return what is on the card at the moments that may be the peak, layer by layer."""
    held = 2 if one.streamed else BLOCKS
    weights = (
        ("blocks", held * _block(one)),
        ("other layers", OTHERS * BF16),
        ("relighting", LORA * BF16),
    )
    rest = (("VAE", VAE * FP32), ("CLIP", 0 if one.offload_image else CLIP * BF16))
    rest += (("text encoder", 0 if one.offload_text or not text else TEXT_ENCODER * BF16), ("overhead", OVERHEAD))
    parked = ("blocks that made way", -one.parked * _block(one))
    # Streamed blocks are gone between two passes of the transformer.
    waiting = (weights[2],) if one.streamed else (*weights, parked)
    film = FRAMES * 3 * pixels
    given = ("frames and latents", FRAMES * 3 * 512 * 512 * BF16 + LATENTS * pixels // 64 * (36 + 16 + 4 * 16) * FP32)
    return (
        Moment("preprocessing", (*weights, *rest, ("preprocessing", PREPROCESSING))),
        Moment("sampling", (*weights, *rest, given, *_sampling(one, pixels))),
        Moment(
            "encoding", (*waiting, *rest, ("the VAE's layers", ENCODE * pixels), ("films", film * (FP32 + 2 * BF16)))
        ),
        Moment("decoding", (*waiting, *rest, given, ("the VAE's layers", DECODE * pixels), ("films", film * BF16))),
    )


def _block(one: Plan) -> int:
    return BLOCK * (FP8 if one.fp8 else BF16)


def _sampling(one: Plan, pixels: int) -> list[tuple[str, int]]:
    """Return the activations at the peak of a step: in a block after a face adapter, before its feed-forward."""
    tokens = LATENTS * pixels // 256
    hidden = tokens * DIM * BF16
    return [
        ("a block's input and what it made so far", 2 * hidden),
        ("a face adapter's output, which the transformer holds", hidden),
        ("the pose's embedding, which it holds, too", hidden * (LATENTS - 1) // LATENTS),
        ("the norm's input and output in float32", 2 * tokens * DIM * FP32),
        ("angles of the tokens' places", 2 * tokens * HEAD * FP32),
        ("picture and prompt", CONTEXT * DIM * BF16),
        ("the layer that is cast from fp8", DIM * FFN * BF16 if one.fp8 else 0),
    ]


def _refusal(card: Card, width: int, height: int, want: Want, text: bool) -> str:
    """Explain what doesn't fit, and what would."""
    limit = card.total - MARGIN
    needs = min(_fitted(one, width * height, limit, text).peak.size for one in _choices(want, text))
    says = f"{width}x{height} needs {_gib(needs + MARGIN)} GiB of GPU memory, but {card.name} has {_gib(card.total)}"
    for other in (AUTO, replace(want, stream=True), SMALLEST):
        if _first(card, width * height, other, text):
            stream = " and STREAM=1" if other.stream else " and leave STREAM out"
            return f"{says}: set PRECISION={other.precision}{stream}"
    for w, h in ((832, 480), (640, 368), (480, 272)):
        if w * h < width * height and _first(card, w * h, SMALLEST, text):
            return f"{says}: with PRECISION=fp8, STREAM=1 and MAX_AREA={w * h} films of {w}x{h} fit"
    return f"{says}: use a larger GPU"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"


CARDS = (
    Card("RTX 4090, 24 GB", int(23.5 * GIB)),
    Card("RTX 5090, 32 GB", int(31.4 * GIB)),
    Card("A40, RTX A6000, 48 GB", int(44.4 * GIB)),
    Card("L40S, RTX 6000 Ada, 48 GB", 45 * GIB),
    Card("A100, H100, 80 GB", int(79.1 * GIB)),
    Card("H200, 141 GB", int(139.8 * GIB)),
)


def table() -> str:
    """Return the README's table: card, settings, peak and its source."""
    rows = [
        "| card | it reports | the plan at 1280×720 | peak, GiB | while | of it weights, GiB |",
        "|---|---|---|---|---|---|",
    ]
    for card in CARDS:
        made = plan(card)
        peak = f"{_gib(made.peak.size)} | {made.peak.name} | {_gib(made.peak.weights)}"
        rows.append(f"| {card.name} | {_gib(card.total)} | {made} | {peak} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())

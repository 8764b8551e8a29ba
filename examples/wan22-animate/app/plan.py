"""What fits the card: whether the transformer's weights are bf16 or fp8, stay on the card or stream through it.

All of it is arithmetic from the modules' parameters and the shapes that they work on, so that a
job which can't fit is refused before it starts. A test holds the parameters against diffusers'
and transformers' own classes, and the peaks against what the real modules hold at these sizes,
counted tensor by tensor on torch's meta device; measure/ compares them with a card.

bf16 is taken wherever it fits, since nobody has measured what fp8 costs in quality.
"""

from dataclasses import dataclass
from http import HTTPStatus

from errors import InputError, StartError

GIB = 2**30
BF16, FP32, FP8 = 2, 4, 1

# The transformer of Wan2.2-Animate-14B, and what goes into it.
DIM, FFN, LAYERS, HEADS = 5120, 13824, 40, 40
FACES = LAYERS // 5
TEXT, IMAGE, TIME, MOTION = 4096, 1280, 256, 512
CLIP_TOKENS, TEXT_TOKENS = 257, 512
FRAMES = 77

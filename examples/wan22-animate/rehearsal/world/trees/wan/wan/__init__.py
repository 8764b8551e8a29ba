"""Stands in for Wan2.2's package: all of it is imported, whichever task is to be done."""

from . import configs, distributed, modules
from . import image2video, speech2video, text2video, textimage2video
from .animate import WanAnimate

"""Stands in for decord: reads stand-ins for films."""

import numpy as np
from imageio_ffmpeg import _standin

__version__ = "@VERSION@"


class DECORDError(RuntimeError):
    pass


class Batch:
    """Black frames, which take no memory."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def asnumpy(self) -> np.ndarray:
        return np.broadcast_to(np.uint8(0), self.shape)


class VideoReader:
    def __init__(self, path: str) -> None:
        film = _standin.read(path)
        if film is None:
            raise DECORDError(f"cannot find video stream with wanted index: -1 in {path}")
        self.film = film

    def __len__(self) -> int:
        return round(self.film["seconds"] * self.film["fps"])

    def get_avg_fps(self) -> float:
        return self.film["fps"]

    def get_batch(self, wanted: list[int]) -> Batch:
        if max(wanted) >= len(self):
            raise IndexError(f"Out of bound indices: {max(wanted)}")
        return Batch(len(wanted), self.film["height"], self.film["width"], 3)

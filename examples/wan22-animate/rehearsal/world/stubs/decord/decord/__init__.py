"""Stands in for decord: reads stand-ins for films."""

from imageio_ffmpeg import _standin

__version__ = "@VERSION@"


class DECORDError(RuntimeError):
    pass


class VideoReader:
    def __init__(self, path: str) -> None:
        film = _standin.read(path)
        if film is None:
            raise DECORDError(f"cannot find video stream with wanted index: -1 in {path}")
        self.film = film

    def __len__(self) -> int:
        return int(self.film["seconds"] * self.film["fps"])

    def get_avg_fps(self) -> float:
        return self.film["fps"]

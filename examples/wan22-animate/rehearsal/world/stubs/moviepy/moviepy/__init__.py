"""Stands in for MoviePy 2: there is no moviepy.editor any more."""

from imageio_ffmpeg import _standin

__version__ = "@VERSION@"


class ImageSequenceClip:
    """What is told about a film next to its pictures goes on to what comes after."""

    def __init__(self, pictures: list[tuple[int, int]], fps: float, **told: object) -> None:
        self.pictures, self.fps, self.told = pictures, fps, told

    def write_videofile(self, path: str) -> None:
        height, width = self.pictures[0]
        _standin.write(path, {**self.told, "width": width, "height": height, "fps": self.fps, "seconds": len(self.pictures) / self.fps, "sound": False})

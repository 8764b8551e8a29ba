"""Stands in for imageio: what it writes is a stand-in for a film, and like the real one's without sound."""

from imageio_ffmpeg import _standin

__version__ = "@VERSION@"


class Writer:
    def __init__(self, path: str, fps: float) -> None:
        self.path, self.fps = path, fps
        self.frames: list[tuple[int, int]] = []
        open(path, "wb").close()

    def append_data(self, frame: tuple[int, int]) -> None:
        self.frames.append(frame)

    def close(self) -> None:
        height, width = self.frames[0]
        _standin.write(self.path, {"width": width, "height": height, "fps": self.fps, "seconds": len(self.frames) / self.fps, "sound": False})


def get_writer(path: str, fps: float = 10, codec: str = "libx264", quality: int = 5) -> Writer:
    return Writer(path, fps)

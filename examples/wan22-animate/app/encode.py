"""Encodes finished frames into a film: one ffmpeg reads them from a pipe, and adds the sound."""

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import ffmpeg

if TYPE_CHECKING:
    import numpy as np

# ffmpeg's options of each codec; hvc1 is the tag that Apple's players require for HEVC.
CODECS = {
    "h264": ("-c:v", "libx264", "-preset", "medium"),
    "hevc": ("-c:v", "libx265", "-preset", "medium", "-tag:v", "hvc1", "-x265-params", "log-level=error"),
    "av1": ("-c:v", "libaom-av1", "-cpu-used", "6", "-row-mt", "1", "-b:v", "0"),
}
END_SECONDS = 600.0
"""Within which the codec must write what it still holds."""
LOOK_SECONDS = 0.2
"""Between two looks at whether the order must end, since writing and finishing may wait for ffmpeg."""
LAST = 4000
"""Bytes of ffmpeg's output that are kept."""


@dataclass(frozen=True)
class Target:
    """The film to make."""

    out: str
    fps: int
    codec: str
    crf: int
    sound: str
    """A file with its sound, or nothing."""


class Encoder:
    """Takes frames while the next ones are made; the film is complete when the context ends without an error."""

    def __init__(
        self, target: Target, count: int, width: int, height: int, stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._said, self._stop = b"", stop
        self._program = subprocess.Popen(  # noqa: S603 (no shell; the arguments are ours)
            command(target, count, width, height),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        threading.Thread(target=self._watch, daemon=True).start()

    def __enter__(self) -> "Encoder":
        """Return itself."""
        return self

    def write(self, frames: "np.ndarray") -> None:
        """Append frames."""
        try:
            self._program.stdin.write(frames.tobytes())
        except BrokenPipeError:
            self._finish()
            raise

    def __exit__(self, kind: type | None, err: Exception | None, trace: TracebackType | None) -> None:
        """Finish the film, or drop it after an error."""
        try:
            if not kind:
                self._finish()
        finally:
            self._program.kill()
            self._program.wait()

    def _finish(self) -> None:
        try:
            self._program.stdin.close()
        except BrokenPipeError:
            pass  # its exit code says why
        code = self._program.wait(END_SECONDS)
        self._listener.join(END_SECONDS)
        if code:
            raise RuntimeError(f"ffmpeg can't write the film: {self._said.decode(errors='replace') or code}")

    def _watch(self) -> None:
        while self._program.poll() is None:
            if self._stop():
                self._program.kill()
            time.sleep(LOOK_SECONDS)

    def _listen(self) -> None:
        with self._program.stderr as pipe:
            while chunk := pipe.read1(LAST):
                self._said = (self._said + chunk)[-LAST:]


def smaller(film: Path, codec: str, rate: int, out: Path) -> list[str]:
    """Return the command that encodes a film again, with so many bits a second at most, and its sound as it is."""
    limits = ["-b:v", str(rate), "-maxrate", str(rate), "-bufsize", str(rate), "-pix_fmt", "yuv420p"]
    return [
        ffmpeg.program(), *ffmpeg.QUIET, "-y", "-loglevel", "error", *ffmpeg.LOCAL, "-i", str(film), "-map", "0",
        *CODECS[codec], *limits, "-c:a", "copy", "-movflags", "+faststart", str(out),
    ]  # fmt: skip


def command(target: Target, count: int, width: int, height: int) -> list[str]:
    """Return the command that makes a film of count frames, however long the sound is."""
    pictures = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(target.fps), "-i", "pipe:0"]
    sound = ["-i", target.sound] if target.sound else []
    sounds = ["-map", "1:a:0?", "-c:a", "copy"] if target.sound else []
    colours = ["-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709", "-color_primaries", "bt709"]
    return [
        ffmpeg.program(), "-hide_banner", "-y", "-loglevel", "error", *pictures, *sound, "-map", "0:v:0", *sounds,
        *CODECS[target.codec], "-crf", str(target.crf), *colours, "-color_trc", "bt709", "-pix_fmt", "yuv420p",
        "-movflags", "+faststart", "-t", f"{count / target.fps:g}", target.out,
    ]  # fmt: skip

"""The frames of a job as preprocessing left them, read on demand; used only in the pipeline's process."""

from pathlib import Path
from typing import TYPE_CHECKING

from order import BACKGROUND, FACE, MASK, POSE

if TYPE_CHECKING:
    import numpy as np

FILES = {POSE: "src_pose.mp4", FACE: "src_face.mp4", BACKGROUND: "src_bg.mp4", MASK: "src_mask.mp4"}
PICTURE = "src_ref.png"
ALWAYS, REPLACING = (POSE, FACE), (BACKGROUND, MASK)


class Film:
    """Implements order.Frames with the files of a directory."""

    def __init__(self, directory: Path, replaces: bool) -> None:
        import cv2  # first: after decord it reads with decord's older zlib, which can't read all PNG files
        from decord import VideoReader

        self._cv2, self._picture = cv2, directory / PICTURE
        kinds = ALWAYS + (REPLACING if replaces else ())
        self._readers = {kind: VideoReader(str(directory / FILES[kind])) for kind in kinds}
        counts = {kind: len(reader) for kind, reader in self._readers.items()}
        self.count = counts[POSE]
        if len(set(counts.values())) > 1:
            raise ValueError(f"preprocessing wrote videos of different lengths: {counts}")
        self.height, self.width = self.read(POSE, 0, 1).shape[1:3]

    def reference(self) -> "np.ndarray":
        """Return the picture, RGB."""
        return self._cv2.imread(str(self._picture))[..., ::-1]

    def read(self, kind: str, start: int, stop: int) -> "np.ndarray":
        """Return frames in RGB, or a mask's single channel."""
        frames = self._readers[kind].get_batch(list(range(start, stop))).asnumpy()
        return frames[..., 0] if kind == MASK else frames

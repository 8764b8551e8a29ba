"""Finds faces in pictures, by models that lie in a directory or, in the real one, come from the internet."""

import pathlib

import cv2
import numpy as np
import onnxruntime
from skimage import transform


class FaceAnalysis:
    def __init__(self, name: str = "buffalo_l", root: str = "~/.insightface", allowed_modules: list | None = None, **options: object) -> None:
        directory = pathlib.Path(root).expanduser() / "models" / name
        self.models = [onnxruntime.InferenceSession(str(path)) for path in sorted(directory.glob("*.onnx"))]
        assert self.models, f"there is no model in {directory}, and a rehearsal fetches none"

    def prepare(self, ctx_id: int, det_thresh: float = 0.5, det_size: tuple[int, int] = (640, 640)) -> None:
        pass

    def get(self, picture: object, max_num: int = 0) -> list[dict]:
        return [{"bbox": np.array([0, 0, 64, 64], dtype=np.float32)}]

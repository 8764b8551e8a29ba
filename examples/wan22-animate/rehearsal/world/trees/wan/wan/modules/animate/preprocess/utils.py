"""Stands in for what is done with frames."""

import cv2
import numpy as np


def resize_by_area(frame: tuple[int, int], area: int, divisor: int = 64) -> tuple[int, int]:
    """Returns a size of about that area, of the same shape."""
    height, width = frame
    scale = (area / (height * width)) ** 0.5
    return tuple(max(int(side * scale) // divisor * divisor, divisor) for side in (height, width))


def get_frame_indices() -> None: ...


def padding_resize() -> None: ...


def get_face_bboxes() -> None: ...


def get_aug_mask() -> None: ...


def get_mask_body_img() -> None: ...

"""Stands in for what poses are made of."""

import cv2
import numpy as np
from PIL import Image


class AAPoseMeta:
    pass


def read_img(image: str) -> tuple[int, int]:
    return cv2.imread(image)


def box_convert_simple() -> None: ...


def bbox_from_detector() -> None: ...


def crop() -> None: ...


def keypoints_from_heatmaps() -> None: ...


def load_pose_metas_from_kp2ds_seq() -> None: ...

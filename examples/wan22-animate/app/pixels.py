"""Converts frames for the models and back: each number as upstream's wan/animate.py computes it."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

CLIP_SIDE = 224
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def tensor(frames: np.ndarray, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return frames [n, h, w, 3] as [1, 3, n, h, w] from -1 to 1.

    One by one, since they are computed in float64 as in numpy: 77 at 720p would need 1.7 GB.
    """
    count, height, width, channels = frames.shape
    made = torch.empty(1, channels, count, height, width, device=device, dtype=dtype)
    for index, frame in enumerate(frames):
        made[0, :, index] = (torch.from_numpy(frame).to(device).double() / 127.5 - 1).permute(2, 0, 1)
    return made


def mask(frames: np.ndarray, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return masks [n, h, w] as [1, 1, n, h, w] from 0 to 1."""
    made = torch.empty(1, 1, *frames.shape, device=device, dtype=dtype)
    for index, frame in enumerate(frames):
        made[0, 0, index] = torch.from_numpy(frame).to(device).double() / 255
    return made


def frames(film: Tensor) -> np.ndarray:
    """Return a film [1, 3, n, h, w] as frames, truncated to integers as upstream saves them."""
    made = np.empty((film.shape[2], *film.shape[3:], 3), np.uint8)
    for index in range(len(made)):
        frame = film[0, :, index].float().clamp(-1, 1).add(1).div(2).mul(255)
        made[index] = frame.to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return made


def fitted(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a picture centered in a black frame, as large as fits.

    A very thin one becomes a line, where upstream fails.
    """
    tall = picture.shape[0] / picture.shape[1] > height / width
    high = height if tall else max(1, int(width / picture.shape[1] * picture.shape[0]))
    wide = max(1, int(height / picture.shape[0] * picture.shape[1])) if tall else width
    top, left = int((height - high) / 2), int((width - wide) / 2)
    made = np.zeros((height, width, 3), np.uint8)
    made[top : top + high, left : left + wide] = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_LINEAR)
    return made


def for_clip(picture: Tensor) -> Tensor:
    """Return a picture [1, 3, h, w] for CLIP: stretched, not cropped."""
    small = F.interpolate(picture, size=(CLIP_SIDE, CLIP_SIDE), mode="bicubic", align_corners=False)
    mean, std = (small.new_tensor(values).view(1, 3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return (small * 0.5 + 0.5 - mean) / std

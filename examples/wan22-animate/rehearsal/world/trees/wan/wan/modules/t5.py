"""Stands in for the text encoder. A default of the real one asks for the device as soon as it is imported."""

import torch
import torch.nn
import torch.nn.functional

from . import tokenizers


class T5EncoderModel:
    def __init__(self, device: int = torch.cuda.current_device()) -> None:
        self.device = device

"""Stands in for PyTorch, without its libraries: they are there to be looked at."""

import importlib

from . import version
from .version import __version__

bfloat16, float16, float32, uint8 = "torch.bfloat16", "torch.float16", "torch.float32", "torch.uint8"


class Tensor:
    """Holds numbers, and knows the few things that a first kernel is asked to do."""

    def __init__(self, values: list[float], device: str = "cpu") -> None:
        self.values, self.device = values, device

    def sum(self) -> "Tensor":
        return Tensor([sum(self.values)], self.device)

    def item(self) -> float:
        return self.values[0]

    def __mul__(self, factor: float) -> "Tensor":
        return Tensor([value * factor for value in self.values], self.device)


def arange(stop: int, device: str = "cpu", dtype: object = None) -> Tensor:
    return Tensor([float(n) for n in range(stop)], _checked(device))


def ones(count: int, device: str = "cpu", dtype: object = None) -> Tensor:
    return Tensor([1.0] * count, _checked(device))


def _checked(device: str) -> str:
    if str(device).startswith("cuda"):
        cuda.current_device()
    return device


def load(path: str, map_location: object = None, weights_only: bool = True) -> dict[str, bytes]:
    with open(path, "rb") as file:
        return {"state_dict": file.read()}


cuda = importlib.import_module("torch.cuda")
nn = importlib.import_module("torch.nn")
distributed = importlib.import_module("torch.distributed")

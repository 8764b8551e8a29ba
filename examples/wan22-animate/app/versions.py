"""Versions that must fit each other: pip accepts sets that fail at run time."""

import importlib.metadata
import re
from collections.abc import Mapping

Version = tuple[int, ...]

CV2 = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")

# Minimum, upper bound and reason. An absent one is a problem.
RANGES = {
    "torch": ((2, 6), (), "diffusers' Wan pipeline was tried with 2.6"),
    "numpy": ((1, 23, 5), (2,), "Wan needs numpy<2"),
    "transformers": ((4, 49), (4, 51, 4), "Wan's last is 4.51.3"),
    "peft": ((0, 17), (0, 18), "0.18 needs transformers 4.52"),
    "diffusers": (
        (0, 37),
        (0, 39),
        "0.37 is the first that converts all of the transformer's keys, and later ones need huggingface-hub 1",
    ),
    "huggingface-hub": ((0, 34), (1,), "transformers up to 4.51 needs huggingface-hub<1"),
    "onnxruntime-gpu": ((1, 19), (), "from 1.19 on it is built for CUDA 12 and cuDNN 9"),
    "runpod": ((1, 10, 1), (), "1.7.11 to 1.10.0 lose jobs"),
}


def installed() -> dict[str, str]:
    """Return the versions of all distributions, by their normalized names."""
    found: dict[str, str] = {}
    for one in importlib.metadata.distributions():
        if name := one.metadata["Name"]:
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), one.version)
    return found


def problems(found: Mapping[str, str]) -> list[str]:
    """Return the conflicts, one line each."""
    return [problem for rule in (_ranges, _torchvision, _cv2, _onnx) for problem in rule(found)]


def parse(text: str) -> Version:
    """Return a version's release as numbers: 2.7.4.post1 and 2.6.0+cu124 lose their suffixes."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()


def _ranges(found: Mapping[str, str]) -> list[str]:
    problems = (_outside(name, found.get(name), *limits) for name, limits in RANGES.items())
    return [problem for problem in problems if problem]


def _outside(name: str, text: str | None, low: Version, high: Version, why: str) -> str:
    if text is None:
        return f"{name} is not installed"
    version = parse(text)
    if version < low or (high and version >= high):
        return f"{name} is {text}: {why}"
    return ""


def _torchvision(found: Mapping[str, str]) -> list[str]:
    """torchvision 0.(N+15).P is built for torch 2.N.P, and for its CUDA."""
    torch, vision = found.get("torch", ""), found.get("torchvision", "")
    if not vision:
        return ["torchvision is not installed"]
    if not torch:
        return []
    _, minor, patch, *_ = (*parse(torch), 0, 0, 0)
    if parse(vision)[:3] != (0, minor + 15, patch):
        return [f"torchvision is {vision}: torch {torch} needs 0.{minor + 15}.{patch}"]
    if _local(vision) != _local(torch) and _local(vision) and _local(torch):
        return [f"torchvision is built for {_local(vision)}, torch for {_local(torch)}"]
    return []


def _local(version: str) -> str:
    return version.partition("+")[2]


def _cv2(found: Mapping[str, str]) -> list[str]:
    there = [name for name in CV2 if name in found]
    if len(there) != 1:
        return [f"cv2 is in {len(there)} distributions ({', '.join(there) or 'none'}): install one"]
    if parse(found[there[0]]) >= (4, 12):
        return [f"{there[0]} is {found[there[0]]}: from 4.12 on it needs numpy 2"]
    return []


def _onnx(found: Mapping[str, str]) -> list[str]:
    problem = "onnxruntime is next to onnxruntime-gpu: they overwrite each other, and the GPU is lost"
    return [problem] if "onnxruntime" in found else []

"""Versions that must fit each other: pip is content with sets that fail at run time."""

import contextlib
import importlib.metadata
import json
import mmap
import re
from collections.abc import Callable, Mapping
from pathlib import Path

Version = tuple[int, ...]

CV2 = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")

# At least, and below; why. Absent ones are a fault.
RANGES = {
    "torch": ((2, 4), (), "Wan needs 2.4"),
    "numpy": ((1, 23, 5), (2,), "Wan needs numpy<2"),
    "transformers": ((4, 49), (4, 51, 4), "Wan's last is 4.51.3"),
    "peft": ((0, 17), (0, 18), "0.18 needs transformers 4.52"),
    "diffusers": ((0, 35), (0, 39), "FluxKontextPipeline came with 0.35, and later ones need huggingface-hub 1"),
    "huggingface-hub": ((0, 34), (1,), "transformers up to 4.51 needs huggingface-hub<1"),
    "onnxruntime-gpu": ((1, 19), (), "from 1.19 on it is built for CUDA 12 and cuDNN 9"),
    "runpod": ((1, 10, 1), (), "1.7.11 to 1.10.0 lose jobs"),
    "flash-attn": ((2, 7), (3,), "Wan calls flash-attn 2"),
}


def installed() -> dict[str, str]:
    """Return the versions of all distributions, by their normal names."""
    found: dict[str, str] = {}
    for one in importlib.metadata.distributions():
        if name := one.metadata["Name"]:
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), one.version)
    return found


def faults(found: Mapping[str, str], flash: str = "") -> list[str]:
    """Return what doesn't fit, a line each; flash is what flash-attn's binary was built for."""
    rules = (_ranges, _torch, _cv2, _onnx)
    return [fault for rule in rules for fault in rule(found)] + _flash(found, flash)


def parse(text: str) -> Version:
    """Return a version's release as numbers: 2.7.4.post1 and 2.6.0+cu124 lose their ends."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()


def _ranges(found: Mapping[str, str]) -> list[str]:
    faults = (_outside(name, found.get(name), *limits) for name, limits in RANGES.items())
    return [fault for fault in faults if fault]


def _outside(name: str, text: str | None, low: Version, high: Version, why: str) -> str:
    if text is None:
        return f"{name} is not installed"
    version = parse(text)
    if version < low or (high and version >= high):
        return f"{name} is {text}: {why}"
    return ""


def _torch(found: Mapping[str, str]) -> list[str]:
    """torchvision 0.(N+15).P and torchaudio 2.N.P are built for torch 2.N.P, and for its CUDA."""
    torch = found.get("torch", "")
    _, minor, patch, *_ = (*parse(torch), 0, 0, 0)
    wanted = {"torchvision": (0, minor + 15, patch), "torchaudio": (2, minor, patch)}
    faults = []
    for name, version in wanted.items():
        if name not in found:
            faults.append(f"{name} is not installed")
        elif torch and parse(found[name])[:3] != version:
            faults.append(f"{name} is {found[name]}: torch {torch} needs {'.'.join(map(str, version))}")
        elif torch and _local(found[name]) != _local(torch) and _local(found[name]) and _local(torch):
            faults.append(f"{name} is built for {_local(found[name])}, torch for {_local(torch)}")
    return faults


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
    fault = "onnxruntime is beside onnxruntime-gpu: they overwrite each other, and the GPU is lost"
    return [fault] if "onnxruntime" in found else []


def _flash(found: Mapping[str, str], flash: str) -> list[str]:
    """flash is "torch2.6", "cxx11abiFALSE" or both, or empty where it can't be told."""
    version = parse(found.get("torch", ""))
    torch = re.search(r"torch(\d+\.\d+)", flash)
    faults = []
    if torch and version and parse(torch[1]) != version[:2]:
        faults.append(f"flash-attn is built for torch {torch[1]}, not {found['torch']}")
    wanted = "TRUE" if version >= (2, 7) else "FALSE"
    abi = re.search(r"cxx11abi(TRUE|FALSE)", flash)
    if abi and version and abi[1] != wanted:
        faults.append(f"flash-attn is built with the C++11 ABI {abi[1]}, torch {found['torch']} with {wanted}")
    return faults


def flash_build(files: Callable[[], list[Path]] | None = None) -> str:
    """Return what flash-attn was built for, from the URL it was installed from, or from its binary."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError, KeyError):
        if text := importlib.metadata.distribution("flash-attn").read_text("direct_url.json"):
            return Path(str(json.loads(text)["url"])).name
    for path in (files or _flash_files)():
        return abi(path)
    return ""


def _flash_files() -> list[Path]:
    try:
        names = importlib.metadata.distribution("flash-attn").files or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(str(name.locate())) for name in names if name.name.startswith("flash_attn_2_cuda")]


def abi(path: Path) -> str:
    """Return the C++ ABI that a library expects of torch, by the name of c10's error: it takes a string."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content.find(b"SourceLocationENSt7__cxx1112basic_string") >= 0:
                return "cxx11abiTRUE"
            return "cxx11abiFALSE" if content.find(b"SourceLocationESs") >= 0 else ""
    except (OSError, ValueError):
        return ""

"""handler.py --check: smoke tests of an image; one line a fault."""

from pathlib import Path

import modellist
import versions
from errors import StartError
from settings import Settings

NUMBERS = 1000


def run(what: str, deep: bool, settings: Settings) -> int:
    """Print what is wrong, or what was looked at; return the exit code."""
    checks = {"versions": check_versions, "model": lambda: check_model(settings, deep), "gpu": check_gpu}
    try:
        faults, said = checks[what]()
    except StartError as err:
        faults, said = [str(err)], ""
    for fault in faults:
        print(f"{what}: {fault}")
    if not faults:
        print(f"{what}: {said}")
    return 1 if faults else 0


def check_versions() -> tuple[list[str], str]:
    """Return which versions don't fit."""
    found = versions.installed()
    flash = versions.flash_build()
    said = f"{len(found)} distributions fit each other; flash-attn: {flash or 'its build is unknown'}"
    return versions.faults(found, flash), said


def check_model(settings: Settings, deep: bool) -> tuple[list[str], str]:
    """Return which weights are missing or cut off, or, in depth, of another content."""
    found = modellist.read(settings.model_list)
    folder: Path = settings.model_path
    about = f"{len(found.files)} files, {found.size} bytes, of {found.origin}"
    if not folder.is_dir():
        return [], f"the list is in order: {about}; there are no weights in the image"
    faults = modellist.lacking(folder, found)
    if deep and not faults:
        faults = modellist.damaged(folder, found)
    return faults, f"complete{' and intact' if deep else ''}: {about}"


def check_gpu() -> tuple[list[str], str]:
    """Return what is wrong with the GPU; a first kernel has to run and to be right."""
    try:
        import torch
    except ImportError as err:
        return [f"torch can't be imported: {err}"], ""
    if not torch.cuda.is_available():
        return ["torch sees no GPU: start the container with one (--gpus all)"], ""
    wanted = NUMBERS * (NUMBERS - 1) // 2
    got = int(torch.arange(NUMBERS, device="cuda").sum().item())
    if got != wanted:
        return [f"the sum of {NUMBERS} numbers is {got} on the GPU, not {wanted}"], ""
    return _check_onnx(), f"{torch.cuda.get_device_name(0)}, a first kernel is right"


def _check_onnx() -> list[str]:
    """Return what keeps preprocessing's detectors from the GPU: they would run on the CPU without a word."""
    try:
        import onnxruntime
    except ImportError as err:
        return [f"onnxruntime can't be imported: {err}"]
    there = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    return [] if there else ["onnxruntime knows no CUDA: install onnxruntime-gpu, and no onnxruntime beside it"]

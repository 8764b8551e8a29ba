"""The self-test: blends generated pictures and compares the results with the expected ones."""

import hashlib

import numpy as np
from model import load_model
from numpy.typing import NDArray

from faceblend_native import CpuBlender, Look, blend_into, open_blender
from faceblend_native.cuda import CudaError, Unavailable

Bytes = NDArray[np.uint8]

CHECKSUM = "facdb5a4d1684f78c8e1e77893f6fa818b5e584da622a7fd88e6c752a7040d94"
"""sha256 of the CPU's results with the built-in look."""

# Picture and patch sizes (height, width) and the patch's position (x, y): an
# ordinary one, one with odd sizes, a single pixel, a patch as large as the picture.
CASES = (
    ((240, 320), (96, 80), (101, 57)),
    ((97, 131), (61, 33), (98, 36)),
    ((5, 7), (1, 1), (6, 4)),
    ((64, 48), (64, 48), (0, 0)),
)


def run(device: str, model_path: str) -> int:
    """Print what was tested and return 0, or 1 if a result is wrong."""
    try:
        blender, why = open_blender(device)
        model = load_model(model_path)
        problems = check_cpu()
        print(f"weights: {model.source}")
        if why:
            print(f"device: cpu; no gpu: {why}" if device != "cpu" else "device: cpu")
        else:
            print(f"device: {blender.device}")
            looks = {"built-in look": Look(), "model's look": model.look}
            for name, look in looks.items():
                problems += check_gpu(blender, look, name)
    except (CudaError, Unavailable, OSError, ValueError) as err:
        problems = [str(err)]
    for problem in problems:
        print(f"self-test: {problem}")
    print("self-test: failed" if problems else "self-test: passed")
    return 1 if problems else 0


def check_cpu() -> list[str]:
    """Return the problems of the CPU's results."""
    digest = hashlib.sha256()
    for result in results(CpuBlender(), Look()):
        digest.update(result.tobytes())
    if digest.hexdigest() == CHECKSUM:
        print(f"cpu: {len(CASES)} blends, sha256 {CHECKSUM[:12]} as stored")
        return []
    return [f"cpu: sha256 is {digest.hexdigest()}, not {CHECKSUM}"]


def check_gpu(blender: object, look: Look, name: str) -> list[str]:
    """Return the problems of the GPU's results: each value must be within 1 of the CPU's."""
    pairs = zip(results(blender, look), results(CpuBlender(), look), strict=True)
    gaps = [int(np.abs(a.astype(int) - b.astype(int)).max()) for a, b in pairs]
    print(f"gpu: {len(gaps)} blends, {name}, largest difference from the cpu {max(gaps)}/255")
    return [f"gpu: {name}, blend {i} differs by {gap}/255" for i, gap in enumerate(gaps) if gap > 1]


def results(blender: object, look: Look) -> list[Bytes]:
    """Return the blends of all cases."""
    found = []
    for seed, (picture, patch, (x, y)) in enumerate(CASES):
        images = generate(*picture, seed), generate(*patch, seed + 100)
        mask = generate_mask(*patch)
        found.append(blend_into(blender, *images, mask, x, y, look))
    return found


def generate(height: int, width: int, seed: int) -> Bytes:
    """Return a picture of gradients and fine grain, in integers only."""
    y, x = np.indices((height, width), np.int64)
    grain = (x * 7919 + y * 104729 + seed * 1299709) * 2654435761 % 4294967296 >> 27
    channels = [(x * (2 + seed % 3) + y + grain) % 256, (y * 3 + 40 * seed + grain) % 256]
    channels.append((x + y + 2 * grain + 90) % 256)
    return np.stack(channels, axis=-1).astype(np.uint8)


def generate_mask(height: int, width: int) -> Bytes:
    """Return a soft diamond."""
    y, x = np.indices((height, width), np.int64)
    distance = abs(2 * x + 1 - width) * height + abs(2 * y + 1 - height) * width
    return np.clip(765 - 765 * distance // (height * width), 0, 255).astype(np.uint8)

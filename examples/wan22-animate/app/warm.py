"""Weights into the page cache while the worker waits for a job, in the order in which Wan reads them."""

import threading
import time
from pathlib import Path

from log import debug, log
from modellist import ModelList

CHUNK = 8 << 20
SHARE = 0.8
"""Of the free memory that weights may take: Wan itself needs some."""

# Of cgroups, the second and the first version: the limit, and what is in use.
CGROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)

# Preprocessing first, then generate.py: text encoder, CLIP, VAE, the model itself.
ORDER = (
    "process_checkpoint/", "models_t5", "google/", "models_clip", "xlm-roberta", "Wan2.1_VAE",
    "config.json", "diffusion_pytorch_model",
)  # fmt: skip


def start(folder: Path, found: ModelList, stop: threading.Event) -> None:
    """Read the weights in the background, until stop."""
    threading.Thread(target=run, args=(folder, found, stop, free_memory()), daemon=True).start()


def run(folder: Path, found: ModelList, stop: threading.Event, memory: int) -> bool:
    """Read the weights if they fit; return whether all of them were read."""
    if found.size > memory * SHARE:
        log(f"weights: not read ahead: {found.size / 1e9:.1f} GB, and {memory / 1e9:.1f} GB of memory are free")
        return False
    started = time.monotonic()
    for path in order(found):
        try:
            if not _read(folder / path, stop):
                return False
        except OSError as err:
            debug(f"weights: reading ahead ended: {err.strerror}")
            return False
    log(f"weights: in the page cache after {time.monotonic() - started:.0f} s")
    return True


def order(found: ModelList) -> list[str]:
    """Return the files' paths in the order of their use; what isn't in it is seldom used and comes last."""
    return sorted((file.path for file in found.files), key=lambda path: (_rank(path), path))


def _rank(path: str) -> int:
    return next((at for at, name in enumerate(ORDER) if path.startswith(name)), len(ORDER))


def _read(path: Path, stop: threading.Event) -> bool:
    buffer = bytearray(CHUNK)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            if stop.is_set():
                return False
    return not stop.is_set()


def free_memory(root: Path = Path("/")) -> int:
    """Return the bytes that are free in this machine and in this container, whichever are less."""
    info = _text(root / "proc/meminfo")
    free = [int(line.split()[1]) * 1024 for line in info.splitlines() if line.startswith("MemAvailable:")]
    for limit, used in CGROUPS:
        bounds = [_text(root / "sys/fs/cgroup" / name).strip() for name in (limit, used)]
        if all(bound.isdigit() for bound in bounds):
            free.append(int(bounds[0]) - int(bounds[1]))
    return max(0, min(free, default=0))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

"""Is there a GPU? Asked of the driver itself, in a process of its own, before anything heavy is imported."""

import ctypes
import subprocess
import sys
from pathlib import Path

from errors import StartError

SECONDS = 60.0
NO_DRIVER = 99
"""The exit code where there is no libcuda."""

FAULTS = {
    100: "the driver sees no GPU: start the container with one (--gpus all)",
    802: "the system isn't ready: its NVSwitch fabric is starting or broken; use another machine",
    803: "the driver and its library don't match: update the machine's driver",
    804: "the driver is too old for this image's CUDA: choose CUDA 12.4 or later in the endpoint's settings",
}


def check(program: tuple[str, ...] = (sys.executable, str(Path(__file__).resolve()))) -> None:
    """Raise a StartError when there is no GPU that can be used."""
    try:
        done = subprocess.run(program, capture_output=True, timeout=SECONDS, text=True)  # noqa: S603
    except subprocess.TimeoutExpired:
        words = f"no GPU: the driver didn't answer within {SECONDS:.0f} s: use another machine"
        raise StartError(words) from None
    if done.returncode != 0:
        why = explain(done.returncode, done.stdout.strip())
        raise StartError(f"no GPU: {why} (REQUIRE_GPU=0 starts without one)")


def explain(code: int, said: str) -> str:
    """Return why there is none."""
    if code == NO_DRIVER:
        return "libcuda.so.1 is not here: start the container with the NVIDIA runtime (--gpus all)"
    number = int(said) if said.isdigit() else -1
    return FAULTS.get(number, f"cuInit failed with {said or code}")


def main(library: str = "libcuda.so.1") -> int:
    """Ask the driver; print the code of its fault."""
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        return NO_DRIVER
    count = ctypes.c_int()
    code = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) or (0 if count.value else 100)
    print(code)
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main())

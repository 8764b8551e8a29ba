"""Is there a GPU, and which? A separate process asks the driver: the worker holds no context."""

import ctypes
import json
import subprocess
import sys
from pathlib import Path

from errors import StartError
from plan import Card

SECONDS = 60.0
NO_DRIVER = 99
"""The exit code where there is no libcuda."""

PROBLEMS = {
    100: "the driver sees no GPU: start the container with one (--gpus all)",
    802: "the system isn't ready: its NVSwitch fabric is starting or broken; use another machine",
    803: "the driver and its library don't match: update the machine's driver",
    804: "the driver is too old for this image's CUDA: choose CUDA 12.4 or later in the endpoint's settings",
}


def check(program: tuple[str, ...] = (sys.executable, str(Path(__file__).resolve()))) -> Card:
    """Return the GPU, or raise a StartError if there is no usable one."""
    try:
        done = subprocess.run(program, capture_output=True, timeout=SECONDS, text=True)  # noqa: S603
    except subprocess.TimeoutExpired:
        words = f"no GPU: the driver didn't answer within {SECONDS:.0f} s: use another machine"
        raise StartError(words) from None
    if done.returncode != 0:
        why = explain(done.returncode, done.stdout.strip())
        raise StartError(f"no GPU: {why} (REQUIRE_GPU=0 starts without one)")
    return Card(**json.loads(done.stdout))


def explain(code: int, said: str) -> str:
    """Return why there is no GPU."""
    if code == NO_DRIVER:
        return "libcuda.so.1 is missing: start the container with the NVIDIA runtime (--gpus all)"
    number = int(said) if said.isdigit() else -1
    return PROBLEMS.get(number, f"cuInit failed with {said or code}")


def main(library: str = "libcuda.so.1") -> int:
    """Ask the driver; print the first GPU's name and memory, or the error code."""
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        return NO_DRIVER
    count, device, total = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(256)
    code = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) or (0 if count.value else 100)
    code = code or cuda.cuDeviceGet(ctypes.byref(device), 0) or cuda.cuDeviceGetName(name, len(name), device)
    code = code or cuda.cuDeviceTotalMem_v2(ctypes.byref(total), device)
    print(code or json.dumps({"name": name.value.decode(errors="replace"), "total": total.value}))
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main())

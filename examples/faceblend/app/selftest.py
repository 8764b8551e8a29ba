"""Shows that the image works where it runs: generated pictures, a known result."""

import hashlib

import numpy
from faceblend_native import open_device
from faceblend_native.device import CPU

from faceblend import blend
from model import built_in, load

EXPECTED = "5906c49d71c18b6fd3ef1363c6689ae579eb590104baf8705c94bd543d78a6c6"


def pictures() -> tuple[numpy.ndarray, numpy.ndarray]:
    """A picture of 320 x 240 and a patch of 97 x 81, from integers alone."""
    y, x = numpy.mgrid[0:240, 0:320]
    picture = numpy.stack([x * 7 + y * 3, x * y // 5, x * 2 + y * y // 11], axis=-1) % 256
    y, x = numpy.mgrid[0:81, 0:97]
    patch = numpy.stack([x * 2 + 40, y * 2 + x // 2, (x - 48) ** 2 + (y - 40) ** 2], axis=-1) % 256
    return picture.astype(numpy.uint8), patch.astype(numpy.uint8)


def run(folder: str, require_gpu: bool) -> bool:
    """Prints what it finds; says whether all of it is right. Weights are not needed."""
    device = open_device(require_gpu)
    print(f"device: {device.name}")
    picture, patch = pictures()
    reference = blend(CPU(), built_in(), picture, patch, 111, 77)
    digest = hashlib.sha256(reference.tobytes()).hexdigest()
    ok = digest == EXPECTED
    print(f"cpu result: {digest} {'as expected' if ok else 'instead of ' + EXPECTED}")
    result = blend(device, built_in(), picture, patch, 111, 77)
    worst = int(numpy.abs(result.astype(int) - reference.astype(int)).max())
    print(f"largest difference on {device.name}: {worst}/255")
    model = load(folder)
    blend(device, model, picture, patch, 0, 0)
    print(f"model: {model.source}")
    return ok and worst <= 1

"""A look at the reference picture before the GPU is used: is there a face in it?

Only if insightface's detector is there already: it would fetch its models otherwise.
"""

import sys
from http import HTTPStatus
from pathlib import Path

import process
from errors import InputError, OutOfTime
from log import debug
from web import Clock

SECONDS = 60.0
NONE = 3
"""The exit code for a picture without a face."""


def check(home: Path, image: Path, clock: Clock) -> None:
    """Raise an InputError for a picture without a face; do nothing if that can't be told."""
    if not detector(home):
        return
    arguments = [sys.executable, str(Path(__file__).resolve()), str(home), str(image)]
    try:
        result = process.run(arguments, image.parent, clock.within(SECONDS), "looking for a face")
    except OutOfTime:
        clock.check("looking for a face")
        return
    if result.code == NONE:
        message = "image: no face was found: give a picture with a visible face"
        raise InputError(message, HTTPStatus.UNPROCESSABLE_ENTITY)
    if result.code != 0:
        debug(f"the face detector failed: {result.last}")


def detector(home: Path) -> Path | None:
    """Return the file of the face detector, or None."""
    found = sorted((home / "models" / "buffalo_l").glob("det_*.onnx"))
    return found[0] if found else None


def count(home: Path, image: Path) -> int:
    """Return the number of faces in a picture: it opens only the detector, by its file."""
    import cv2
    from insightface.model_zoo import get_model

    model = get_model(str(detector(home)), providers=["CPUExecutionProvider"])
    model.prepare(ctx_id=-1, input_size=(640, 640), det_thresh=0.5)
    boxes, _ = model.detect(cv2.imread(str(image)))
    return len(boxes)


if __name__ == "__main__":
    sys.exit(0 if count(Path(sys.argv[1]), Path(sys.argv[2])) else NONE)

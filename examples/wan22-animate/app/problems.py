"""Why one of Wan's programs failed, judged by its last output."""

import re
import signal
from http import HTTPStatus

from errors import JobError, disk_full
from log import scrub
from process import FULL, Result

CUT = 6
"""Lines of a program's output that go into an error."""

NO_FACE = "no face was found: give a video with one person's face visible in every frame, and a picture of one person"

NO_BODY = "no person was found in the driving video: give one with a person visible in every frame"

MEMORY = re.compile(
    r"CUDA out of memory|OutOfMemoryError|CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED|"
    r"CUDNN_STATUS_ALLOC_FAILED|CUDA failure 2:|Failed to allocate memory for requested buffer"
)
DEVICE = re.compile(
    r"CUDA error|CUDA failure|cudaError|no CUDA-capable device|Found no NVIDIA driver|CUDNN_STATUS|CUBLAS_STATUS|"
    r"illegal memory access|device-side assert|uncorrectable (?:ECC|NVLink)|GPU is lost|Torch not compiled with CUDA"
)
HOST_MEMORY = re.compile(
    r"^(?:\w+\.)*MemoryError\b|DefaultCPUAllocator: can't allocate|Cannot allocate memory", re.MULTILINE
)

# Preprocessing fails in the first on an empty mask (Wan2.2 issue 300); SAM 2 prints the second
# where no pose gave it a point; upstream lacks the third if the first frame has no body; the
# last is preprocess.py's own.
BODY = re.compile(
    r"\bget_mask_boxes\b|at least one of points or box must be provided|\blast_kp2ds_body\b|no person was found in the film"
)

# OpenCV and NumPy print these where a face's box is empty or missing.
FACE = re.compile(
    r"!ssize\.empty\(\)|cannot convert float NaN to integer|zero-size array to reduction|"
    r"no (?:person|face)s? (?:was |were )?(?:found|detected)",
    re.IGNORECASE,
)
UNREADABLE_VIDEO = re.compile(
    r"DECORDError|decord\._ffi|cannot find video stream|Error sending packet|ZeroDivisionError"
)
UNREADABLE_IMAGE = re.compile(r"'NoneType' object is not subscriptable|OpenCV.*imread")
WEIGHTS = re.compile(
    r" is not existed!|No such file or directory: .*(?:\.pth|\.safetensors|\.ckpt|\.pt|\.onnx|\.json)|"
    r"Error while deserializing header|PytorchStreamReader failed|Deserialize tensor .* failed"
)


def of(doing: str, result: Result) -> JobError:
    """Return the error for a program that failed."""
    said = result.text
    if FULL.search(said):
        return disk_full()
    if MEMORY.search(said):
        return JobError(
            f"{doing}: the GPU's memory is too small: use a smaller resolution, PRECISION=fp8, or a larger GPU"
        )
    if DEVICE.search(said):
        return JobError(f"{doing}: the GPU failed: {_device(said)}", refresh=True)
    if HOST_MEMORY.search(said) or result.code == -signal.SIGKILL:
        cure = "use a shorter video, or a worker with more RAM"
        return JobError(f"{doing}: probably killed because memory ran out: {cure}")
    if WEIGHTS.search(said):
        cure = "run handler.py --check model --deep"
        return JobError(f"{doing}: the weights are incomplete or damaged: {cure}: {result.last}")
    return _of_input(doing, said) or _unknown(doing, result)


def lacking(doing: str, what: str, result: Result) -> JobError:
    """Return the error for a program that exited with 0 but left something out."""
    if FULL.search(result.text):
        return disk_full()
    said = result.last or "none"
    return JobError(f"{doing} reported no error, but didn't write {what}; its last line: {said}")


def _of_input(doing: str, said: str) -> JobError | None:
    for pattern, message in (
        (BODY, NO_BODY),
        (FACE, NO_FACE),
        (UNREADABLE_IMAGE, "the picture can't be decoded: give another file"),
        (UNREADABLE_VIDEO, "the video can't be decoded: convert it to mp4 (h264)"),
    ):
        if doing == "preprocessing" and pattern.search(said):
            return JobError(message, HTTPStatus.UNPROCESSABLE_ENTITY)
    return None


def _unknown(doing: str, result: Result) -> JobError:
    lines = [scrub(line).strip()[:300] for line in result.text.splitlines() if line.strip()][-CUT:]
    said = " | ".join(lines) if lines else "it printed nothing"
    if result.code in CRASHES:
        # Inside a library, on some machines with some films (Wan2.2 issue 322).
        name = signal.Signals(-result.code).name
        return JobError(f"{doing} crashed ({name}): send the job again, or another video: {said}", refresh=True)
    return JobError(f"{doing} {_end(result.code)}: {said}")


CRASHES = tuple(-number for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL))


def _end(code: int | None) -> str:
    if code is None:
        return "failed"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"failed with exit code {code}" if code else "wrote nothing"


def _device(said: str) -> str:
    lines = [line for line in said.splitlines() if DEVICE.search(line)]
    return scrub(lines[-1]).strip()[:300]

"""Service: the blender with its model, whether it is ready, and how busy it is."""

import enum
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from log import log
from model import Model, load_model
from pictures import Job

from faceblend_native import Blender, blend_into, open_blender
from faceblend_native.cuda import CudaError

CONCURRENT_BLENDS = 4
"""More wait, each holding only its pictures: a blend needs several times their memory."""


class Status(enum.Enum):
    """The service's state."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class NotReady(Exception):
    """The service can't blend, now or ever (see Status)."""


class Service:
    """Blends jobs once load has found a device and the model."""

    def __init__(self, device: str, model_path: str) -> None:
        self._wanted, self._model_path = device, model_path
        self._blender: Blender | None = None
        self._model: Model | None = None
        self._slots = threading.BoundedSemaphore(CONCURRENT_BLENDS)
        self._changed = threading.Condition()
        self._requests = 0
        self.status = Status.LOADING
        self.detail = ""

    def load(self) -> None:
        """Open the device and read the model; status records a failure."""
        try:
            self._model = load_model(self._model_path)
            self._blender, why = open_blender(self._wanted)
        except Exception as err:  # /ping must report any error
            self._fail(err)
            return
        self.detail = why
        self.status = Status.READY
        note = f" ({why})" if why else ""
        log(f"ready on {self._blender.device}{note}; {self._model.source}")

    def _fail(self, err: Exception) -> None:
        self.detail = f"{type(err).__name__}: {err}"
        self.status = Status.FAILED
        log(f"failed: {self.detail}")

    def info(self) -> dict[str, object]:
        """Return what is running, for people."""
        return {
            "name": "faceblend",
            "status": self.status.value,
            "detail": self.detail,
            "device": self._blender.device if self._blender else None,
            "weights": self._model.source if self._model else None,
        }

    def blend(self, job: Job) -> tuple[object, str]:
        """Return the blended picture and the device that made it."""
        if self.status is not Status.READY or not self._blender or not self._model:
            raise NotReady(self.detail or "still loading")
        with self._slots:
            mask = job.mask if job.mask is not None else self._model.face_mask(*job.patch.shape[:2])
            try:
                picture = blend_into(
                    self._blender, job.picture, job.patch, mask, job.x, job.y, self._model.look
                )
            except CudaError as err:  # the context is lost: /ping must report it for a restart
                self._fail(err)
                raise NotReady(self.detail) from err
        return picture, self._blender.device

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request that drain waits for."""
        with self._changed:
            self._requests += 1
        try:
            yield
        finally:
            with self._changed:
                self._requests -= 1
                self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Wait for the requests that have begun; False if some are left."""
        with self._changed:
            return self._changed.wait_for(lambda: self._requests == 0, seconds)

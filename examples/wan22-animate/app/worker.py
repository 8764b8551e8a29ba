"""The worker: whether it is ready, the one job it runs, and how both end."""

import enum
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import deliver
import embed
import estimate
import fields
import directory
import job as jobs
import plan
import weights
from errors import InputError, JobError, Stopped
from log import log
from resident import Resident
from settings import Settings
from web import Clock

GRACE = 10.0
"""Seconds before Runpod's own timeout, in which a job that took too long reports its error."""


class Status(enum.Enum):
    """The worker's state."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class Busy(JobError):
    """Another job is running."""

    def __init__(self) -> None:
        super().__init__("another job is running: send this one again", HTTPStatus.TOO_MANY_REQUESTS)


class Worker:
    """Runs jobs, one at a time, once it has weights."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stop = threading.Event()
        """Set once, when the worker is told to stop."""
        self.status, self.detail = Status.LOADING, ""
        self.model = Path()
        self.resident = Resident(self.fail)
        self.card: plan.Card | None = None
        self.plan = plan.Plan()
        self.speed = estimate.Speed()
        """The card's speed, as far as it is known."""
        self.models: dict[str, Path] = {}
        """The directories of the image's models, by name."""
        self._slot = threading.Lock()
        self._job_stop = threading.Event()

    def ready(self, model: Path) -> None:
        """Accept jobs from now on."""
        self.model = model
        if self.status is Status.FAILED:
            return  # the pipeline failed first
        self.status = Status.READY
        log("ready")

    def fail(self, detail: str) -> None:
        """Accept no jobs, and report why."""
        self.status, self.detail = Status.FAILED, detail
        log(f"not ready: {detail}")

    def end(self) -> None:
        """Stop the running job, and accept no other."""
        self.stop.set()
        self._job_stop.set()

    def close(self) -> None:
        """End the process that outlives jobs, once the last job is over."""
        self.resident.close()

    def drop(self) -> None:
        """Stop the running job only."""
        self._job_stop.set()

    def running(self) -> bool:
        """Tell whether a job is running."""
        return self._slot.locked()

    def idle(self, seconds: float) -> bool:
        """Wait until the running job is over and its files are removed; False on a timeout."""
        if free := self._slot.acquire(timeout=seconds):
            self._slot.release()
        return free

    def run(self, name: str, given: object, tell: Callable[[dict], None]) -> dict:
        """Return a job's result; a failure is logged, and raised as a JobError."""
        with self.slot():
            return self.work(name, given, tell)

    def work(self, name: str, given: object, tell: Callable[[dict], None]) -> dict:
        """Do the same for a caller that has the slot already."""
        started = time.monotonic()
        try:
            result = self._guarded(name, given, tell)
        except JobError as err:
            log(f"job {name}: failed: {err}")
            raise
        log(f"job {name}: done in {time.monotonic() - started:.0f} s")
        return result

    def _guarded(self, name: str, given: object, tell: Callable[[dict], None]) -> dict:
        try:
            return self._run(name, given, tell)
        except JobError:
            raise
        except Exception as err:
            log(f"job {name}: internal error: {where(err)}")
            raise JobError("internal error: see the worker's log") from err

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold the slot of the one job."""
        if not self._slot.acquire(blocking=False):
            raise Busy
        try:
            self._job_stop.clear()
            if self.stop.is_set():
                raise Stopped
            yield
        finally:
            self._slot.release()

    def _run(self, name: str, given: object, tell: Callable[[dict], None]) -> dict:
        settings = self.settings
        if self.status is not Status.READY:
            why = self.detail or self.status.value
            failed = self.status is Status.FAILED
            raise JobError(f"the worker is not ready: {why}", HTTPStatus.SERVICE_UNAVAILABLE, refresh=failed)
        clock = Clock(settings.job_timeout - min(GRACE, settings.job_timeout / 20), self._job_stop)
        job = fields.parse(given, fields.Sizes(settings.max_video, settings.max_image, settings.max_area, settings.steps))
        self._check(job)
        with directory.of_job(settings.processing, name) as home:
            run = jobs.Run(settings, self.model, job, home, clock, _teller(name, tell))
            return jobs.run(run, self.resident, self.speed, self._learn, deliver.bucket())

    def _check(self, job: fields.Job) -> None:
        """Raise an InputError for a job that this worker can't do, even if others can."""
        text = weights.TEXT_ENCODER in self.models
        if self.card:
            plan.check(self.plan, self.card, job.width, job.height, text)
        for prompt in filter(None, (job.prompt, job.negative_prompt)):
            if not text:
                embed.check(prompt)
        if job.relighting and weights.RELIGHTING not in self.models:
            raise InputError("relighting: its LoRA is not in this image: leave it out")

    def _learn(self, speed: estimate.Speed) -> None:
        self.speed = speed


def _teller(name: str, tell: Callable[[dict], None]) -> jobs.Tell:
    """Return a function that logs and forwards progress, each step once."""
    last: list[tuple] = []

    def told(stage: str, percent: int | None = None, **more: int) -> None:
        if last == [(stage, percent, more)]:
            return
        last[:] = [(stage, percent, more)]
        known = {"percent": percent} | {key: value for key, value in more.items() if value}
        said = ", ".join(f"{key} {value}" for key, value in known.items() if value is not None)
        log(f"job {name}: {stage}" + (f" ({said})" if said else ""))
        tell({"stage": stage} | {key: value for key, value in known.items() if value is not None})

    return told


def where(err: Exception) -> str:
    """Return an error's type and place, without its message, which may quote a URL."""
    frames = traceback.extract_tb(err.__traceback__)[-3:]
    return f"{type(err).__name__} at " + ", ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames)

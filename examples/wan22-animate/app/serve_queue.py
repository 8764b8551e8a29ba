"""A queue worker: Runpod's SDK takes jobs, and calls the handler from here."""

import asyncio
import os
import time
from collections.abc import Callable

from errors import JobError
from log import log
from signals import Signals
from worker import Worker

TELL_SECONDS = 3.0
"""Between two updates of a job's progress: the SDK sends each in its own thread."""
END_SECONDS = 8.0
SEND_SECONDS = 2.0


def serve(worker: Worker, signals: Signals) -> int:
    """Take jobs until told to stop."""
    # Two of the SDK's own checks import torch and allocate on the GPU in this process, which would keep
    # half a gigabyte of it. The driver was asked before, and the pipeline computes on the GPU.
    os.environ.setdefault("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS", "true")
    import runpod

    signals.end = lambda: leave(worker)
    runpod.serverless.start({
        "handler": handler(worker, _progress(runpod)),
        "concurrency_modifier": one_at_a_time(signals),
    })  # fmt: skip
    return 0


def handler(worker: Worker, tell: Callable[[dict, dict], None]) -> Callable:
    """Return the SDK's job handler; the work runs in a thread, so that the SDK's loop continues."""

    async def handle(job: dict) -> dict:
        name = str(job.get("id", "job"))
        work = asyncio.ensure_future(asyncio.to_thread(_run, worker, name, job, tell))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:  # the job was cancelled at Runpod
            worker.drop()
            await work
            raise

    return handle


def _run(worker: Worker, name: str, job: dict, tell: Callable[[dict, dict], None]) -> dict:
    try:
        return worker.run(name, job.get("input"), lambda progress: tell(job, progress))
    except JobError as err:
        return {"error": str(err)} | ({"refresh_worker": True} if err.refresh else {})


def _progress(runpod: object) -> Callable[[dict, dict], None]:
    """Return a function that forwards progress, not too often, and never fails the job."""
    sent: dict[str, tuple[float, str]] = {}

    def tell(job: dict, progress: dict) -> None:
        now, (last, stage) = time.monotonic(), sent.get(job.get("id", ""), (0.0, ""))
        if progress["stage"] == stage and now - last < TELL_SECONDS:
            return
        sent.clear()
        sent[job.get("id", "")] = now, progress["stage"]
        try:
            runpod.serverless.progress_update(job, progress)
        except Exception as err:  # whatever the SDK raises
            log(f"can't report progress: {type(err).__name__}")

    return tell


def one_at_a_time(signals: Signals) -> Callable[[int], int]:
    """Return a function that tells the SDK how many jobs to take.

    The SDK calls it after setting its own SIGTERM handler, which lets a job run on and waits
    90 s for another one: ours replaces it.
    """

    def jobs(_: int) -> int:
        signals.install()
        return 1

    return jobs


def leave(worker: Worker) -> None:
    """End the job, let the SDK send its error, and end the process."""
    log("told to stop")
    running = worker.running()
    worker.end()
    if running:
        worker.idle(END_SECONDS)
        time.sleep(SEND_SECONDS)
    worker.close()
    log("stopped")
    os._exit(0)

"""The start of a worker: GPU, cleanup, weights, and the process that loads them; then it is ready."""

import json
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path

import estimate
import fields
import directory
import gpu
import plan
import wan
import weights
from errors import JobError, StartError
from log import log, scrub
from settings import Settings
from web import Clock
from worker import Worker, where

PROGRAM = Path(__file__).with_name("pipeline_main.py")


def prepare(worker: Worker) -> None:
    """Make a worker ready, or record in it why it can't be."""
    try:
        _prepare(worker)
    except (StartError, JobError) as err:
        worker.fail(str(err))
    except Exception as err:  # /ping must report any error
        log(f"internal error: {type(err).__name__}: {scrub(str(err))}")
        worker.fail(f"internal error: {where(err)}")  # the message may hold paths or a URL


def _prepare(worker: Worker) -> None:
    settings = worker.settings
    if settings.require_gpu:
        worker.card = gpu.check()
        worker.speed = estimate.of_card(worker.card.name)
    directory.cleanup(settings.processing)
    if not (settings.wan_home / wan.PREPROCESS).is_file():
        raise StartError("WAN_HOME has no Wan2.2: build the image again")
    worker.models = weights.of_all(settings, worker.stop)
    if worker.card:
        want = plan.Want(settings.precision, settings.stream)
        worker.plan = plan.plan(worker.card, *largest(settings.max_area), want, weights.TEXT_ENCODER in worker.models)
        log(f"plan for {worker.card.name}: {worker.plan}")
    worker.resident.begin(pipeline(settings, worker.models, worker.plan))
    if settings.preload:
        worker.resident.wait(Clock(math.inf, worker.stop))
    worker.ready(worker.models[""])


def largest(area: int) -> tuple[int, int]:
    """Return the sides of the largest films that a worker allows."""
    return next((sides for sides in fields.DEFAULTS if sides[0] * sides[1] <= area), fields.DEFAULTS[-1])


def pipeline(settings: Settings, models: dict[str, Path], made: plan.Plan) -> list[str]:
    """Return the command of the process that holds the models."""
    setup = {"models": {name: str(path) for name, path in models.items()}, "plan": asdict(replace(made, moments=()))}
    return [sys.executable, str(PROGRAM), "--pipeline", str(settings.pipeline), "--setup", json.dumps(setup)]

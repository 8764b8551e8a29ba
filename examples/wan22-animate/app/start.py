"""The start of a worker: a GPU, no leftovers, weights; then it is ready."""

import threading

import folder
import gpu
import modellist
import wan
import warm
import weights
from errors import JobError, StartError
from log import log, scrub
from worker import Worker, where


def prepare(worker: Worker) -> None:
    """Make a worker ready, or say in it why it can't be."""
    try:
        _prepare(worker)
    except (StartError, JobError) as err:
        worker.fail(str(err))
    except Exception as err:  # whatever it is, /ping has to tell it
        log(f"internal error: {type(err).__name__}: {scrub(str(err))}")
        worker.fail(f"internal error: {where(err)}")  # the message may have paths or an address in it


def _prepare(worker: Worker) -> None:
    settings = worker.settings
    if settings.require_gpu:
        gpu.check()
    folder.sweep(settings.processing)
    if not (settings.wan_home / wan.GENERATE).is_file():
        raise StartError("Wan2.2 is not where WAN_HOME says: build the image again")
    found = modellist.read(settings.model_list)
    worker.models = weights.of_all(settings, worker.stop)
    model = worker.models[""]
    if settings.warm:
        cold = threading.Event()
        worker.generating = cold.set  # by then generate.py reads them itself
        warm.start(model, found, cold)
    else:
        log("weights: not read ahead (WARM=0)")
    worker.ready(model)

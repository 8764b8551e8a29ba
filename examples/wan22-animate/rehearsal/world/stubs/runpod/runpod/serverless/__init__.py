"""Runs one job, as the SDK does where it isn't on Runpod.

The job is the JSON after --test_input, else test_input.json in the directory. Its result is told
on standard output, and an error or a missing job ends the program with 1.
"""

import argparse
import asyncio
import inspect
import json
import os
import pathlib
import signal
import sys
import traceback
from collections.abc import Callable


def start(config: dict) -> None:
    print("--- Starting Serverless Worker |  Version @VERSION@ ---", flush=True)
    signal.signal(signal.SIGINT, lambda number, frame: sys.exit(0))
    options = arguments()
    if os.environ.get("RUNPOD_WEBHOOK_GET_JOB") and not options.test_input:
        raise NotImplementedError("a rehearsal has no Runpod to ask for jobs: give --test_input")
    job = local_job(options)
    result = asyncio.run(run_job(config["handler"], job))
    if result.get("error"):
        log("ERROR", f"Job {job['id']} failed with error: {result['error']}")
        sys.exit(1)
    log("INFO", f"Job {job['id']} completed successfully.")
    log("INFO", f"Job result: {result}")
    log("INFO", "Local testing complete, exiting.")
    sys.exit(0)


def arguments() -> argparse.Namespace:
    """Returns the SDK's own arguments and takes them away from the program's."""
    parser = argparse.ArgumentParser(prog="runpod")
    parser.add_argument("--test_input")
    parser.add_argument("--rp_log_level")
    options, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    return options


def local_job(options: argparse.Namespace) -> dict:
    if options.test_input:
        job = json.loads(options.test_input)
    elif os.path.exists("test_input.json"):
        job = json.loads(pathlib.Path("test_input.json").read_text())
    else:
        log("WARN", "test_input.json not found, exiting.")
        sys.exit(1)
    if job.get("input") is None:
        log("ERROR", "Job has no input parameter. Unable to run.")
        sys.exit(1)
    return {"id": "local_test", **job}


async def run_job(handler: Callable, job: dict) -> dict:
    try:
        output = handler(job)
        if inspect.isawaitable(output):
            output = await output
    except Exception as err:
        return {"error": json.dumps({"error_type": str(type(err)), "error_message": str(err), "error_traceback": traceback.format_exc()})}
    if not isinstance(output, dict):
        return {"output": output}
    result = {"output": {name: value for name, value in output.items() if name not in ("error", "refresh_worker")}}
    if output.get("error"):
        result["error"] = output["error"]
    if output.get("refresh_worker"):
        result["stopPod"] = True
    return result if result["output"] else {name: value for name, value in result.items() if name != "output"}


def progress_update(job: dict, progress: object) -> None:
    log("INFO", f"Progress of {job['id']}: {progress}")


def register_fitness_check(check: Callable) -> Callable:
    return check


def log(level: str, text: str) -> None:
    print(f"{level:7}| {text}", flush=True)

#!/usr/bin/env python3
"""wan22-animate: animates a reference picture by a driving video, or replaces the person in the video.

handler.py                     runs a Runpod worker: on a queue or, with WORKER_MODE=load-balancing, over HTTP
handler.py --check versions    runs a smoke test; the others are model [--deep], prompt and gpu
handler.py --embed PROMPT      makes a prompt's prompt.safetensors, for images without the text encoder

fields.py documents a job's input, settings.py reads the environment.
"""

import argparse
import os
import sys
import threading
import time
from pathlib import Path

import checks
import embed
import privileges
import serve_http
import serve_queue
import settings
import start
import weights
from errors import StartError
from log import log
from signals import Signals
from worker import Worker

END_SECONDS = 8.0


def main(arguments: list[str]) -> int:
    """Run the worker or a check, and return the exit code."""
    parser = argparse.ArgumentParser(description="Wan2.2-Animate for Runpod", allow_abbrev=False)
    parser.add_argument("--check", choices=("versions", "model", "prompt", "gpu"), help="check the image and exit")
    parser.add_argument(
        "--embed", metavar="PROMPT", help="make the prompt's tensor and exit; an empty prompt means the model's own"
    )
    parser.add_argument("--to", type=Path, default=Path(embed.FILE.name), help="with --embed: the file (%(default)s)")
    parser.add_argument("--deep", action="store_true", help="with --check model: also read the files")
    options, _ = parser.parse_known_args(arguments)  # the others are the SDK's: --test_input, --rp_serve_api
    try:
        found = settings.read(os.environ)
        if options.check:
            return checks.run(options.check, options.deep, found)
        if options.embed is not None:
            return embed_prompt(options.embed, options.to, found)
        privileges.leave(found)
    except StartError as err:
        log(f"not started: {err}")
        return 2
    worker = Worker(found)
    signals = Signals(lambda: end(worker))
    signals.install()
    return serve_balanced(worker) if found.mode == settings.BALANCED else serve_jobs(worker, signals)


def embed_prompt(prompt: str, path: Path, found: settings.Settings) -> int:
    """Make a prompt's tensor, in an image that has the text encoder."""
    try:
        one = next((model for model in found.models if model.name == weights.TEXT_ENCODER), None)
        if not one:
            raise StartError("this image has no text encoder: use a variant that has one")
        directory = weights.of(found, one, threading.Event())
        print(f"{path}: {embed.make(prompt, embed.Encoder(directory), path)}")
    except (StartError, OSError) as err:
        print(f"embed: {err}")
        return 1
    return 0


def end(worker: Worker) -> None:
    """Stop the worker; the process then ends by itself, or else is ended after END_SECONDS."""
    log("told to stop")
    worker.end()
    time.sleep(END_SECONDS + 1)
    os._exit(1)


def serve_jobs(worker: Worker, signals: Signals) -> int:
    """Get ready, then accept jobs: without weights or a GPU the process ends, and Runpod starts another."""
    start.prepare(worker)
    try:
        if worker.stop.is_set():
            return 0
        return 1 if worker.detail else serve_queue.serve(worker, signals)
    finally:
        worker.close()


def serve_balanced(worker: Worker) -> int:
    """Answer pings at once, and jobs once ready."""
    ports = worker.settings.port, worker.settings.health_port
    try:
        servers = [serve_http.Server(ports[0], worker)]
        if ports[1] != ports[0]:
            servers.append(serve_http.health_only(ports[1], worker))
    except (OSError, OverflowError) as err:
        log(f"not started: listening on the ports {ports[0]} and {ports[1]}: {err}")
        return 1
    for server in servers:
        log(f"listening on port {server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=start.prepare, args=(worker,), daemon=True).start()
    worker.stop.wait()
    worker.idle(END_SECONDS)  # the job is answered with an error
    worker.close()
    for server in servers:
        server.drain(END_SECONDS / 4)
    log("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

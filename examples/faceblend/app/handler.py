#!/usr/bin/env python3
"""faceblend: lays a face patch over a picture, with feathered edges and matched colours.

GET /       what is running
GET /ping   204 while loading, 200 when ready, 500 when it can't become ready
POST /blend a picture, a patch and its position, as JSON (see README.md)
"""

import argparse
import os
import signal
import sys
import threading

import selftest
from log import log
from server import Server
from service import Service

DRAIN_SECONDS = 10.0


def main(arguments: list[str]) -> int:
    """Run the service, or its self-test, and return the exit code."""
    parser = argparse.ArgumentParser(description="blend face patches into pictures")
    parser.add_argument("--self-test", action="store_true", help="blend generated pictures and exit")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    options = parser.parse_args(arguments)
    model = os.environ.get("MODEL_PATH", "")
    if options.self_test:
        return selftest.run(options.device, model)
    return serve(Service(options.device, model), os.environ.get("PORT", "8000"))


def serve(service: Service, port: str) -> int:
    """Answer requests until SIGTERM or SIGINT, then finish those that have begun."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = Server(int(port), service)
    except (OSError, OverflowError, ValueError) as err:
        log(f"listening on port {port!r}: {err}")
        return 1
    log(f"listening on port {server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=service.load, daemon=True).start()
    stop.wait()
    server.shutdown()
    server.server_close()
    log("stopped" if service.drain(DRAIN_SECONDS) else "stopped, requests cut off")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

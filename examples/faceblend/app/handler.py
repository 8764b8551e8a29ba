"""The service: GET /ping, POST /blend, GET /, and --self-test.

    GET  /ping    204 while loading, 200 when ready, 503 when loading failed
    POST /blend   {"picture": PPM, "patch": PPM, "x": 0, "y": 0} with binary PPM (P6) in base64
                  → {"picture": PPM, "device": "cpu"}
"""

import argparse
import base64
import binascii
import json
import os
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import faceblend_native

import faceblend
import model
import ppm
import selftest

MAX_BODY = 256 << 20


class Service:
    """The state that all requests share: loaded in the background, then only read."""

    def __init__(self, folder: str) -> None:
        self.device: faceblend_native.Device | None = None
        self.model: model.Model | None = None
        self.failure: str | None = None
        self._folder = folder

    def load(self) -> None:
        try:
            self.model = model.load(self._folder)
            self.device = faceblend_native.open_device()
        except Exception as err:  # whatever it is, /ping has to tell
            self.failure = f"{type(err).__name__}: {err}"
            print(f"loading: {self.failure}", file=sys.stderr, flush=True)

    def health(self) -> HTTPStatus:
        if self.failure is not None:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.NO_CONTENT if self.device is None else HTTPStatus.OK

    def blend(self, request: dict) -> dict:
        picture, patch = picture_of(request, "picture"), picture_of(request, "patch")
        out = faceblend.blend(self.device, self.model, picture, patch, whole(request, "x"), whole(request, "y"))
        return {"picture": base64.b64encode(ppm.write(out)).decode(), "device": self.device.name}


def picture_of(request: dict, key: str):
    text = request.get(key)
    if not isinstance(text, str):
        raise ValueError(f"{key} must be a PPM in base64")
    try:
        return ppm.read(base64.b64decode(text, validate=True))
    except binascii.Error as err:
        raise ValueError(f"{key} is not base64: {err}") from err
    except ValueError as err:
        raise ValueError(f"{key}: {err}") from err


def whole(request: dict, key: str) -> int:
    value = request.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} must be a whole number")
    return value


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    service: Service

    def do_GET(self) -> None:
        if self.path == "/ping":
            self.send(self.service.health())
        elif self.path == "/":
            self.send(HTTPStatus.OK, {"name": "faceblend", "usage": "POST /blend"})
        else:
            self.send(HTTPStatus.NOT_FOUND, {"error": f"nothing at {self.path}"})

    def do_POST(self) -> None:
        if self.path != "/blend":
            self.send(HTTPStatus.NOT_FOUND, {"error": f"nothing at {self.path}"})
            return
        if self.service.health() != HTTPStatus.OK:
            self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, self.service.failure or "still loading")
            return
        try:
            self.send(HTTPStatus.OK, self.service.blend(self.body()))
        except ValueError as err:
            self.refuse(HTTPStatus.BAD_REQUEST, str(err))

    def body(self) -> dict:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            raise ValueError(f"the body needs a Content-Length of at most {MAX_BODY}")
        request = json.loads(self.rfile.read(int(length)))
        if not isinstance(request, dict):
            raise ValueError("the body must be a JSON object")
        return request

    def refuse(self, status: HTTPStatus, reason: str) -> None:
        self.close_connection = True  # the body may not have been read
        self.send(status, {"error": reason})

    def send(self, status: HTTPStatus, answer: dict | None = None) -> None:
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(folder: str, port: int) -> None:
    Handler.service = Service(folder)
    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=Handler.service.load, daemon=True).start()
    # shutdown waits for serve_forever, which runs in this very thread.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    print(f"listening on port {server.server_port}", flush=True)
    with server:
        server.serve_forever()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--self-test", action="store_true", help="blend generated pictures, compare, and exit")
    parser.add_argument("--require-gpu", action="store_true", help="with --self-test: fail where there is no GPU")
    arguments = parser.parse_args()
    folder = os.environ.get("MODEL_PATH", "")
    if arguments.self_test:
        return 0 if selftest.run(folder, arguments.require_gpu) else 1
    serve(folder, int(os.environ.get("PORT", "8000")))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A load-balancing worker: jobs and health over HTTP.

GET  /ping        204 while loading, 200 when ready, 503 with a reason when it can't become ready
POST / or /run    takes a job's input as JSON, bare or as {"input": ...}; returns its result as JSON.
                  Closing the connection cancels the job, unless a result_url gets its result
"""

import json
import secrets
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from errors import JobError, Stopped
from web import Clock, ended
from worker import Status, Worker

MAX_BODY = 30 * 10**6
"""The limit of Runpod's load balancers."""
BODY_SECONDS = 60.0
"""Within which a request must arrive: it occupies the worker for that long."""
LOOK_SECONDS = 0.2
"""Between two looks at whether a job's sender is still there."""
LINGER_SECONDS = 2.0
"""How long a sender may be silent while the rest of a refused body is discarded."""

_PING = {
    Status.LOADING: HTTPStatus.NO_CONTENT,
    Status.READY: HTTPStatus.OK,
    Status.FAILED: HTTPStatus.SERVICE_UNAVAILABLE,
}
_ROUTES = {"/ping": "GET", "/": "POST", "/run": "POST"}


class Refusal(JobError):
    """An error status for a request, perhaps with headers."""

    def __init__(self, status: HTTPStatus, message: str, **headers: str) -> None:
        super().__init__(message, status)
        self.headers = headers


class Server(ThreadingHTTPServer):
    """Listens on all addresses; one thread per request."""

    request_queue_size = 64
    daemon_threads = True

    def __init__(self, port: int, worker: Worker, routes: dict[str, str] | None = None) -> None:
        super().__init__(("", port), Handler)
        self.worker, self.routes = worker, routes or _ROUTES
        self._open = 0
        self._changed = threading.Condition()

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Count the open requests."""
        with self._changed:
            self._open += 1
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Stop accepting requests, and wait for the open ones."""
        self.shutdown()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0, seconds)


def health_only(port: int, worker: Worker) -> Server:
    """Return a server for a separate health port."""
    return Server(port, worker, {"/ping": "GET"})


class Handler(BaseHTTPRequestHandler):
    """Answers one request per connection, so that stopping never waits for idle ones."""

    protocol_version = "HTTP/1.1"  # for "Expect: 100-continue"
    server_version, sys_version = "wan22-animate", ""
    timeout = 30
    server: Server

    def do_GET(self) -> None:  # noqa: N802 (the name is the library's)
        """Answer /ping."""
        self._answer("GET")

    def do_POST(self) -> None:  # noqa: N802
        """Run a job."""
        self._answer("POST")

    def _answer(self, method: str) -> None:
        try:
            self._try(method)
        except OSError:
            self.close_connection = True  # the sender is gone or fell silent

    def _try(self, method: str) -> None:
        try:
            self._route(method)
        except JobError as err:
            body = {"error": str(err)} | ({"refresh_worker": True} if err.refresh else {})
            self._send(err.status, body, getattr(err, "headers", {}))
            self._linger()

    def _linger(self) -> None:
        """Discard the rest of the request: closing with unread data would discard the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGER_SECONDS)
        left, end = 2 * MAX_BODY, time.monotonic() + BODY_SECONDS
        while left > 0 and time.monotonic() < end and (chunk := self.rfile.read1(1 << 16)):
            left -= len(chunk)  # by bytes: a slow machine reads few at a time

    def _route(self, method: str) -> None:
        path = self.path.partition("?")[0]
        allowed = self.server.routes.get(path)
        if allowed is None:
            paths = " or ".join(self.server.routes)
            raise Refusal(HTTPStatus.NOT_FOUND, f"no such path: use {paths}")
        if method != allowed:
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} accepts only {allowed}", Allow=allowed)
        if method == "GET":
            self._ping()
        else:
            self._run()

    def _ping(self) -> None:
        worker = self.server.worker
        if worker.stop.is_set():
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "stopping")
        failed = worker.status is Status.FAILED
        self._send(_PING[worker.status], {"error": worker.detail} if failed else {"status": worker.status.value})

    def _run(self) -> None:
        worker = self.server.worker
        if worker.status is not Status.READY:
            detail = worker.detail or worker.status.value
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"the worker is not ready: {detail}", Retry_After="5")
        name = f"http-{secrets.token_hex(4)}"
        try:
            with worker.slot():  # before reading the body: memory holds one large one
                given = self._input()
                with self._heeded(given):
                    result = worker.work(name, given, lambda _: None)
        except JobError as err:
            if err.refresh:
                worker.fail(str(err))  # /ping reports it, and the worker is replaced
            raise
        self._send(HTTPStatus.OK, result)

    @contextmanager
    def _heeded(self, given: object) -> Iterator[None]:
        """Stop the running job when nobody waits for its result any longer."""
        over = threading.Event()
        looking = threading.Thread(target=self._look, args=(over,), daemon=True)
        if not (isinstance(given, dict) and given.get("result_url")):
            looking.start()
        try:
            yield
        finally:
            over.set()
            if looking.ident:
                looking.join()  # or it might stop the next job

    def _look(self, over: threading.Event) -> None:
        gone = select.poll()
        gone.register(self.connection, select.POLLRDHUP)
        while not over.wait(LOOK_SECONDS):
            if gone.poll(0):
                self.server.worker.drop()
                return

    def _input(self) -> object:
        try:
            given = json.loads(self._body())
        except (ValueError, RecursionError):
            raise Refusal(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
        if isinstance(given, dict) and "input" in given:  # a queue's form, with its own keys
            return given["input"]
        return given

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "the request has no Content-Length")
        if len(length) > 12 or int(length) > MAX_BODY:
            words = f"the request is over {MAX_BODY} bytes: send URLs"
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
        return self._read(int(length))

    def _read(self, length: int) -> bytes:
        """Return the body; a slow sender holds up neither the worker nor its shutdown."""
        stop = self.server.worker.stop
        clock = Clock(BODY_SECONDS, stop)
        with ended(lambda: self.connection, clock, socket.SHUT_RD):
            body = self.rfile.read(length)
        if len(body) == length:
            return body
        if stop.is_set():
            raise Stopped
        if not clock.left():
            words = f"the request did not arrive within {BODY_SECONDS:g} s: send URLs"
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, words)
        raise Refusal(HTTPStatus.BAD_REQUEST, "the request ended early")

    def _send(self, status: HTTPStatus, body: dict, headers: dict[str, str] | None = None) -> None:
        content = b"" if status is HTTPStatus.NO_CONTENT else json.dumps(body).encode() + b"\n"
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        if content:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Report the library's own errors as JSON, too."""
        status = HTTPStatus(code)
        self._send(status, {"error": message or explain or status.phrase})

    def log_message(self, form: str, *arguments: object) -> None:
        """Log no requests: a job logs itself, and pings are frequent."""


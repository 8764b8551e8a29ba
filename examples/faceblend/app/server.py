"""The HTTP side: routes, limits, and errors as JSON."""

import json
import socket
import time
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pictures
from log import log
from service import NotReady, Service, Status

MAX_BODY = 80 << 20
"""Bytes; holds a picture and a patch of MAX_PIXELS each in base64."""

LINGER_SECONDS = 2.0
"""How long a sender may be silent while the rest of a refused body is discarded."""
LINGER_MOST = 60.0
"""How long all of that may take."""

_PING = {
    Status.LOADING: HTTPStatus.NO_CONTENT,
    Status.READY: HTTPStatus.OK,
    Status.FAILED: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_ROUTES = {"/": "GET", "/ping": "GET", "/blend": "POST"}


class Refusal(Exception):
    """A request that gets an error status; the message is for its sender."""

    def __init__(self, status: HTTPStatus, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


class Server(ThreadingHTTPServer):
    """Listens on all addresses; one thread per request."""

    request_queue_size = 64

    def __init__(self, port: int, service: Service) -> None:
        super().__init__(("", port), Handler)
        self.service = service


class Handler(BaseHTTPRequestHandler):
    """Answers one request per connection, so that stopping never waits for idle ones."""

    protocol_version = "HTTP/1.1"  # for "Expect: 100-continue"
    server_version, sys_version = "faceblend", ""
    timeout = 15
    server: Server

    def do_GET(self) -> None:  # noqa: N802 (the name is the library's)
        """Answer / and /ping."""
        self._answer("GET")

    def do_POST(self) -> None:  # noqa: N802
        """Answer /blend."""
        self._answer("POST")

    def _answer(self, method: str) -> None:
        with self.server.service.request():
            try:
                self._try(method)
            except (ConnectionError, TimeoutError):
                self.close_connection = True  # the sender is gone or fell silent

    def _try(self, method: str) -> None:
        try:
            self._route(method)
        except Refusal as err:
            self._send(err.status, {"error": str(err)}, err.headers)
            self._linger()
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            log(traceback.format_exc().rstrip())
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal error"})

    def _linger(self) -> None:
        """Discard the rest of the request: closing with unread data would discard the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGER_SECONDS)
        left, end = 2 * MAX_BODY, time.monotonic() + LINGER_MOST
        while left > 0 and time.monotonic() < end and (chunk := self.rfile.read1(1 << 16)):
            left -= len(chunk)  # by bytes: a slow machine reads few at a time

    def _route(self, method: str) -> None:
        path = self.path.partition("?")[0]
        allowed = _ROUTES.get(path)
        if allowed is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"there is no {path}")
        if method != allowed:
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {allowed}", Allow=allowed)
        if path == "/blend":
            self._blend()
        elif path == "/ping":
            self._ping()
        else:
            self._send(HTTPStatus.OK, self.server.service.info())

    def _ping(self) -> None:
        service = self.server.service
        status = service.status
        body = {"error": service.detail} if status is Status.FAILED else {"status": status.value}
        self._send(_PING[status], body)

    def _blend(self) -> None:
        service = self.server.service
        if service.status is not Status.READY:
            raise _not_ready(service.detail or "still loading")
        try:
            job, form = pictures.parse_job(self._body())
            picture, device = service.blend(job)
        except pictures.BadRequest as err:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(err)) from err
        except NotReady as err:
            raise _not_ready(str(err)) from err
        self._send(HTTPStatus.OK, {"device": device, "picture": pictures.encode(picture, form)})

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "the request has no Content-Length")
        if len(length) > 12 or int(length) > MAX_BODY:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request is over {MAX_BODY} bytes"
            )
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise Refusal(HTTPStatus.BAD_REQUEST, "the request ended early")
        return body

    def _send(
        self, status: HTTPStatus, body: dict[str, object], headers: dict[str, str] | None = None
    ) -> None:
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
        """Log a request on standard error, but not each ping."""
        if getattr(self, "path", "") != "/ping":
            text = (form % arguments).translate(self._control_char_table)
            log(f"{self.address_string()} {text}")


def _not_ready(detail: str) -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {detail}", Retry_After="5")

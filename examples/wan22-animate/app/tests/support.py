"""Shared by tests: settings, files that look like videos and pictures, and servers on the loopback."""

import base64
import contextlib
import hashlib
import http.client
import io
import json
import os
import socket
import struct
import tempfile
import threading
import unittest
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import settings
import start

HERE = Path(__file__).resolve().parent
APP = HERE.parent
COMMIT = "cb93a225fbaf1ca100f54e79da8f994995b689b3"

FILES = {
    "config.json": b"{}",
    "models_t5_umt5-xxl-enc-bf16.pth": b"T5" * 40_000,
    "models_clip_open.pth": b"CLIP" * 5_000,
    "Wan2.1_VAE.pth": b"VAE" * 1_000,
    "diffusion_pytorch_model-00001-of-00004.safetensors": bytes(range(256)) * 1_200,
    "process_checkpoint/det/yolov10m.onnx": b"yolo",
    "process_checkpoint/pose2d/vitpose_h_wholebody.onnx/end2end.onnx": b"pose",
    "relighting_lora.ckpt": b"lora",
}


def video(duration=2.0, width=320, height=240, fps=30, sound=True, **more):
    """Return a file that the fake ffmpeg takes for a video."""
    about = {"duration": duration, "width": width, "height": height, "fps": fps, "sound": int(sound)} | more
    line = " ".join(f"{name}={value}" for name, value in about.items())
    return b"\0\0\0\x18ftypisom\nabout " + line.encode() + b"\n" + b"\0" * 1100


def png(width=80, height=64):
    """Return a picture."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = (b"\0" + b"\x80" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def b64(content):
    return base64.b64encode(content).decode()


def job(**changes):
    """Return a job's input."""
    return {"video": b64(video()), "image": b64(png()), "steps": 4, "seed": 7} | changes


def model_json(files=FILES, commit=COMMIT, origin=None):
    """Return the list of the model's files, as Lamina writes it."""
    entries = [{"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()} for path, content in files.items()]
    return json.dumps({"from": origin or f"hf://Wan-AI/Wan2.2-Animate-14B@{commit}", "commit": commit, "digest": "sha256:0", "files": entries})


def fill(directory, files=FILES):
    """Write the model's files."""
    for path, content in files.items():
        place = Path(directory, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def tree(directory):
    """Return all files under a directory."""
    return sorted(str(path.relative_to(directory)) for path in Path(directory).rglob("*") if not path.is_dir())


class Listening(ThreadingHTTPServer):
    """Accepts many connections at once: a full backlog would cost each a second."""

    request_queue_size = 64


class Case(unittest.TestCase):
    """A test with its own directory, an environment that points there, and a captured log."""

    def setUp(self):
        self.home = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="wan22-test-")))
        self.env = {
            "PATH": os.environ["PATH"],
            "WAN_HOME": str(HERE / "fake_wan"), "MODEL_PATH": str(self.home / "baked"), "MODEL_LIST": str(self.home / "model.json"),
            "RUNPOD_VOLUME": str(self.home / "volume"), "WORKSPACE": str(self.home / "workspace"),
            "PROCESSING_DIR": str(self.home / "processing"), "FETCH_DIR": str(self.home / "fetched"),
            "FFMPEG": str(HERE / "fakes/ffmpeg"), "PIPELINE": str(HERE / "fakes/pipeline.py"), "REQUIRE_GPU": "0", "APP_USER": "root", "TEXT_ENCODER": str(self.home / "baked"), "ALLOW_PRIVATE_ADDRESSES": "1", "MIN_FREE_BYTES": "1",
            "INSIGHTFACE_HOME": str(self.home / "insightface"), "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        self.enterContext(mock.patch.dict(os.environ, self.env, clear=True))
        self.log = self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        (self.home / "model.json").write_text(model_json())

    def settings(self, **changes):
        return settings.read(self.env | {name: str(value) for name, value in changes.items()})

    def said(self):
        return self.log.getvalue()

    def processing(self):
        """Return the files that jobs left."""
        directory = self.home / "processing"
        return tree(directory) + sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []

    def black_hole(self):
        """Return the URL of a name whose addresses never answer: their queue is full."""
        listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listening.close)
        for _ in range(3):
            sock = socket.socket()
            self.addCleanup(sock.close)
            sock.setblocking(False)
            sock.connect_ex(listening.getsockname())
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", listening.getsockname())] * 8
        self.enterContext(mock.patch("socket.getaddrinfo", return_value=found))
        return "http://hole.test/"

    def serve(self, answer):
        """Serve what answer(handler) writes; returns the server's URL."""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            do_GET = do_PUT = lambda self: answer(self)  # noqa: E731

            def log_message(self, *_):
                pass

            def reply(self, status=200, content=b"", length=None, **headers):
                self.send_response(status)
                self.send_header("Connection", "close")
                if length is not False:
                    self.send_header("Content-Length", str(len(content) if length is None else length))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = True

            def handle(self):
                with contextlib.suppress(ConnectionError):
                    super().handle()

            def finish(self):
                with contextlib.suppress(ConnectionError):
                    super().finish()

        server = Listening(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server.never = threading.Event()
        """For answers that never come: set at the end of the test."""
        self.addCleanup(server.server_close)
        self.addCleanup(server.never.set)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"


def ready(case, worker):
    """Make a worker accept jobs, with a process that behaves like the pipeline's."""
    worker.models = {name: worker.settings.model_path for name in ("", "text-encoder", "relighting")}
    worker.resident.begin(start.pipeline(worker.settings, worker.models, worker.plan))
    case.addCleanup(worker.close)
    worker.ready(worker.settings.model_path)


def ask(port, method, path, body=None, timeout=10):
    """Return the status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read() or "null")
    finally:
        connection.close()

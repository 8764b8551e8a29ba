"""Settings, read once from the environment."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from errors import StartError

QUEUE, BALANCED = "queue", "load-balancing"
MB = 10**6

# Runpod takes 10 MB from /run, 20 MB from /runsync, 30 MB from a load balancer, and a worker
# can't know which one was used. Base64 makes 4 bytes of 3: 7 MB fit 10 MB, 22 MB fit 30 MB.
INLINE = {QUEUE: 7 * MB, BALANCED: 22 * MB}

# Runpod's load balancers end requests after 5.5 minutes. An endpoint's execution timeout is 600 s
# unless set otherwise: the worker doesn't learn it, so a job ends by its own estimate.
TIMEOUT = {QUEUE: math.inf, BALANCED: 320.0}


@dataclass(frozen=True)
class Model:
    """A model of the image: where its files are or belong, and their list."""

    name: str
    """As in image.toml; the first has none."""
    path: Path
    list: Path


@dataclass(frozen=True)
class Settings:
    """Where things are and what is allowed."""

    mode: str
    user: str
    """The user that a start as root switches to."""
    port: int
    health_port: int
    wan_home: Path
    pipeline: Path
    models: tuple["Model", ...]
    text_encoder: Path
    volume: Path
    workspace: Path
    processing: Path
    fetch_dir: Path
    hub: str
    token: str
    offline: bool
    verify: bool
    fetch_threads: int
    stall_seconds: float
    init_timeout: float
    preload: bool
    precision: str
    stream: bool | None
    """Whether the transformer's blocks stream from the host's memory; None where the plan chooses."""
    max_area: int
    steps: int
    require_gpu: bool
    allow_private: bool
    insightface_home: Path
    job_timeout: float
    download_timeout: float
    max_video: int
    max_image: int
    max_inline: int
    max_seconds: float
    min_free: int

    @property
    def model_path(self) -> Path:
        """Where the first model is: the transformer, and what preprocessing reads."""
        return self.models[0].path

    @property
    def model_list(self) -> Path:
        """The list of the first model's files."""
        return self.models[0].list


def read(env: Mapping[str, str]) -> Settings:
    """Return the settings, or raise a StartError that lists every problem."""
    reader = _Reader(env)
    settings = Settings(**_service(reader), **_places(reader), **_weights(reader), **_limits(reader))
    if reader.problems:
        raise StartError("; ".join(reader.problems))
    return settings


def _service(env: "_Reader") -> dict:
    port = env.number("PORT", 80, int)
    return {
        "mode": env.mode(),
        "user": env.text("APP_USER", "app"),
        "port": port,
        "health_port": env.number("PORT_HEALTH", port, int),
        "preload": env.switch("PRELOAD", False),
        "precision": env.one_of("PRECISION", {word: word for word in ("auto", "bf16", "fp8")}, "auto"),
        "stream": env.switch("STREAM", False) if env.text("STREAM", "") else None,
        "max_area": env.number("MAX_AREA", 1280 * 720, int),
        "steps": env.number("STEPS", 20, int),
        "require_gpu": env.switch("REQUIRE_GPU", True),
        "allow_private": env.switch("ALLOW_PRIVATE_ADDRESSES", False),
    }


def _places(env: "_Reader") -> dict:
    return {
        "wan_home": env.path("WAN_HOME", "/opt/Wan2.2"),
        "pipeline": env.path("PIPELINE", str(Path(__file__).with_name("assemble.py"))),
        "models": _models(env),
        "text_encoder": env.path("TEXT_ENCODER", "/models/umt5-xxl"),
        "volume": env.path("RUNPOD_VOLUME", "/runpod-volume"),
        "workspace": env.path("WORKSPACE", "/workspace"),
        "processing": env.path("PROCESSING_DIR", "/tmp/processing"),
        "fetch_dir": env.path("FETCH_DIR", "/tmp/models"),
        "insightface_home": env.path("INSIGHTFACE_HOME", "/models/insightface"),
    }


def _models(env: "_Reader") -> tuple[Model, ...]:
    """Return the image's models: Lamina sets MODEL_PATH and MODEL_LIST, or MODEL_PATH_NAME and so on."""
    first = Model(
        "", env.path("MODEL_PATH", "/models/Wan2.2-Animate-14B"), env.path("MODEL_LIST", "/usr/share/lamina/model.json")
    )
    suffixes = env.after("MODEL_LIST_")
    names = [suffix.lower().replace("_", "-") for suffix in suffixes]
    others = (
        Model(name, env.path(f"MODEL_PATH_{suffix}", f"/models/{name}"), env.path(f"MODEL_LIST_{suffix}", ""))
        for name, suffix in zip(names, suffixes, strict=True)
    )
    return first, *others


def _weights(env: "_Reader") -> dict:
    return {
        "hub": env.text("HF_ENDPOINT", "https://huggingface.co").rstrip("/"),
        "token": env.text("HF_TOKEN", ""),
        "offline": env.switch("HF_HUB_OFFLINE", False),
        "verify": env.switch("VERIFY", True),
        "fetch_threads": env.number("FETCH_THREADS", 8, int),
        "stall_seconds": env.number("HF_HUB_DOWNLOAD_TIMEOUT", 30.0, float),
        "init_timeout": env.number("RUNPOD_INIT_TIMEOUT", 420.0, float),
    }


def _limits(env: "_Reader") -> dict:
    mode = env.mode()
    return {
        "job_timeout": env.number("JOB_TIMEOUT", TIMEOUT[mode], float),
        "download_timeout": env.number("DOWNLOAD_TIMEOUT", 120.0, float),
        "max_video": env.number("MAX_VIDEO_BYTES", 200 * MB, int),
        "max_image": env.number("MAX_IMAGE_BYTES", 20 * MB, int),
        "max_inline": env.number("MAX_INLINE_BYTES", INLINE[mode], int),
        "max_seconds": env.number("MAX_SECONDS", 30.0, float),
        "min_free": env.number("MIN_FREE_BYTES", 1000 * MB, int),
    }


class _Reader:
    """Reads variables, and collects their problems."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._problems: dict[str, str] = {}

    @property
    def problems(self) -> list[str]:
        return list(self._problems.values())

    def text(self, name: str, default: str) -> str:
        return self._env.get(name, "").strip() or default

    def after(self, start: str) -> list[str]:
        """Return the suffixes of the names that begin with start."""
        return sorted(name.removeprefix(start) for name in self._env if name.startswith(start))

    def path(self, name: str, default: str) -> Path:
        return Path(self.text(name, default))

    def mode(self) -> str:
        return self.one_of("WORKER_MODE", {QUEUE: QUEUE, BALANCED: BALANCED}, QUEUE)

    def switch(self, name: str, default: bool) -> bool:
        words = {word: True for word in ("1", "true", "yes", "on")}
        words |= {word: False for word in ("0", "false", "no", "off")}
        return self.one_of(name, words, "1" if default else "0")

    def one_of(self, name: str, values: dict, default: str):  # noqa: ANN202 (of the values' type)
        text = self.text(name, default).lower()
        if text not in values:
            self._problems[name] = f"{name} is {text!r}: set it to one of {', '.join(values)}"
        return values.get(text, values[default])

    def number(self, name: str, default: float, kind: type) -> float:
        try:
            value = kind(self.text(name, "")) if self.text(name, "") else default
        except ValueError:
            value = -1
        if value != default and not 0 < value < 2**53:
            self._problems[name] = f"{name} is {self.text(name, '')!r}: set it to a number above 0"
            return default
        return value

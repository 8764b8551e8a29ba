"""The input of a job: its fields and their allowed values.

video       the driving video: an http(s) URL, a data URL, or base64
image       the reference picture: the same
mode        "animation": the picture's character moves as the video's does (default);
            "replacement": it takes the place of the person in the video
resolution  the area to work in, [width, height] or "1280x720" (default); multiples of 16.
            Frames keep their aspect ratio
seed        0 to 2^63-1 (default: random, and reported in the result)
steps       sampling steps, 1 to 100 (default 20, or STEPS)
refert_num  frames that a clip reuses from the one before, 1 (default) or 5
relighting  whether the character takes on the light of the scene; replacement only
result_url  a presigned URL to PUT the result to; it must accept "Content-Type: video/mp4"

prompt           what the film shows (default: the model's own prompt)
negative_prompt  what it must not show; effective only with a cfg above 1
cfg              how closely face and prompt are followed, 1 (default) to 10; above 1 a job takes twice as long
fps              frames a second, 1 to 60 (default 30)
start            seconds of the video to skip (default 0)
seconds, frames  how much of it to use, as one or the other (default: the rest)
retarget         whether to fit the poses to the picture's body; animation only
mask_growth      pixels to grow the person's mask by, 0 to 64 (default 9); replacement only.
                 With 0 the mask is the person's outline, from 1 on the box around the person
codec            "h264" (default), "hevc" or "av1"
crf              quality of the codec, 0 (best) to 51 (default 17)
audio            "keep" (default) or "none"
"""

import difflib
import secrets
from dataclasses import dataclass
from http import HTTPStatus

from errors import InputError
from values import MAX_AREA, Source, TooLarge, check_url, kind, parse_sides, parse_source, reason, show

MODES = ("animation", "replacement")
CODECS = ("h264", "hevc", "av1")
AUDIO = ("keep", "none")
MAX_PROMPT = 2000
"""In characters: the text encoder reads 512 tokens and drops the rest."""
MAX_START = 86_400.0
MAX_CFG = 10.0
DEFAULTS = ((1280, 720), (832, 480), (640, 368), (480, 272))
"""A job without a resolution has the first of these that the worker allows."""
GROWTH = 9
"""Of a mask, in pixels, as in upstream's preprocessing: three times three on each side."""
NAMED = 5
"""Unknown fields that are reported by name."""
MAX_NAME = 40
FIELDS = (
    "video", "image", "mode", "resolution", "seed", "steps", "refert_num", "relighting", "result_url",
    "prompt", "negative_prompt", "cfg", "fps", "start", "seconds", "frames", "retarget", "mask_growth",
    "codec", "crf", "audio",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A job with valid input."""

    video: Source
    image: Source
    mode: str
    width: int
    height: int
    seed: int
    steps: int
    refert_num: int
    relighting: bool
    result_url: str
    prompt: str
    """Empty for the model's own, like the next field."""
    negative_prompt: str
    cfg: float
    fps: int
    start: float
    seconds: float
    """How much of the video is used, 0 for all of it."""
    retarget: bool
    mask_growth: int
    codec: str
    crf: int
    sound: bool

    @property
    def replaces(self) -> bool:
        """Whether the person in the video is replaced."""
        return self.mode == "replacement"


@dataclass(frozen=True)
class Sizes:
    """Limits of a job's files in bytes and of its frames in pixels, and its default number of steps."""

    video: int
    image: int
    area: int = MAX_AREA
    steps: int = 20


def parse(given: object, sizes: Sizes) -> Job:
    """Return the job, or raise an InputError that lists every problem."""
    if not isinstance(given, dict):
        fields = ", ".join(FIELDS)
        raise InputError(f"the input is {kind(given)}, not an object with the fields {fields}")
    reader = _Reader(given, sizes)
    job = reader.job()
    if reader.problems:
        raise InputError("; ".join(reader.problems), reader.status)
    return job


class _Reader:
    """Reads fields one by one, and collects their problems."""

    def __init__(self, given: dict, sizes: Sizes) -> None:
        self._given, self._sizes = given, sizes
        self.problems = _unknown_fields([name for name in given if name not in FIELDS])
        self.status = HTTPStatus.BAD_REQUEST

    def job(self) -> Job:
        mode = self._one_of("mode", MODES)
        width, height = self._resolution()
        cfg, fps = self._number("cfg", 1.0, MAX_CFG, 1.0), self._whole("fps", range(1, 61), 30)
        return Job(
            video=self._source("video", self._sizes.video),
            image=self._source("image", self._sizes.image),
            mode=mode, width=width, height=height,
            seed=self._whole("seed", range(2**63), secrets.randbelow(2**32)),
            steps=self._whole("steps", range(1, 101), self._sizes.steps),
            refert_num=self._whole("refert_num", (1, 5), 1),
            relighting=self._switch("relighting", mode, "replacement"),
            result_url=self._result_url(),
            prompt=self._prompt("prompt"), negative_prompt=self._negative_prompt(cfg), cfg=cfg,
            fps=fps, start=self._number("start", 0.0, MAX_START, 0.0), seconds=self._length(fps),
            retarget=self._switch("retarget", mode, "animation"),
            mask_growth=self._mask_growth(mode),
            codec=self._one_of("codec", CODECS), crf=self._whole("crf", range(52), 17),
            sound=self._one_of("audio", AUDIO) == AUDIO[0],
        )  # fmt: skip

    def _problem(self, name: str, message: str) -> None:
        self.problems.append(f"{name} {message}")

    def _get(self, name: str) -> object:
        return self._given.get(name)

    def _one_of(self, name: str, words: tuple[str, ...]) -> str:
        value = self._get(name)
        if value is None:
            return words[0]
        if value not in words:
            self._problem(name, f"is {show(value)}: use {', '.join(words[:-1])} or {words[-1]}")
            return words[0]
        return value

    def _number(self, name: str, least: float, most: float, default: float) -> float:
        value = self._get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            self._problem(name, f"is {show(value)}: use a number from {least:g} to {most:g}")
            return default
        return float(value)

    def _prompt(self, name: str) -> str:
        value = self._get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._problem(name, f"is {kind(value)}, not a string")
        elif len(value) > MAX_PROMPT:
            self._problem(name, f"has {len(value)} characters: use {MAX_PROMPT} at most")
        elif not (words := " ".join(value.split())) or not words.isprintable():
            self._problem(name, "is empty or has control characters: leave it out to use the model's own")
        else:
            return words
        return ""

    def _negative_prompt(self, cfg: float) -> str:
        value = self._prompt("negative_prompt")
        if value and cfg == 1:
            self._problem("negative_prompt", "has no effect with cfg 1: set cfg above 1, or leave this out")
        return value

    def _length(self, fps: int) -> float:
        """Return how many seconds of the video are used."""
        if self._get("frames") is None:
            return self._number("seconds", 1 / fps, MAX_START, 0.0)
        if self._get("seconds") is not None:
            self._problem("frames", "and seconds both set the length: use one of them")
        return self._whole("frames", range(1, 100_000), 0) / fps

    def _mask_growth(self, mode: str) -> int:
        if self._get("mask_growth") is not None and mode != "replacement":
            self._problem("mask_growth", "is for the mode replacement")
        return self._whole("mask_growth", range(65), GROWTH)

    def _whole(self, name: str, allowed: range | tuple[int, ...], default: int) -> int:
        value = self._get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
            some = isinstance(allowed, tuple)
            words = " or ".join(map(str, allowed)) if some else f"a whole number from {allowed[0]} to {allowed[-1]}"
            self._problem(name, f"is {show(value)}: use {words}")
            return default
        return value

    def _switch(self, name: str, mode: str, wanted: str) -> bool:
        """Return a switch that only one mode has."""
        value = self._get(name)
        if value is not None and not isinstance(value, bool):
            self._problem(name, f"is {show(value)}: use true or false")
        if value is True and mode != wanted:
            self._problem(name, f"is for the mode {wanted}")
        return value is True

    def _resolution(self) -> tuple[int, int]:
        value, area = self._get("resolution"), self._sizes.area
        default = next((sides for sides in DEFAULTS if sides[0] * sides[1] <= area), DEFAULTS[-1])
        try:
            width, height = default if value is None else parse_sides(value)
        except ValueError as err:
            self._problem("resolution", str(err))
            return default
        if width * height > area:
            most = "x".join(map(str, default))
            self._problem(
                "resolution", f"is {width}x{height}: this worker accepts at most {area} pixels (MAX_AREA), like {most}"
            )
        return width, height

    def _result_url(self) -> str:
        value = self._get("result_url")
        try:
            if value is None:
                return ""
            if not isinstance(value, str):
                raise ValueError(f"is {kind(value)}, not a string")
            check_url(value)
        except ValueError as err:
            self._problem("result_url", reason(err))
            return ""
        return value

    def _source(self, name: str, limit: int) -> Source:
        value = self._get(name)
        try:
            return parse_source(value, limit)
        except TooLarge as err:
            self.status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            self._problem(name, str(err))
        except ValueError as err:
            self._problem(name, reason(err))
        return Source()


def _unknown_fields(names: list) -> list[str]:
    more = len(names) - NAMED
    return [*map(_unknown, names[:NAMED]), *([f"{more} more are not fields"] if more > 0 else [])]


def _unknown(name: object) -> str:
    close = difflib.get_close_matches(str(name)[:MAX_NAME], FIELDS, 1)
    hint = f"did you mean {close[0]}?" if close else f"the fields are {', '.join(FIELDS)}"
    return f"{show(name)} is not a field: {hint}"

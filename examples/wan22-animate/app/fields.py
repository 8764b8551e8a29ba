"""The input of a job: which fields there are, and what each may be.

video       the driving video: an http(s) URL, a data URL, or base64
image       the reference picture: the same
mode        "animation": the picture's character moves as the video's does (default);
            "replacement": it takes the place of the person in the video
resolution  the area to work in, [width, height] or "1280x720" (default); multiples of 16.
            Frames keep their own proportions
seed        0 to 2^63-1; drawn by lot where it is left out, and told in the result
steps       of sampling, 1 to 100 (default 20)
refert_num  frames that a clip takes over from the one before, 1 (default) or 5
relighting  whether the character takes on the light of the scene; in replacement only
result_url  where the result is PUT, a presigned URL that takes "Content-Type: video/mp4"
"""

import difflib
import secrets
from dataclasses import dataclass
from http import HTTPStatus

from errors import InputError
from values import Source, TooLarge, check_url, kind, parse_sides, parse_source, reason, show

MODES = ("animation", "replacement")
NAMED = 5
"""Names of unknown fields that are told one by one."""
MAX_NAME = 40
FIELDS = ("video", "image", "mode", "resolution", "seed", "steps", "refert_num", "relighting", "result_url")


@dataclass(frozen=True)
class Job:
    """A job whose input is in order."""

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

    @property
    def replaces(self) -> bool:
        """Whether the person in the video is replaced."""
        return self.mode == "replacement"


@dataclass(frozen=True)
class Sizes:
    """How many bytes the files of a job may have."""

    video: int
    image: int


def parse(given: object, sizes: Sizes) -> Job:
    """Return the job, or raise an InputError with all that is wrong with it."""
    if not isinstance(given, dict):
        fields = ", ".join(FIELDS)
        raise InputError(f"the input is {kind(given)}, not an object with the fields {fields}")
    reader = _Reader(given, sizes)
    job = reader.job()
    if reader.faults:
        raise InputError("; ".join(reader.faults), reader.status)
    return job


class _Reader:
    """Reads fields one by one, and keeps what is wrong with them."""

    def __init__(self, given: dict, sizes: Sizes) -> None:
        self._given, self._sizes = given, sizes
        self.faults = _strangers([name for name in given if name not in FIELDS])
        self.status = HTTPStatus.BAD_REQUEST

    def job(self) -> Job:
        mode = self._mode()
        width, height = self._resolution()
        return Job(
            video=self._source("video", self._sizes.video),
            image=self._source("image", self._sizes.image),
            mode=mode, width=width, height=height,
            seed=self._whole("seed", range(2**63), secrets.randbelow(2**32)),
            steps=self._whole("steps", range(1, 101), 20),
            refert_num=self._whole("refert_num", (1, 5), 1),
            relighting=self._relighting(mode),
            result_url=self._result_url(),
        )  # fmt: skip

    def _fault(self, name: str, message: str) -> None:
        self.faults.append(f"{name} {message}")

    def _get(self, name: str) -> object:
        return self._given.get(name)

    def _mode(self) -> str:
        mode = self._get("mode")
        if mode is None:
            return MODES[0]
        if mode not in MODES:
            self._fault("mode", f"is {show(mode)}: use {' or '.join(MODES)}")
            return MODES[0]
        return mode

    def _whole(self, name: str, allowed: range | tuple[int, ...], default: int) -> int:
        value = self._get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
            some = isinstance(allowed, tuple)
            words = " or ".join(map(str, allowed)) if some else f"a whole number from {allowed[0]} to {allowed[-1]}"
            self._fault(name, f"is {show(value)}: use {words}")
            return default
        return value

    def _relighting(self, mode: str) -> bool:
        value = self._get("relighting")
        if value is not None and not isinstance(value, bool):
            self._fault("relighting", f"is {show(value)}: use true or false")
        if value is True and mode != "replacement":
            self._fault("relighting", "is for the mode replacement")
        return value is True

    def _resolution(self) -> tuple[int, int]:
        value = self._get("resolution")
        try:
            return (1280, 720) if value is None else parse_sides(value)
        except ValueError as err:
            self._fault("resolution", str(err))
            return 1280, 720

    def _result_url(self) -> str:
        value = self._get("result_url")
        try:
            if value is None:
                return ""
            if not isinstance(value, str):
                raise ValueError(f"is {kind(value)}, not a string")
            check_url(value)
        except ValueError as err:
            self._fault("result_url", reason(err))
            return ""
        return value

    def _source(self, name: str, limit: int) -> Source:
        value = self._get(name)
        try:
            return parse_source(value, limit)
        except TooLarge as err:
            self.status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            self._fault(name, str(err))
        except ValueError as err:
            self._fault(name, reason(err))
        return Source()


def _strangers(names: list) -> list[str]:
    more = len(names) - NAMED
    return [*map(_unknown, names[:NAMED]), *([f"{more} more are no fields"] if more > 0 else [])]


def _unknown(name: object) -> str:
    close = difflib.get_close_matches(str(name)[:MAX_NAME], FIELDS, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(FIELDS)}"
    return f"{show(name)} is no field: {hint}"

"""Errors of a job or a start, worded for the job's sender or the worker's operator."""

import errno
import os
from http import HTTPStatus


MAX_MESSAGE = 2000
"""In characters: the log and Runpod's answer have their own limits."""


class JobError(Exception):
    """A job that fails; the message is for its sender."""

    def __init__(
        self,
        message: str,
        status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR,
        refresh: bool = False,
    ) -> None:
        super().__init__(message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…")
        self.status = status
        self.refresh = refresh
        """Whether the worker should be replaced: its GPU is in doubt."""


class InputError(JobError):
    """A job's input is wrong; nothing was run."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message, status)


class Stopped(JobError):
    """The worker was told to stop, or the job to be dropped."""

    def __init__(self) -> None:
        super().__init__("the worker was stopped: send the job again", HTTPStatus.SERVICE_UNAVAILABLE)


class OutOfTime(JobError):
    """The job used up its time."""

    def __init__(self, doing: str, seconds: float, last: str = "") -> None:
        note = f"; its last line: {last}" if last else ""
        super().__init__(
            f"out of time after {seconds:g} s, while {doing}: send a shorter video or a smaller "
            f"resolution, or raise JOB_TIMEOUT and the endpoint's execution timeout{note}",
            HTTPStatus.GATEWAY_TIMEOUT,
        )


class StartError(Exception):
    """The worker can't become ready; the message is for its operator."""


FULL = (errno.ENOSPC, errno.EDQUOT)


def disk_full() -> JobError:
    """Return the error for a full disk."""
    return JobError(
        "the worker's disk is full: give the endpoint a larger container disk, or send a smaller video",
        HTTPStatus.INSUFFICIENT_STORAGE,
    )


def from_system(err: OSError) -> JobError:
    """Return the error for a failed system call, without its path."""
    if err.errno in FULL:
        return disk_full()
    reason = os.strerror(err.errno) if err.errno else type(err).__name__
    return JobError(f"the worker's files: {reason.lower()}")

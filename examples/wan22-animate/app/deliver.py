"""Delivers the result: with a PUT to the job's URL, in the answer if it is small, or to a bucket."""

import base64
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import web
from errors import InputError, JobError
from log import scrub

TRIES, PAUSE = 3, 2.0
BUCKET = ("BUCKET_ENDPOINT_URL", "BUCKET_ACCESS_KEY_ID", "BUCKET_SECRET_ACCESS_KEY")

Upload = Callable[[str, Path], str]


def deliver(
    path: Path, result_url: str, max_inline: int, upload: Upload | None, private: bool, clock: web.Clock
) -> dict:
    """Return the part of the answer that holds the video or its URL."""
    if result_url:
        _put(path, result_url, private, clock)
        return {"video_url": without_query(result_url)}
    size = path.stat().st_size
    if size <= max_inline:
        return {"video": base64.b64encode(path.read_bytes()).decode()}
    if upload:
        return {"video_url": upload(f"{path.parent.name}.mp4", path)}
    raise JobError(
        f"the result has {size} bytes, but an answer holds at most {max_inline}: send a result_url "
        f"(a presigned PUT), or give the endpoint a bucket ({', '.join(BUCKET)})"
    )


def check(result_url: str, private: bool, clock: web.Clock) -> None:
    """Raise an InputError for a result_url that can't work, before minutes are spent on a result for it."""
    try:
        if result_url:
            web.look_up(result_url, private, clock)
    except web.Unreachable as err:
        raise InputError(f"result_url: the URL {err}") from err


def without_query(url: str) -> str:
    """Return a presigned URL without its signature."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))


def _put(path: Path, url: str, private: bool, clock: web.Clock) -> None:
    headers = {"Content-Type": "video/mp4", "Content-Length": str(path.stat().st_size)}
    for attempt in range(TRIES):
        try:
            with open(path, "rb") as body:
                web.put(url, private, clock, body, headers)
            return
        except web.Unreachable as err:
            problem = err
            if not err.passing:
                break
            clock.stop.wait(min(PAUSE * (attempt + 1), clock.left()))
            clock.check("sending the result")
    raise JobError(f"result_url: the URL {problem}") from problem


def bucket(env: Mapping[str, str] = os.environ) -> Upload | None:
    """Return a function that uploads files to the endpoint's bucket, or None if there is none."""
    if not all(env.get(name) for name in BUCKET):
        return None

    def upload(name: str, path: Path) -> str:
        from runpod.serverless.utils import rp_upload

        try:
            # without a bucket_name the SDK uses the month's: 01-26
            url = rp_upload.upload_file_to_bucket(
                name, str(path), bucket_name=env.get("BUCKET_NAME") or time.strftime("%m-%y"),
                extra_args={"ContentType": "video/mp4"},
            )  # fmt: skip
        except Exception as err:  # boto has many
            raise JobError(f"uploading the result to the endpoint's bucket failed: {scrub(str(err))[:300]}") from err
        if not url.startswith(("http://", "https://")):
            raise JobError("uploading the result to the endpoint's bucket failed: the SDK can't reach it")
        return url

    return upload

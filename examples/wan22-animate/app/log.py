"""One line a message, written at once, so that threads don't mix theirs."""

import os
import re
import sys

PATH = re.compile(r"(?<![\w:/.])(?:/[\w.+@=~-]+)+/(?=[\w.<])")
URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,9}://[^\s'\"<>]+", re.IGNORECASE)
CONTROLS = {number: " " for number in [*range(32), *range(127, 160)]}


def log(message: str) -> None:
    """Write a line on standard error."""
    sys.stderr.write(f"worker: {message.translate(CONTROLS)}\n")
    sys.stderr.flush()


def debug(message: str) -> None:
    """Write a line where WORKER_LOG asks for all of them."""
    if os.environ.get("WORKER_LOG") == "debug":
        log(message)


def scrub(text: str) -> str:
    """Return what a program said without its paths and addresses, which are nobody's business."""
    return PATH.sub("…/", URL.sub("<url>", text)).translate(CONTROLS)

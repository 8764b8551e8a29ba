"""One line per message, written at once, so that threads don't mix theirs."""

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
    """Write a line if WORKER_LOG is debug."""
    if os.environ.get("WORKER_LOG") == "debug":
        log(message)


def scrub(text: str) -> str:
    """Return a program's output without paths and URLs, which are nobody's business."""
    return PATH.sub("…/", URL.sub("<url>", text)).translate(CONTROLS)

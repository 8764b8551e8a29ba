"""One line per message, written at once, so that threads don't mix theirs."""

import sys


def log(message: str) -> None:
    """Write a line on standard error."""
    sys.stderr.write(f"faceblend: {message}\n")
    sys.stderr.flush()

"""Stand-ins for films: an mp4's first box, and a box with what there would be to see and hear.

A film is {"width": 320, "height": 240, "fps": 30, "seconds": 2, "sound": true, "person": true, "problem": ""}.
"""

import json
import pathlib
import struct

FTYP = struct.pack(">I4s4sI8s", 24, b"ftyp", b"isom", 512, b"isomiso2")
SMALLEST = 4096


def write(path: str | pathlib.Path, film: dict) -> None:
    text = json.dumps(film).encode()
    free = struct.pack(">I4s", 8 + len(text), b"free") + text
    padding = b"\0" * max(SMALLEST - len(FTYP) - len(free) - 8, 0)
    pathlib.Path(path).write_bytes(FTYP + free + struct.pack(">I4s", 8 + len(padding), b"mdat") + padding)


def read(path: str | pathlib.Path) -> dict | None:
    """Returns the film in a file, or None where there is none."""
    data = pathlib.Path(path).read_bytes()
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if size < 8 or place == 0 and kind != b"ftyp":
            return None
        if kind == b"free":
            try:
                return json.loads(data[place + 8 : place + size])
            except ValueError:
                return None
        place += size
    return None

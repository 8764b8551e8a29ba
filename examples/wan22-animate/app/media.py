"""Detects a file's type by its first bytes: video containers, and pictures with their sizes.

Each file is checked before ffmpeg sees it: ffmpeg also reads playlists as videos, and
follows what they name.
"""

import struct
from http import HTTPStatus
from pathlib import Path

from errors import InputError

UNFIT = HTTPStatus.UNPROCESSABLE_ENTITY
HEAD = 1 << 16
MIN_VIDEO = 1024
SIDES = range(64, 16385)
MAX_PIXELS = 64_000_000
MAGIC = {b"\x1a\x45\xdf\xa3": "mkv", b"FLV\x01": "flv", b"\0\0\x01\xba": "mpg", b"\x30\x26\xb2\x75": "asf"}
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
MANIFESTS = (b"<mpd", b"<compositionplaylist", b"c=in ip")
"""They make a text a playlist for ffmpeg, even after a container's first bytes; texts end at a zero byte."""
# ffmpeg's names of their demuxers; given, so that it doesn't try others.
READERS = {"mp4": "mov", "mkv": "matroska", "avi": "avi", "flv": "flv", "ts": "mpegts", "mpg": "mpeg", "asf": "asf"}
READERS |= {"png": "png_pipe", "jpg": "jpeg_pipe", "webp": "webp_pipe"}

Size = tuple[int, int]


def check_video(path: Path) -> str:
    """Return the ffmpeg demuxer of a video, or raise an InputError if it isn't in a video container."""
    size = path.stat().st_size
    found = container(_head(path), size) if size >= MIN_VIDEO else ""
    if not found:
        raise InputError("video: is not a video: give an mp4, mov, mkv, webm, avi, flv, ts or mpg file", UNFIT)
    return READERS[found]


def container(head: bytes, size: int) -> str:
    """Return the container that a file's beginning and size match, or nothing."""
    text = head.partition(b"\0")[0].lower()
    if any(words in text for words in MANIFESTS):
        return ""
    if head[4:8] in BOXES:
        box = int.from_bytes(head[:4], "big")
        return "mp4" if box in (0, 1) or 8 <= box <= size else ""  # 0: to the end; 1: the size comes later
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:1] == b"\x47" and head[188:189] == b"\x47":
        return "ts"
    return MAGIC.get(head[:4], "")


def check_image(path: Path) -> str:
    """Return the ffmpeg demuxer of a picture, or raise an InputError if it isn't one."""
    with open(path, "rb") as file:
        content = file.read()
    found = picture(content)
    if found and animated(content):
        raise InputError("image: is animated: give one picture", UNFIT)
    if not found:
        raise InputError("image: is not a picture that can be read: give a png, jpeg or webp file", UNFIT)
    kind, (width, height) = found
    if width not in SIDES or height not in SIDES or width * height > MAX_PIXELS:
        raise InputError(
            f"image: is {width}x{height}: give one with sides from {SIDES[0]} to {SIDES[-1]} "
            f"and at most {MAX_PIXELS // 10**6} megapixels",
            UNFIT,
        )
    return READERS[kind]


def picture(content: bytes) -> tuple[str, Size] | None:
    """Return a picture's kind and its size, or None."""
    for kind, parse in (("png", _png), ("jpg", _jpeg), ("webp", _webp)):
        try:
            if size := parse(content):
                return kind, size
        except (struct.error, IndexError):
            return None  # cut off
    return None


def animated(content: bytes) -> bool:
    """Tell whether a PNG or WebP file has more than one picture."""
    if content[:4] == b"RIFF":
        return content[12:16] == b"VP8X" and bool(content[20] & 2)
    return content[:4] == b"\x89PNG" and b"acTL" in content[: content.find(b"IDAT")]


def _png(content: bytes) -> Size | None:
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR":
        return None
    return struct.unpack_from(">II", content, 16)


def _jpeg(content: bytes) -> Size | None:
    """Walk the segments until a start of frame gives the size."""
    if content[:3] != b"\xff\xd8\xff":
        return None
    place = 2
    while True:
        while content[place] == 0xFF:
            place += 1
        marker, (length,) = content[place], struct.unpack_from(">H", content, place + 1)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, place + 4)
            return width, height
        if marker == 0xDA or content[place + 1 + length] != 0xFF:
            return None
        place += 1 + length


def _webp(content: bytes) -> Size | None:
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        return None
    form = content[12:16]
    if form == b"VP8 " and content[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    if form == b"VP8L" and content[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
        return (width, height) if len(content) >= 30 else None
    return None


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(HEAD)

"""Looks into wheels by their directory alone, which lies at the end of the file."""

import hashlib
import io
import re
import sys
import tempfile
import zipfile
from typing import IO

import web
from globs import LOCAL, Globs, subject

SITE = f"{LOCAL}/lib/python{sys.version_info.major}.{sys.version_info.minor}/dist-packages"
# Where the kinds of a .data folder are installed; the headers of a project are its own.
KINDS = {"purelib": SITE, "platlib": SITE, "scripts": f"{LOCAL}/bin", "data": LOCAL}


def measure(dist: dict, path: str | None) -> dict:
    """Completes an entry of the lock: size, sha256, and for a wheel what is in it.

    path is where the file lies, if it does here.
    """
    if path:
        with open(path, "rb") as file:
            return whole(dist, file, hashlib.file_digest(file, "sha256").hexdigest())
    size = web.size_of(dist["url"]) if dist["sha256"] else -1
    if size < 0:
        return fetched(dist)
    try:
        return look_into({**dist, "size": size}, io.BufferedReader(web.RemoteFile(dist["url"], size), web.CHUNK))
    except web.NoParts:
        return fetched(dist)


def fetched(dist: dict) -> dict:
    """Measures what has to come whole: no index gave a hash of it, or its server sends no parts."""
    with tempfile.TemporaryFile() as file:
        return whole(dist, file, web.download(dist["url"], file))


def whole(dist: dict, file: IO[bytes], sha256: str) -> dict:
    if dist["sha256"] not in ("", sha256):
        raise web.Fault("failure", f"{dist['url']}: its sha256 is {sha256}, and {dist['sha256']} was promised")
    return look_into({**dist, "sha256": sha256, "size": file.seek(0, io.SEEK_END)}, file)


def look_into(dist: dict, source: IO[bytes]) -> dict:
    if dist["file"].endswith(".whl"):
        dist["entries"] = entries(dist, source)
        dist["unpacked"] = sum(size for size, _ in dist["entries"].values())
    return dist


def entries(dist: dict, source: IO[bytes]) -> dict[str, tuple[int, int]]:
    """Returns size and CRC of all files by where they are installed."""
    try:
        with zipfile.ZipFile(source) as archive:
            return {installed(i.filename): (i.file_size, i.CRC) for i in archive.infolist() if not i.is_dir()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as e:
        raise web.Fault("failure", f"{dist['url']}: it is not a wheel: {e}") from e


def installed(name: str) -> str:
    """Returns where a file of a wheel is in the image."""
    match = re.match(r"([^/]+)\.data/(\w+)/(.*)", name)
    if not match:
        return f"{SITE}/{name}"
    return f"{KINDS.get(match[2], f'{LOCAL}/include/{match[1]}')}/{match[3]}"


def collisions(dists: list[dict], allowed: list[str], prune: list[str]) -> list[str]:
    """Names the paths that two wheels hold with different content, and that both would install."""
    harmless, pruned = Globs(allowed), Globs(prune)
    owner: dict[str, tuple[dict, tuple[int, int]]] = {}
    faults: dict[tuple[str, str], list[str]] = {}
    for dist in dists:
        for path, content in dist.get("entries", {}).items():
            other, theirs = owner.setdefault(path, (dist, content))
            if theirs != content and not any(globs.decider(subject(path, SITE)) for globs in (harmless, pruned)):
                faults.setdefault((title(other), title(dist)), []).append(path)
    return [told(pair, paths) for pair, paths in faults.items()]


def told(pair: tuple[str, str], paths: list[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{pair[0]} and {pair[1]} both hold {subject(min(paths), SITE)}{more}, with different content"


def title(dist: dict) -> str:
    return f"{dist['name']} {dist['version']}"

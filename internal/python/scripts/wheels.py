"""Looks into wheels by their directory alone, which lies at the end of the file."""

import hashlib
import io
import re
import zipfile

import web
from globs import Globs


def measure(dist: dict, path: str | None) -> dict:
    """Completes an entry of the lock: size, sha256, and for a wheel what is in it.

    path is where the file lies, if it does here. What no index gave a hash of is fetched for it.
    """
    if path or not dist["sha256"]:
        data = open(path, "rb").read() if path else web.read_all(dist["url"])[0]
        dist["sha256"], dist["size"] = hashlib.sha256(data).hexdigest(), len(data)
        source: io.IOBase = io.BytesIO(data)
    else:
        dist["size"] = web.size_of(dist["url"])
        if dist["size"] < 0:
            return measure({**dist, "sha256": ""}, None)
        source = web.RemoteFile(dist["url"], dist["size"])
    if dist["file"].endswith(".whl"):
        dist["entries"] = entries(dist, source)
        dist["unpacked"] = sum(size for size, _ in dist["entries"].values())
    return dist


def entries(dist: dict, source: io.IOBase) -> dict[str, tuple[int, int]]:
    """Returns size and CRC of all files by where they are installed."""
    try:
        with zipfile.ZipFile(source) as archive:
            return {installed(i.filename): (i.file_size, i.CRC) for i in archive.infolist() if not i.is_dir()}
    except io.UnsupportedOperation:
        return entries(dist, io.BytesIO(web.read_all(dist["url"])[0]))
    except zipfile.BadZipFile as e:
        raise web.Fault("failure", f"{dist['url']}: it is not a wheel: {e}") from e


def installed(name: str) -> str:
    """Returns the path below site-packages, or of scripts and data with the kind in front."""
    match = re.match(r"[^/]+\.data/(\w+)/(.*)", name)
    if not match:
        return name
    return match[2] if match[1] in ("purelib", "platlib") else f"{match[1]}:{match[2]}"


def collisions(dists: list[dict], allowed: list[str]) -> list[str]:
    """Names the paths that two wheels hold with different content."""
    harmless = Globs(allowed)
    owner: dict[str, tuple[dict, tuple[int, int]]] = {}
    faults: dict[tuple[str, str], list[str]] = {}
    for dist in dists:
        for path, content in dist.get("entries", {}).items():
            other, theirs = owner.setdefault(path, (dist, content))
            if theirs != content and not harmless.decider(path):
                faults.setdefault((title(other), title(dist)), []).append(path)
    return [told(pair, paths) for pair, paths in faults.items()]


def told(pair: tuple[str, str], paths: list[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{pair[0]} and {pair[1]} both hold {min(paths)}{more}, with different content"


def title(dist: dict) -> str:
    return f"{dist['name']} {dist['version']}"

"""Looks into wheels by their directory alone, which lies at the end of the file."""

import hashlib
import io
import re
import sys
import tempfile
import zipfile
import zlib
from email.parser import BytesHeaderParser
from typing import IO

from packaging.version import InvalidVersion, Version

import web
from globs import LOCAL, Globs, subject
from router import normal

SITE = f"{LOCAL}/lib/python{sys.version_info.major}.{sys.version_info.minor}/dist-packages"
# Where the kinds of a .data folder are installed; the headers of a project are its own.
KINDS = {"purelib": SITE, "platlib": SITE, "scripts": f"{LOCAL}/bin", "data": LOCAL}

NEEDED = ("METADATA", "WHEEL", "RECORD")
NAME_MAX = 255  # bytes of a file's name, of Linux
HEADERS = 1 << 20  # bytes of METADATA that are read: a description follows


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
        raise web.Fault("failure", f"{place(dist)}: its sha256 is {sha256}, and {dist['sha256']} was promised")
    return look_into({**dist, "sha256": sha256, "size": file.seek(0, io.SEEK_END)}, file)


def look_into(dist: dict, source: IO[bytes]) -> dict:
    if (size := len(dist["file"].encode())) > NAME_MAX:
        raise web.Fault("failure", f"{place(dist)}: its name has {size} bytes, and a file's name has at most {NAME_MAX}")
    if dist["file"].endswith(".whl"):
        dist["entries"] = entries(dist, source)
        dist["unpacked"] = sum(size for size, _ in dist["entries"].values())
    return dist


def entries(dist: dict, source: IO[bytes]) -> dict[str, tuple[int, int]]:
    """Returns size and CRC of all files by where they are installed."""
    try:
        with zipfile.ZipFile(source) as archive:
            if wrong := fault_of(dist, archive):
                raise web.Fault("failure", f"{place(dist)}: {wrong}")
            return {installed(i.filename): (i.file_size, i.CRC) for i in archive.infolist() if not i.is_dir()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError, RuntimeError, EOFError, zlib.error) as e:
        raise web.Fault("failure", f"{place(dist)}: it is not a wheel: {' '.join(str(e).split())}") from e


def fault_of(dist: dict, archive: zipfile.ZipFile) -> str:
    """Says what the build would refuse of a wheel, and what it would take for another one."""
    names = archive.namelist()
    if long := next((n for name in names for n in name.split("/") if len(n.encode()) > NAME_MAX), ""):
        return f"it holds a file whose name has {len(long.encode())} bytes, and a file's name has at most {NAME_MAX}: {long[:40]}…"
    folders = sorted({top for top, slash, _ in (name.partition("/") for name in names) if slash and top.endswith(".dist-info")})
    if len(folders) != 1:
        return f"it is not a wheel: it has several .dist-info folders, {', '.join(folders)}" if folders else "it is not a wheel: it has no .dist-info folder"
    if missing := [name for name in NEEDED if f"{folders[0]}/{name}" not in names]:
        return f"it is not a wheel: its .dist-info has no {missing[0]}"
    with archive.open(f"{folders[0]}/METADATA") as file:
        metadata = BytesHeaderParser().parsebytes(file.read(HEADERS))
    return mistaken(dist, folders[0].removesuffix(".dist-info"), str(metadata["Name"] or ""), str(metadata["Version"] or ""))


def mistaken(dist: dict, folder: str, name: str, version: str) -> str:
    """Says where a wheel claims to be two distributions at once.

    A file name may have a local version that was added when the file was released: flash-attn's
    2.7.4.post1+cu12torch2.6cxx11abiFALSE holds 2.7.4.post1. pip takes such a file where its address
    is required, and from no index.
    """
    if not name or not version:
        return f"its METADATA has no {'Version' if name else 'Name'}"
    says = f"and its METADATA is of {name} {version}"
    parts = dist["file"].removesuffix(".whl").split("-")
    if len(parts) < 5:
        return f"{dist['file']} is no name of a wheel, {says}"
    filed = parts[1] if "+" in version else parts[1].partition("+")[0]
    if not same(parts[0], filed, name, version):
        return f"its file name is of {parts[0]} {parts[1]}, {says}"
    if normal(folder) not in (normal(f"{parts[0]}-{parts[1]}"), normal(f"{parts[0]}-{filed}")):
        return f"its folder is {folder}.dist-info, {says}"
    if dist["version"] and not same(dist["name"], dist["version"], name, version):
        return f"it should be {title(dist)}, {says}"
    return ""


def same(name: str, version: str, other_name: str, other_version: str) -> bool:
    return normal(name) == normal(other_name) and canonical(version) == canonical(other_version)


def canonical(version: str) -> Version | str:
    """Returns a version as PEP 440 compares it. File names have _ where a - would divide them."""
    try:
        return Version(version.replace("_", "-"))
    except InvalidVersion:
        return version


def place(dist: dict) -> str:
    """Returns where a distribution is, as users write it."""
    return re.sub("^file:(?!//)", "./", dist["url"])


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

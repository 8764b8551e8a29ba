"""Prints the folder to build a Python project in, below /build, where it puts the sources.

Arguments: the name of the sdist in /.lamina/source, or "" where that is a tree; the
folder of the project below the tree; the version that is locked, or "".
"""

import configparser
import os
import re
import shutil
import sys
import tarfile
import tomllib
import zipfile

SOURCE = "/.lamina/source"
BUILD = "/build"
PROJECT = ("pyproject.toml", "setup.py", "setup.cfg")


def main(archive: str, folder: str, version: str, source: str = SOURCE, build: str = BUILD) -> None:
    unpacked = f"{build}.sdist"
    try:
        if archive:
            unpack(os.path.join(source, archive), unpacked)
            source = project_in(unpacked)
        prefix = parent_prefix(os.path.join(source, folder)) if version else None
    except (Refused, tarfile.TarError, zipfile.BadZipFile) as error:
        raise SystemExit(f"{archive}: {error}") from error
    # Build backends write into the tree, and the compiler's cache is keyed by paths: it is put at a fixed place.
    if prefix is not None:
        os.mkdir(build)
        build = os.path.join(build, prefix + version)
    if archive:
        os.rename(source, build)
    else:
        shutil.copytree(source, build, symlinks=True, copy_function=shutil.copy)
    print(os.path.normpath(os.path.join(build, folder)))


class Refused(Exception):
    """Says what is wrong with an sdist."""


def unpack(archive: str, folder: str) -> None:
    os.mkdir(folder)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            for item in file.infolist():
                inside(folder, item.filename, item.filename)
            file.extractall(folder)
        return
    with tarfile.open(archive) as file:
        file.extraction_filter = lambda member, _: member  # the check is below, also for Pythons that have no filters
        for member in file:
            check(folder, member)
            # Some makers leave files behind that nobody may read, or have users that nobody here has.
            member.mode = (member.mode or 0) & 0o777 | (0o755 if member.isdir() else 0o644)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            file.extract(member, folder)


def check(folder: str, member: tarfile.TarInfo) -> None:
    """Refuses what leads out of the folder, as the filter "data" of later Pythons does, and what is no file."""
    inside(folder, member.name, member.name)
    if member.issym():
        inside(folder, os.path.join(os.path.dirname(member.name), member.linkname), member.name, member.linkname)
    elif member.islnk():
        inside(folder, member.linkname, member.name, member.linkname)
    elif not (member.isfile() or member.isdir()):
        raise Refused(f"{member.name} is no file, folder or link")


def inside(folder: str, path: str, name: str, link: str = "") -> None:
    """Refuses a path that is absolute or leads out, also by way of a link that was unpacked before."""
    root = os.path.realpath(folder)
    real = os.path.realpath(os.path.join(root, path))
    if os.path.isabs(path) or os.path.isabs(link) or os.path.commonpath((root, real)) != root:
        raise Refused(f"{name} leads out of it" + (f", to {link}" if link else ""))


def project_in(unpacked: str) -> str:
    """Returns the one folder with a project in it; other files may lie beside it."""
    folders = [os.path.join(unpacked, name) for name in sorted(os.listdir(unpacked))]
    folders = [folder for folder in (unpacked, *folders) if os.path.isdir(folder)]
    found = [folder for folder in folders if any(os.path.isfile(os.path.join(folder, name)) for name in PROJECT)]
    if unpacked in found:
        return unpacked
    if len(found or folders[1:]) != 1:
        raise Refused(f"{len(found)} folders of it have one of {', '.join(PROJECT)}")
    return (found or folders[1:])[0]


def parent_prefix(project: str) -> str | None:
    """Returns what versioneer takes off the name of a parent folder to get the version; it sees no tags here."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read(os.path.join(project, "setup.cfg"), encoding="utf-8")
        prefix = config.get("versioneer", "parentdir_prefix", fallback=None)
        if prefix is None and os.path.isfile(path := os.path.join(project, "pyproject.toml")):
            with open(path, "rb") as file:
                prefix = tomllib.load(file).get("tool", {}).get("versioneer", {}).get("parentdir_prefix")
    except (configparser.Error, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None  # the build will say so
    return prefix.strip("'\"") if isinstance(prefix, str) and "/" not in prefix else None


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Installs the wheel in /.lamina/wheel below /.lamina/out, where an image of Debian wants it."""

import base64
import compileall
import csv
import hashlib
import pathlib
import sysconfig

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

OUT = pathlib.Path("/.lamina/out")
BASE = {"base": "/usr", "platbase": "/usr", "installed_base": "/usr", "installed_platbase": "/usr"}


def main() -> None:
    paths = sysconfig.get_paths("posix_local", vars=BASE)
    (wheel,) = pathlib.Path("/.lamina/wheel").glob("*.whl")
    with WheelFile.open(wheel) as source:
        paths["headers"] = f"{paths['include']}/{source.distribution}"
        target = SchemeDictionaryDestination(paths, "/usr/bin/python3", "posix", destdir=str(OUT))
        install(source, target, additional_metadata={})
        info = source.dist_info_dir
    site = OUT / paths["purelib"].lstrip("/")
    compile_all(site)
    write_record(site, site / info / "RECORD")


def compile_all(site: pathlib.Path) -> None:
    """Writes bytecode that is valid without a look at its source: all its times are the epoch."""
    mode = compileall.py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(site, stripdir=str(OUT), prependdir="/", quiet=1, invalidation_mode=mode):
        raise SystemExit("compiling Python sources: see above")


def write_record(site: pathlib.Path, record: pathlib.Path) -> None:
    """Writes RECORD anew: all that was installed, sorted, whatever the wheel said."""
    rows = []
    for path in OUT.rglob("*"):
        if path.is_dir() or path == record:
            continue
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
        rows.append((relative(path, site), f"sha256={digest}", str(path.stat().st_size)))
    rows.append((relative(record, site), "", ""))
    with record.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(sorted(rows))


def relative(path: pathlib.Path, site: pathlib.Path) -> str:
    """RECORD names files relative to the folder that holds the .dist-info."""
    up = []
    while not path.is_relative_to(site):
        site = site.parent
        up.append("..")
    return "/".join([*up, *path.relative_to(site).parts])


main()

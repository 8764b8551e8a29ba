#!/usr/bin/env python3
"""closure.py: the table of stand-ins for the rehearsal of examples/wan22-animate, from a lock of the example.

Prints a new closure.txt: the distributions of all variants in an image.lock, with the requirements in each
one's METADATA at PyPI, its tags and its size. Import names stay as in the old table; those of new distributions
come from the lock. sam2 and the stand-ins for NumPy, Cython, setuptools and wheel are defined here.

Usage:  bench/closure.py image.lock > closure.txt       (then over the one of the rehearsal)
Needs:  Python 3.11, PyPI
"""

import io
import re
import sys
import tarfile
import tomllib
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from email.parser import HeaderParser
from pathlib import Path

TABLE = Path(__file__).parent.parent / "examples" / "wan22-animate" / "rehearsal" / "world" / "closure.txt"
DEBIAN = ("cython", "numpy", "setuptools", "wheel")  # made of Debian's packages, since they compile
SHARED = {  # below a package that several share
    "backports-zstd": "backports.zstd",
    "googleapis-common-protos": "google.rpc",
    "opentelemetry-api": "opentelemetry.trace",
    "opentelemetry-exporter-http-transport": "opentelemetry.exporter.http.transport",
    "opentelemetry-exporter-otlp-common": "opentelemetry.exporter.otlp.common",
    "opentelemetry-exporter-otlp-proto-common": "opentelemetry.exporter.otlp.proto.common",
    "opentelemetry-exporter-otlp-proto-http": "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry-proto": "opentelemetry.proto",
    "opentelemetry-sdk": "opentelemetry.sdk",
    "opentelemetry-semantic-conventions": "opentelemetry.semconv",
    "protobuf": "google.protobuf",
}
WIDTH = 150


def main(path: str) -> None:
    with open(path, "rb") as file:
        python = tomllib.load(file)["python"]
    dists = [d for d in python["distributions"] if not d["url"].startswith("git+")]
    with ThreadPoolExecutor(16) as pool:
        needs = list(pool.map(requirements, dists))
    extras = wanted([line for request in python["requests"] for line in request["lines"]], dists, needs)
    modules = known_modules()
    print(head(), end="")
    for dist, some in sorted(zip(dists, needs, strict=True), key=lambda pair: (pair[0]["name"], version_key(pair[0]["version"]))):
        print(entry(dist, [line for line in some if applies(line, extras.get(dist["name"], set()))], modules))


def head() -> str:
    """Returns the comment at the beginning of the table."""
    lines = TABLE.read_text("utf-8").splitlines(keepends=True)
    return "".join(lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]) + "\n"


def known_modules() -> dict[str, str]:
    found = re.findall(r"^(\S+) \S+ \S+ =(\S+?)[: ]", TABLE.read_text("utf-8"), re.MULTILINE)
    return dict(found)


def version_key(version: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"[.+]|(?<=\d)(?=[a-z])", version)]


def entry(dist: dict, needs: list[str], modules: dict[str, str]) -> str:
    name, version, kind, size = dist["name"], dist["version"], kind_of(dist), round(dist["size"] / 1e6)
    words = [name, version, kind]
    module = SHARED.get(name) or modules.get(name) or module_of(dist)
    if module != name.replace("-", "_"):
        words.append("=" + module)
    if size:
        words.append(str(size))
    text, line = "", " ".join(words) + ":"
    for i, need in enumerate(needs):
        word = (" " if i == 0 else " | ") + need
        if i and len(line) + len(word) > WIDTH:
            text, line, word = text + line + "\n", "\t", word[1:]
        line += word
    return text + line


def kind_of(dist: dict) -> str:
    if dist["name"] in DEBIAN:
        return "debian"
    if not dist["file"].endswith(".whl"):
        return "sdist"
    return "-".join(dist["file"].removesuffix(".whl").split("-")[-3:])


def module_of(dist: dict) -> str:
    """Returns a distribution's import name, by the names in its wheel."""
    named = dist["name"].replace("-", "_")
    if dist["name"].startswith("nvidia-"):
        return "nvidia." + named.removeprefix("nvidia_").removesuffix("_cu12")
    tops = [re.sub(r"(\.cpython-.*|\.abi3)?\.(py|so)$", "", top) for top in dist["top"] if not top.endswith((".libs", ".pth"))]
    lower = {top.lower(): top for top in tops}
    public = [top for top in tops if not top.startswith("_")]
    return lower.get(named.lower()) or (public or tops or [named])[0]


def requirements(dist: dict) -> list[str]:
    if dist["name"] in DEBIAN:
        return []
    if dist["file"].endswith(".whl"):
        with zipfile.ZipFile(io.BufferedReader(Remote(dist["url"], dist["size"]), 1 << 16)) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            text = wheel.read(name).decode("utf-8", "replace")
        lines = HeaderParser().parsestr(text).get_all("Requires-Dist") or []
    else:
        lines = of_sdist(fetch(dist["url"]))
    return [re.sub(r"\s+", " ", re.sub(r"\s*\(([^)]*)\)", r"\1", line, count=1) if ";" not in line.split("(")[0] else line) for line in lines]


def of_sdist(data: bytes) -> list[str]:
    """Reads the requires.txt of setuptools, whose sections are extras and markers."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = [name for name in archive.getnames() if name.endswith(".egg-info/requires.txt")]
        text = archive.extractfile(names[0]).read().decode() if names else ""
    lines, condition = [], ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            extra, _, marker = line.strip("[]").partition(":")
            condition = " and ".join(filter(None, [f'extra == "{extra}"' if extra else "", marker]))
        else:
            lines.append(f"{line}; {condition}" if condition else line)
    return lines


class Remote(io.RawIOBase):
    """A remote file, read by ranges: of a wheel only its end and its METADATA."""

    def __init__(self, url: str, size: int) -> None:
        self.url, self.size, self.at = url, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, buffer: memoryview) -> int:
        end = min(self.at + len(buffer), self.size)
        if end <= self.at:
            return 0
        data = fetch(self.url, {"Range": f"bytes={self.at}-{end - 1}"})
        buffer[: len(data)] = data
        self.at += len(data)
        return len(data)


def fetch(url: str, headers: dict[str, str] | None = None) -> bytes:
    for last in (False, False, True):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{url}: {error}") from error
        except OSError as error:
            if last:
                raise SystemExit(f"{url}: {error}") from error
    raise AssertionError


def wanted(lines: list[str], dists: list[dict], needs: list[list[str]]) -> dict[str, set[str]]:
    """Returns the extras that kept requirements name, by project, until there are no more."""
    extras: dict[str, set[str]] = {}
    while True:
        before = sum(map(len, extras.values()))
        kept = [line for dist, some in zip(dists, needs, strict=True) for line in some if applies(line, extras.get(dist["name"], set()))]
        for line in [*lines, *kept]:
            if found := re.match(r"([\w.-]+)\s*\[([^\]]+)\]", line):
                name = re.sub(r"[-_.]+", "-", found[1]).lower()
                extras.setdefault(name, set()).update(re.split(r"\s*,\s*", found[2]))
        if sum(map(len, extras.values())) == before:
            return extras


def applies(line: str, extras: set[str]) -> bool:
    """Reports whether a requirement is kept: all but those of extras that are not required."""
    named = re.findall(r"""extra\s*==\s*['"]([^'"]+)['"]""", line)
    return not named or bool(set(named) & extras)


if __name__ == "__main__":
    main(sys.argv[1])

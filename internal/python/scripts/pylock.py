"""Chooses from a pylock.toml (PEP 751) what is installed here."""

import sys
import tomllib
from urllib.parse import urldefrag, urlsplit

from packaging.markers import InvalidMarker, Marker, default_environment
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion

import web


def choose(path: str, omitted: dict[str, str]) -> list[dict]:
    """Returns a distribution for each package whose marker holds. All that is wrong is told at once."""
    with open(path, "rb") as file:
        lock = tomllib.load(file)
    if not str(lock.get("lock-version", "")).startswith("1."):
        raise web.Fault("usage", f"pylock: lock-version is {lock.get('lock-version')!r}, want 1.x")
    environment = default_environment()
    requires_python(lock, environment, "pylock: the lock")
    chosen, faults = [], []
    for package in lock.get("packages", []):
        try:
            name = canonicalize_name(package["name"])
            if name not in omitted and holds(package, environment):
                requires_python(package, environment, name)
                chosen.append(distribution(package))
        except web.Fault as fault:
            faults.append(fault.message)
        except (KeyError, TypeError, ValueError, AttributeError) as e:  # not what PEP 751 has there
            faults.append(f"{package.get('name', 'a package')} can not be read: {type(e).__name__}: {e}")
    if faults:
        raise web.Fault("usage", "\n".join(f"pylock: {f}" for f in faults))
    return chosen


def holds(package: dict, environment: dict[str, str]) -> bool:
    # Markers on extras and groups need a newer library than Debian's; a lock of what runs has none.
    marker = package.get("marker", "")
    try:
        return not marker or Marker(marker).evaluate(environment)
    except (InvalidMarker, InvalidVersion) as e:
        raise web.Fault("usage", f"{package['name']}: marker {marker!r} can not be read") from e


def requires_python(table: dict, environment: dict[str, str], what: str) -> None:
    wanted, version = table.get("requires-python", ""), environment["python_full_version"]
    try:
        fits = SpecifierSet(wanted).contains(version, prereleases=True)
    except InvalidSpecifier as e:
        raise web.Fault("usage", f"{what} is for Python {wanted!r}, which can not be read") from e
    if not fits:
        raise web.Fault("usage", f"{what} is for Python {wanted}, and the image has {version}")


def distribution(package: dict) -> dict:
    name = canonicalize_name(package["name"])
    d = {"name": name, "version": package.get("version", ""), "unpacked": 0, "size": 0}
    if "vcs" in package:
        return git_tree(d, package["vcs"])
    if "directory" in package:
        raise web.Fault("usage", f"{name} is a folder: list it as [python] sources")
    source = best_wheel(package.get("wheels", [])) or package.get("archive") or package.get("sdist")
    if not source:
        names = ", ".join(file_of(w) for w in package.get("wheels", [])[:3])
        raise web.Fault("usage", f"{name} has neither an sdist nor a wheel for this Python and platform ({names})")
    if source.get("subdirectory"):
        raise web.Fault("usage", f"{name}: only a whole archive can be locked, and it lies in a folder of {file_of(source)}")
    if not d["version"]:
        raise web.Fault("usage", f"{name} has no version")
    sha256 = source.get("hashes", {}).get("sha256", "")
    if not sha256:
        raise web.Fault("usage", f"{name}: {file_of(source)} has no sha256")
    if "url" not in source:
        raise web.Fault("usage", f"{name}: {source['path']} lies beside the lock: only what has a URL can be fetched")
    return {**d, "url": without_login(urldefrag(source["url"])[0], name), "file": file_of(source), "sha256": sha256}


def without_login(url: str, name: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "ssh" and "@" in parts.netloc:
        raise web.Fault("usage", f"{name}: its URL holds a login for {parts.hostname}: put it into ~/.netrc")
    return url


def git_tree(d: dict, vcs: dict) -> dict:
    if vcs.get("type") != "git" or len(vcs.get("commit-id", "")) != 40 or "url" not in vcs:
        raise web.Fault("usage", f"{d['name']}: only git trees with an address and a commit-id are known")
    below = f"#subdirectory={vcs['subdirectory']}" if vcs.get("subdirectory") else ""
    d["version"] = d["version"] or f"0+{vcs['commit-id'][:12]}"
    without_login(vcs["url"], d["name"])
    return {**d, "url": f"git+{vcs['url']}@{vcs['commit-id']}{below}", "file": "", "sha256": ""}


def file_of(source: dict) -> str:
    return source.get("name") or web.file_name(source.get("url") or source.get("path", ""))


def best_wheel(wheels: list[dict]) -> dict | None:
    """Returns the wheel whose tag comes first among those that this Python takes."""
    rank = {tag: i for i, tag in enumerate(sys_tags())}
    best = (sys.maxsize, None)
    for w in wheels:
        try:
            tags = parse_wheel_filename(file_of(w))[3]
        except InvalidWheelFilename:
            continue
        place = min((rank[t] for t in tags if t in rank), default=sys.maxsize)
        if place < best[0]:
            best = (place, w)
    return best[1]

"""Where the weights are: Runpod's cached model, a network volume, the image, or else the hub."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import fetch
import modellist
import verified
from errors import StartError
from log import log
from modellist import ModelList
from settings import Model, Settings

TEXT_ENCODER = "text-encoder"
"""The model that an image with its own prompt doesn't need."""
RELIGHTING = "relighting"
"""The LoRA that jobs may request."""
SMALL = 10 * 10**6
"""Largest file of a hub cache that is read, in bytes: larger ones have their sha256 in their names there."""


@dataclass(frozen=True)
class Place:
    """A directory where weights may be."""

    kind: str
    path: Path
    copied: bool = False
    """Whether anyone may have put the files there."""


def of_all(settings: Settings, stop: threading.Event) -> dict[str, Path]:
    """Return a directory for each of the image's models, by the model's name; each is searched for separately."""
    found = {one.name: of(settings, one, stop) for one in settings.models}
    if TEXT_ENCODER not in found and settings.text_encoder.is_dir():
        log("weights: using the text encoder in TEXT_ENCODER, for which the image has no list")
        found[TEXT_ENCODER] = settings.text_encoder
    return found


def of(settings: Settings, model: Model, stop: threading.Event) -> Path:
    """Return a directory with all files of a model."""
    return ensure(replace(settings, models=(model,)), modellist.read(model.list), stop)


def ensure(settings: Settings, found: ModelList, stop: threading.Event) -> Path:
    """Return a directory with all of the weights, fetched if necessary; a StartError says what to do."""
    if directory := find(settings, found, stop):
        return directory
    if settings.offline:
        raise StartError(
            "there are no complete weights, and HF_HUB_OFFLINE=1 forbids fetching them: give the endpoint the "
            f"cached model {found.repository}, or a network volume with them, or set HF_HUB_OFFLINE=0"
        )
    if not found.repository:
        raise StartError(
            f"there are no complete weights, and {found.origin} is not on the hub: put them on a network volume"
        )
    return fetch.all_files(settings, found, stop)


def find(settings: Settings, found: ModelList, stop: threading.Event) -> Path | None:
    """Return the first place that has all files, and log why the earlier ones don't."""
    for place in _places(settings, found):
        if not place.path.is_dir():
            continue
        problems = modellist.lacking(place.path, found)
        if not problems and place.copied and settings.verify:
            problems = verified.corrupted(place.path, found, place.kind, stop)
        if not problems:
            log(f"weights: in {place.kind}")
            return place.path
        log(f"weights: skipping {place.kind}: {modellist.shorten(problems)}: {_advice(place)}")
    return None


def _places(settings: Settings, found: ModelList) -> Iterator[Place]:
    """Yield the places in order; an image that is meant to hold its weights has the right ones."""
    image = Place("the image", settings.model_path)
    if settings.offline:
        yield image
    yield from cached(settings, found)
    yield from volumes(settings, found)
    if not settings.offline:
        yield image


def cached(settings: Settings, found: ModelList) -> list[Place]:
    """Return Runpod's cached model, if it is the list's revision or has the same files."""
    snapshots = _snapshots(settings.volume / "huggingface-cache" / "hub", found.repository)
    if not snapshots:
        return []
    if found.renamed:
        log("weights: skipping the cached model: the image's list gives files other names than the hub does")
        return []
    if (snapshots / found.commit).is_dir():
        return [Place("the cached model", snapshots / found.commit)]
    others = sorted(os.listdir(snapshots))
    if same := next((name for name in others if _same(snapshots / name, found)), ""):
        log(f"weights: the cached model has another revision ({same}) but the same files")
        return [Place("the cached model", snapshots / same)]
    log(
        f"weights: skipping the cached model: its revision ({', '.join(others) or 'none'}) is not the "
        f"image's {found.commit}: set the endpoint's model to that revision, or build the image for the other one"
    )
    return []


def _same(snapshot: Path, found: ModelList) -> bool:
    """Tell whether a snapshot of another revision has the list's files, judged by their content."""
    try:
        return all(_is(snapshot / file.path, file) for file in found.files)
    except OSError:
        return False


def _is(path: Path, file: modellist.File) -> bool:
    if file.size > SMALL:  # a link to a blob named by its sha256: 57 GB needn't be read
        return path.is_symlink() and path.readlink().name == file.sha256
    return modellist.digest(path) == file.sha256


def _snapshots(hub: Path, repository: str) -> Path | None:
    wanted = "models--" + repository.replace("/", "--")
    if not repository or not hub.is_dir():
        return None
    names = [name for name in os.listdir(hub) if name.lower() == wanted.lower()]
    return next((hub / name / "snapshots" for name in names if (hub / name / "snapshots").is_dir()), None)


def volumes(settings: Settings, found: ModelList) -> list[Place]:
    """Return the places on volumes, and the one where an earlier fetch left the weights."""
    roots = (settings.volume, settings.workspace)
    places = [Place("the network volume", root / sub / found.name, True) for root in roots for sub in ("models", "")]
    return [*places, Place("an earlier fetch", settings.fetch_dir / found.name, True)]


def _advice(place: Place) -> str:
    if place.kind == "the image":
        return "build the image again"
    if place.kind == "the cached model":
        return "wait until Runpod has cached it, or select the model again"
    return "copy these files again, or remove the directory to have them fetched"

"""Downloads all weights from the hub: several files at once, to a volume if there is one."""

import math
import shutil
import threading
import time
import uuid
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

import lease
import modellist
import verified
from errors import StartError
from hub import Hub
from log import log
from modellist import ModelList
from settings import Settings

MARGIN = 10**9
"""Bytes to keep free on a disk."""
REPORT_SECONDS = 10.0
TICK = 0.2


def all_files(settings: Settings, found: ModelList, stop: threading.Event) -> Path:
    """Return the directory with the weights once they are complete."""
    directory = destination(settings, found, stop)
    directory.mkdir(parents=True, exist_ok=True)
    with lease.held(directory / ".fetching", stop, lambda: not modellist.lacking(directory, found)) as ours:
        if ours:
            _fetch(settings, found, directory, stop)
    if problems := modellist.lacking(directory, found):
        raise StartError(f"weights: still incomplete: {modellist.shorten(problems)}")
    return directory


def destination(settings: Settings, found: ModelList, stop: threading.Event) -> Path:
    """Return where the weights go: to the volume, where the next worker finds them, or to /tmp."""
    refused = []
    roots = {"the container disk": settings.fetch_dir}
    if settings.volume.is_dir():
        roots = {"the network volume": settings.volume / "models"} | roots
    for kind, root in roots.items():
        directory = root / found.name
        if not _writable(directory):
            refused.append(f"{kind} can't be written to")
        elif (short := needed(directory, found) + MARGIN - shutil.disk_usage(directory).free) > 0:
            refused.append(f"{kind} needs {short / 1e9:.1f} GB more")
        elif problems := settings.verify and verified.corrupted(directory, found, kind, stop):
            refused.append(
                f"{kind} already has other files ({modellist.shorten(problems)}; remove them to fetch the right ones)"
            )
        else:
            if refused:
                log(f"weights: {'; '.join(refused)}")
            log(f"weights: fetching to {kind}")
            return directory
    raise StartError(
        f"weights: no room for {found.size / 1e9:.1f} GB: {'; '.join(refused)}: "
        "give the endpoint a larger container disk or a network volume"
    )


def needed(directory: Path, found: ModelList) -> int:
    """Return the bytes that are still missing."""
    return sum(file.size - _there(directory, file) for file in found.files)


def _there(directory: Path, file: modellist.File) -> int:
    if modellist.complete(directory, file):
        return file.size
    try:
        return min((directory / f"{file.path}.part").stat().st_size, file.size)
    except OSError:
        return 0


def _writable(directory: Path) -> bool:
    probe = directory / f".probe-{uuid.uuid4().hex}"  # each worker on a volume has the process ID 1
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def _fetch(settings: Settings, found: ModelList, directory: Path, stop: threading.Event) -> None:
    todo = [file for file in found.files if not modellist.complete(directory, file)]
    todo.sort(key=lambda file: -file.size)  # so that a small one comes last
    meter = Meter(found.size, found.size - needed(directory, found), settings.init_timeout)
    abort = threading.Event()
    base = f"{settings.hub}/{found.repository}/resolve/{found.commit}/"
    hub = Hub(base, settings.token, settings.stall_seconds, abort)
    mark = verified.Mark(directory)
    with ThreadPoolExecutor(settings.fetch_threads) as pool:
        work = [pool.submit(_bring, hub, file, directory, meter, mark) for file in todo]
        try:
            _follow(work, meter, stop)
        finally:
            abort.set()
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(one.done() for one in work):
                hub.cut()
                time.sleep(TICK / 4)
    log(f"weights: fetched {len(todo)} files, {meter.text()}")


def _bring(hub: Hub, file: modellist.File, directory: Path, meter: "Meter", mark: verified.Mark) -> None:
    hub.fetch(file, directory, meter.add)
    mark.add(file, mark.line(file))


def _follow(work: list[Future], meter: "Meter", stop: threading.Event) -> None:
    """Wait for all files, report progress, and raise the first problem."""
    pending: set[Future] = set(work)
    while pending:
        done, pending = wait(pending, TICK, FIRST_EXCEPTION)
        for one in done:
            one.result()
        if stop.is_set():
            raise StartError("told to stop")
        meter.report()


class Meter:
    """How much has arrived, how fast, and whether that is fast enough."""

    def __init__(self, total: int, there: int, init_timeout: float) -> None:
        self._total, self._there, self._timeout = total, there, init_timeout
        self._arrived = 0
        self._lock = threading.Lock()
        self._started = self._reported = time.monotonic()
        self._warned = False

    def add(self, count: int) -> None:
        """Count bytes that arrived, or that were dropped."""
        with self._lock:
            self._arrived += count

    def text(self) -> str:
        """Return the progress."""
        seconds = max(time.monotonic() - self._started, 0.001)
        return f"{_bytes(self._arrived)} in {seconds:.0f} s, {_bytes(self._arrived / seconds)}/s"

    def report(self) -> None:
        """Log the progress every few seconds."""
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        rate = self._arrived / (now - self._started)
        left = (self._total - self._there - self._arrived) / rate if rate > 0 else math.inf
        log(
            f"weights: fetched {_bytes(self._there + self._arrived)} of {_bytes(self._total)}, "
            f"{_bytes(rate)}/s, {_time(left)} left"
        )
        self._warn(now - self._started + left)

    def _warn(self, whole: float) -> None:
        if whole > self._timeout and not self._warned:
            self._warned = True
            log(
                f"weights: Runpod replaces a worker that is not ready within {self._timeout:.0f} s: "
                "raise RUNPOD_INIT_TIMEOUT; with a network volume the next worker resumes where this one stopped"
            )


def _bytes(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def _time(seconds: float) -> str:
    if math.isinf(seconds):
        return "unknown time"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s" if seconds >= 60 else f"{seconds:.0f} s"

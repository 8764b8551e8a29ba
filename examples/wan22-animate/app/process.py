"""Programs that a job runs, each in its own process group, which ends with the job."""

import contextlib
import os
import re
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from errors import JobError, OutOfTime, disk_full
from log import debug, scrub
from web import Clock

LINES, WIDTH = 400, 500
"""Limits of a program's output that is kept."""
TERM_SECONDS, KILL_SECONDS = 2.0, 5.0
TICK = 0.1
BREAK = re.compile(rb"[\r\n]+")
SECRET = ("TOKEN", "KEY", "KEY_ID", "SECRET", "PASSWORD", "CREDENTIALS")
"""Suffixes of the names of secret variables."""
FULL = re.compile(r"No space left on device|Disk quota exceeded|\[Errno 28\]|ENOSPC")


@dataclass(frozen=True)
class Result:
    """How a program ended."""

    code: int | None
    """None for a program that reports an error and keeps running."""
    text: str
    """Its last lines, verbatim."""

    @property
    def last(self) -> str:
        """Its last line, fit for a message."""
        lines = [scrub(line).strip() for line in self.text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""


def run(
    arguments: list[str],
    directory: Path,
    clock: Clock,
    doing: str,
    heard: Callable[[str], None] = lambda line: debug(scrub(line)),
    home: Path | None = None,
) -> Result:
    """Run a program in a directory to its end; a timeout or a stop kills its whole group.

    Its temporary files are in the job's home, if that is another directory.
    """
    env = environment(home or directory)
    try:
        program = subprocess.Popen(  # noqa: S603 (no shell; the arguments are ours)
            arguments, cwd=directory, env=env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except OSError as err:
        name, why = Path(arguments[0]).name, os.strerror(err.errno or 0)
        raise JobError(f"{doing}: {name} can't be started: {why}") from err
    output = Output(heard)
    try:
        _follow(program, output, clock, doing)
    finally:
        end(program)
        output.finish(program.stdout)
    return Result(program.returncode, output.text)


def environment(home: Path | None) -> dict[str, str]:
    """Return a program's environment: no secrets, and for a job temporary files in its directory."""
    kept = {name: value for name, value in os.environ.items() if not _is_secret(name)}
    for name in ("PYTHONPATH", "PYTHONSAFEPATH"):
        kept.pop(name, None)
    # imageio-ffmpeg's static ffmpeg crashes in the system's character set modules (on MPEG-TS, for one).
    kept |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "GCONV_PATH": "/nonexistent"}
    if home is None:
        return kept
    temporary = home / "tmp"
    temporary.mkdir(exist_ok=True)
    return kept | {"TMPDIR": str(temporary)}


def _is_secret(name: str) -> bool:
    return name.endswith(SECRET) or name.startswith(("RUNPOD_WEBHOOK_", "BUCKET_"))


def check_disk(result: Result) -> None:
    """Raise the error for a full disk if a program hit one."""
    if FULL.search(result.text):
        raise disk_full()


def _follow(program: subprocess.Popen, output: "Output", clock: Clock, doing: str) -> None:
    os.set_blocking(program.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(program.stdout, selectors.EVENT_READ)
        while program.poll() is None:
            try:
                clock.check(doing)
            except OutOfTime as err:
                raise OutOfTime(doing, clock.seconds, scrub(output.last)) from err
            if selector.select(TICK) and output.read(program.stdout) == 0:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.wait(TICK)  # it closed its output, and is probably exiting


def end(program: subprocess.Popen) -> None:
    """Terminate the program, kill what is left of its group, and reap it."""
    if program.poll() is None:
        _signal(program.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(TERM_SECONDS)
    _signal(program.pid, signal.SIGKILL)
    try:
        program.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        raise JobError("a program can't be killed: the GPU or its driver hangs", refresh=True) from None
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-program.pid, os.WNOHANG) != (0, 0):  # as PID 1, reap its orphans
            pass


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


class Output:
    """Splits a program's output into lines, also at carriage returns, which progress bars use."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard
        self._lines: deque[str] = deque(maxlen=LINES)
        self._rest = b""

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    def clear(self) -> None:
        """Forget the output so far."""
        self._lines.clear()

    @property
    def last(self) -> str:
        return self._lines[-1] if self._lines else ""

    def read(self, pipe: IO[bytes]) -> int:
        """Read the available output; return its size, 0 at the end, -1 where there is none yet."""
        try:
            chunk = os.read(pipe.fileno(), 1 << 16)
        except BlockingIOError:
            return -1
        *lines, rest = BREAK.split(self._rest + chunk)
        self._rest = rest[-(1 << 16) :]
        for line in lines:
            self._keep(line)
        return len(chunk)

    def finish(self, pipe: IO[bytes]) -> None:
        """Read the rest; a process outside the group may hold the pipe open, so don't wait."""
        with pipe:
            for _ in range(64):
                if self.read(pipe) <= 0:
                    break
        self._keep(self._rest)

    def _keep(self, line: bytes) -> None:
        text = line.decode(errors="replace")[:WIDTH]
        if text.strip():
            self._lines.append(text)
            self._heard(text)

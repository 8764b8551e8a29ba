"""The worker's side of the process that holds the models across jobs.

It starts with the worker, loads while the first job is fetched and preprocessed, and is
restarted when it dies, hangs, leaks or its GPU fails: the worker itself never imports torch.
pipeline_main.py runs in it, and documents the messages.
"""

import contextlib
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

import problems
import process
from channel import Channel
from errors import JobError, OutOfTime, Stopped
from log import debug, log, scrub
from web import Clock

TICK = 0.1
ANSWER_SECONDS = 1.5
"""Within which a stopped order should end: the job waits no longer, the next one does."""
DRAIN_SECONDS = 60.0
LOAD_SILENCE = 900.0
"""Seconds of silence after which loading counts as hung: a shard of 10 GB may come from a slow volume."""
TRIES = 2
"""Consecutive failures, of loading or of the GPU, after which the worker must be replaced."""
LEAK = {"memory": 2 << 30, "gpu": 1 << 30}
"""Bytes that a process may keep beyond those after its second job; until then caches grow."""

LOADING, GENERATING = "loading the models", "generating"
Heard = Callable[[dict], None]


class Resident:
    """Runs one process at a time, and gives it orders."""

    def __init__(self, failed: Callable[[str], None]) -> None:
        self.problem = ""
        """Why there is no process and won't be one."""
        self._failed = failed
        self._command: list[str] = []
        self._life: Life | None = None
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._order = 0
        self._unloaded = self._gpu_problems = 0

    def begin(self, command: list[str]) -> None:
        """Start the process; it loads in the background."""
        self._command = command
        with self._lock:
            if not self._closed.is_set():
                self._life = Life(command, self._ended)

    def wait(self, clock: Clock) -> None:
        """Return once the models are loaded."""
        self._free(clock)

    def loaded(self) -> bool:
        """Tell whether an order would start at once."""
        return bool(self._life and self._life.loaded.is_set())

    def close(self) -> None:
        """End the process, for good."""
        self._closed.set()
        with self._lock:
            life, self._life = self._life, None
        if life:
            life.end()

    def run(self, order: dict, clock: Clock, timeout: float, heard: Heard) -> dict:
        """Return the process's report of a completed order, or raise a JobError.

        An order that kills the process isn't retried. After timeout seconds of silence
        the process counts as hung.
        """
        life = self._free(clock)
        self._order += 1
        life.give(self._order, order)
        try:
            return self._follow(life, clock, timeout, heard)
        except (Stopped, OutOfTime):
            life.stop()
            raise

    def _free(self, clock: Clock) -> "Life":
        """Return the process once it has loaded, and no stopped order is still running."""
        while True:
            if self.problem:
                raise JobError(self.problem, HTTPStatus.SERVICE_UNAVAILABLE, refresh=True)
            clock.check(LOADING)
            life = self._life
            if life is None:
                raise Stopped
            if life.free(TICK):
                return life
            if life.silence() > (DRAIN_SECONDS if life.loaded.is_set() else LOAD_SILENCE):
                log("the pipeline hangs and is restarted")
                life.end("it was silent for too long and was killed")

    def _follow(self, life: "Life", clock: Clock, timeout: float, heard: Heard) -> dict:
        while True:
            clock.check(GENERATING)
            message = life.next(TICK)
            if message is None:
                if life.silence() > timeout:
                    life.end()
                    words = f"{GENERATING}: the pipeline was silent for {timeout:.0f} s and is restarted"
                    raise JobError(f"{words}: send the job again")
                continue
            at = message["at"]
            if at == "gone":
                raise self._death(life)
            if message.get("id") != self._order:
                continue
            if at == "done":
                self._done(life, message)
                return message
            if at == "stopped":
                raise Stopped
            if at == "failed":
                raise self._failure(life, message)
            heard(message)

    def _done(self, life: "Life", message: dict) -> None:
        self._gpu_problems = 0
        if kept := life.leaks(message):
            log(f"the pipeline keeps {kept} after its jobs and is restarted")
            life.end()

    def _failure(self, life: "Life", message: dict) -> JobError:
        """Return the error of an order that failed; a CUDA error ruins the process for all that follow."""
        err = problems.of(GENERATING, process.Result(None, message["said"]))
        if err.refresh:
            self._gpu_problems += 1
            err.refresh = self._gpu_problems >= TRIES
            life.end()
        return err

    def _death(self, life: "Life") -> JobError:
        err = problems.of(GENERATING, life.result())
        return JobError(f"{err}; the pipeline died of this job and is restarted; the job isn't retried")

    def _ended(self, life: "Life") -> None:
        """Restart after an unexpected end, but not forever if nothing is ever loaded."""
        with self._lock:
            if self._closed.is_set() or life is not self._life:
                return
            self._unloaded = 0 if life.loaded.is_set() else self._unloaded + 1
            if self._unloaded < TRIES:
                self._life = Life(self._command, self._ended)
                return
            self.problem = str(problems.of(LOADING, life.result()))
        self._failed(self.problem)


class Life:
    """One process, from its start to its end."""

    def __init__(self, command: list[str], ended: Callable[["Life"], None]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            fd = theirs.fileno()
            self._program = subprocess.Popen(  # noqa: S603 (no shell; the arguments are ours)
                [*command, "--fd", str(fd)], env=process.environment(None), start_new_session=True, pass_fds=(fd,),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.loaded = threading.Event()
        self._channel, self._inbox = Channel(ours), queue.SimpleQueue()
        self._output = process.Output(lambda line: debug(f"pipeline: {scrub(line)}"))
        self._said = ""
        self._heard = time.monotonic()
        self._idle = threading.Event()
        self._idle.set()
        self._gone = False
        self._order, self._jobs = 0, 0
        self._mark: dict = {}
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._listen, args=(ended,), daemon=True).start()

    def give(self, number: int, order: dict) -> None:
        """Hand over an order."""
        self._order, self._heard = number, time.monotonic()
        self._idle.clear()
        self._output.clear()  # a job's failure is judged by its own output
        self._channel.send(do="run", id=number, **order)

    def stop(self) -> None:
        """Request the order's end, and wait briefly for it."""
        self._channel.send(do="stop", id=self._order)
        self._idle.wait(ANSWER_SECONDS)

    def free(self, seconds: float) -> bool:
        """Tell whether an order can be given, within some seconds."""
        end = time.monotonic() + seconds
        loaded = self.loaded.wait(seconds) and self._idle.wait(max(0.0, end - time.monotonic()))
        if loaded and (self._gone or self._program.poll() is not None):
            time.sleep(seconds)  # until there is another one
            return False
        return loaded

    def next(self, seconds: float) -> dict | None:
        """Return the next message, or None on a timeout."""
        try:
            return self._inbox.get(timeout=seconds)
        except queue.Empty:
            return None

    def silence(self) -> float:
        """Return the seconds since its last message."""
        return time.monotonic() - self._heard

    def leaks(self, now: dict) -> str:
        """Describe what it keeps beyond the level after its second job."""
        self._jobs += 1
        if self._jobs == 2:
            self._mark = now
        grown = {name: now.get(name, 0) - self._mark.get(name, 0) for name in LEAK if self._mark}
        return ", ".join(f"{n / 1e9:.1f} GB more of {name}" for name, n in grown.items() if n > LEAK[name])

    def result(self) -> process.Result:
        """Return how it ended."""
        return process.Result(self._program.poll(), f"{self._output.text}\n{self._said}")

    def end(self, why: str = "") -> None:
        """Kill it; raise a JobError if that fails."""
        self._gone, self._said = True, why or self._said
        process.end(self._program)

    def _read(self) -> None:
        with self._program.stdout as pipe:
            while self._output.read(pipe) > 0:
                pass

    def _listen(self, ended: Callable[["Life"], None]) -> None:
        for message in self._channel:
            self._heard = time.monotonic()
            at = message["at"]
            if at == "loaded":
                self.loaded.set()
                log(f"pipeline: {message.get('said', 'loaded')}")
            elif at == "failed" and not message.get("id"):
                self._said = message["said"]
            elif at != "busy":
                self._inbox.put(message)
            if at in ("done", "stopped", "failed") and message.get("id") == self._order:
                self._idle.set()
        self._gone = True
        with contextlib.suppress(JobError):  # its job learns of one that can't be killed
            process.end(self._program)  # it may only have closed the socket, or left children behind
        self._channel.close()
        ended(self)
        self._inbox.put({"at": "gone"})
        self._idle.set()

"""A contestant as its process is seen from outside, and the rounds in which contestants take turns."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.worker import Settings

ROOT = Path(__file__).parent.parent
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
LAST_WORDS = 300  # characters of a failed contestant's log that are reported


@dataclass(frozen=True)
class Entry:
    """Who competes.

    Attributes:
        name: in the tables.
        script: in `contestants/`.
        settings: for its process.
        python: the interpreter of its environment.
        version: of the package.
        note: what sets it apart from the others.
    """

    name: str
    script: str
    settings: Settings
    python: str = sys.executable
    version: str = ""
    note: str = ""


class Contestant:
    """A process that trains when it is asked to. One that fails drops out, and `failure` says why.

    Args:
        entry: who it is.
        cores: the processor cores that it is bound to.
        folder: of its log.
    """

    def __init__(self, entry: Entry, cores: Sequence[int], folder: Path) -> None:
        self.entry = entry
        self.rates: list[float] = []  # examples a second, one a round
        self.peak_memory_mb = 0.0
        self.failure: str | None = None
        self._epochs = 1
        self._log = folder / f"{entry.name}.log".replace(" ", "-")
        self._process, self._replies = _started(entry, cores, self._log)
        self._reply()

    def warm_up(self, seconds: float) -> None:
        """Train for an epoch that does not count, and find how many a round of at least `seconds` has."""
        reply = self.ask(epochs=1)
        if reply:
            self._epochs = max(1, math.ceil(seconds / reply["seconds"]))

    def round(self) -> None:
        """Train a new model, and note how fast that was."""
        reply = self.ask(epochs=self._epochs)
        if reply:
            self.rates.append(reply["examples"] / reply["seconds"])

    def ask(self, **request: Any) -> dict[str, Any] | None:
        """The reply to a request; None of one that has dropped out."""
        if self.failure is not None:
            return None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # there is no reply either
            print(json.dumps(request), file=self._process.stdin, flush=True)
        reply = self._reply()
        if reply:
            self.peak_memory_mb = reply["peak_memory_mb"]
        return reply

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(timeout=10)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._replies.close()

    def _reply(self) -> dict[str, Any] | None:
        line = self._replies.readline()
        if line:
            reply: dict[str, Any] = json.loads(line)
            return reply
        self._process.wait()
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no message"]
        self.failure = f"its process ended: {said[-1]}"[:LAST_WORDS]
        return None


@contextmanager
def contest(entries: Sequence[Entry], cores: Sequence[int], folder: Path) -> Iterator[list[Contestant]]:
    """The contestants of `entries`, each started, and waiting, before the next one starts; all ended at the end."""
    with ExitStack() as stack:
        started = []
        for entry in entries:
            started.append(Contestant(entry, cores, folder))
            stack.callback(started[-1].close)
        yield started


def compete(contestants: Sequence[Contestant], rounds: int, seconds: float) -> None:
    """So many rounds, in each of which every contestant has its turn, after one turn of each that does not count."""
    for contestant in contestants:
        contestant.warm_up(seconds)
    for number in range(1, rounds + 1):
        for contestant in contestants:
            contestant.round()
        rates = (f"{c.entry.name} {c.rates[-1]:,.0f}" for c in contestants if len(c.rates) == number)
        print(f"round {number} of {rounds}, examples/s: {', '.join(rates)}", flush=True)


def own_cores(count: int) -> list[int]:
    """The last `count` of the processor cores that this process may use; the first ones have most of the interrupts.

    Raises:
        SystemExit: there are fewer.
    """
    free = sorted(os.sched_getaffinity(0))
    if count > len(free):
        raise SystemExit(f"{count} cores are wanted, but this process may use {len(free)}: ask for fewer threads.")
    return free[-count:]


@contextmanager
def bound_to(cores: Sequence[int]) -> Iterator[None]:
    """Bind the processes that are started here to `cores`."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _started(entry: Entry, cores: Sequence[int], log: Path) -> tuple["subprocess.Popen[str]", Any]:
    read, write = os.pipe()
    threads = {name: str(entry.settings.threads) for name in THREAD_VARIABLES}
    # Where this process finds its packages, one of its own environment does, too.
    found = os.environ.get("PYTHONPATH", "") if entry.python == sys.executable else ""
    path = os.pathsep.join([str(ROOT), *filter(None, [found])])
    arguments = [str(ROOT / "contestants" / entry.script), json.dumps(asdict(entry.settings)), str(write)]
    with bound_to(cores), log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [entry.python, *arguments],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            text=True,
            pass_fds=(write,),
            env=os.environ | threads | {"PYTHONPATH": path},
        )
    os.close(write)
    return process, os.fdopen(read, encoding="utf-8")

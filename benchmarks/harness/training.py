"""`anabranch train` in a subprocess, on so many cores, and what its summary says."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contestant import bound_to, own_cores


@dataclass(frozen=True)
class Cores:
    """A way to use the machine's cores: so many MPI workers, each of so many threads. One worker is one process."""

    workers: int
    threads: int

    @classmethod
    def parse(cls, text: str) -> "Cores":
        """From WORKERSxTHREADS."""
        workers, _, threads = text.partition("x")
        return cls(int(workers), int(threads))

    @property
    def count(self) -> int:
        """Cores that it uses."""
        return self.workers * self.threads

    def __str__(self) -> str:
        threads = f"{self.threads} thread" + "s" * (self.threads > 1)
        return f"1 process, {threads}" if self.workers == 1 else f"{self.workers} MPI workers, {threads} each"


def train(options: Sequence[str], cores: Cores, folder: Path) -> dict[str, Any]:
    """The summary of a run with these options, in the new `folder`.

    Raises:
        SystemExit: it failed, with what it said.
    """
    world = ["--workers", str(cores.workers), "--world", "mpi" if cores.workers > 1 else "single"]
    threads = ["--threads", str(cores.threads), "--out", str(folder)]
    with bound_to(own_cores(cores.count)):
        run = subprocess.run(
            [sys.executable, "-m", "anabranch", "train", *options, *world, *threads],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if run.returncode != 0:
        raise SystemExit(f"the run on {cores} failed: {run.stderr.strip()}")
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return summary

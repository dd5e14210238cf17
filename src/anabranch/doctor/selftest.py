"""The self-test: two ranks under mpirun, in bounded time, whatever happens."""

import json
import math
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from anabranch.doctor.bounded import Ended, run_bounded
from anabranch.doctor.look_mpi import AS_ROOT
from anabranch.doctor.sights import Mpi, Mpirun, SelfTest
from anabranch.launch import mpirun_command

TOTAL_SECONDS = 25.0  # for all of it, and a little more until the last process is killed
SECONDS = 20.0  # of these, for two ranks to start and to compute
SURVIVAL_SECONDS = 8.0  # of these, at most, for one rank to say whether it would survive
SHARED = "/dev/shm"


def self_test(mpi: Mpi) -> SelfTest:
    """Run it, if there is something to run it with."""
    launcher = mpi.launcher
    if launcher is None or mpi.library.error:
        return SelfTest(skipped="there is no MPI")
    if launcher.error:
        return SelfTest(skipped=f"{launcher.path} {launcher.error}")
    end = time.monotonic() + TOTAL_SECONDS
    memory = SHARED if os.access(SHARED, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="anabranch-", dir=memory) as private:
        found = _two_ranks(launcher, private)
        if found.error:
            return found
        return replace(found, survives=_survives(launcher, private, min(SURVIVAL_SECONDS, end - time.monotonic())))


def _two_ranks(launcher: Mpirun, private: str) -> SelfTest:
    file = Path(private) / "two-ranks.json"
    command = mpirun_command(launcher.path, 2, private)
    ended = _run([*command, *_program(file, SECONDS)], SECONDS)
    return reading(ended, _content(file))


def reading(ended: Ended, content: dict[str, Any] | None) -> SelfTest:
    """What the end of mpirun, and the file of the ranks if they wrote one, come to."""
    from anabranch.doctor.exercise import ALLREDUCE

    if content is not None and "error" in content:
        return SelfTest(error=content["error"])
    if ended.code is None:
        done = "computed all, but mpirun did not end" if content else "gave no answer"
        return SelfTest(error=f"they {done} within {SECONDS:.0f} s, and were stopped")
    if ended.code or content is None:
        return SelfTest(error=f"mpirun ended with exit code {ended.code}: {ended.reason}")
    return SelfTest(
        operations=content["operations"],
        latency=content["latency"],
        allreduce_bytes=4 * ALLREDUCE,
        allreduce_seconds=content["allreduce_seconds"],
    )


def _survives(launcher: Mpirun, private: str, seconds: float) -> bool | None:
    """What one rank says of a death under --with-ft; None where it does not say so in time."""
    file = Path(private) / "survival.json"
    command = mpirun_command(launcher.path, 1, private, surviving=True)
    ended = _run([*command, *_program(file, seconds), "survival"], seconds)
    content = _content(file)
    if content is not None and "survives" in content:
        return bool(content["survives"])
    return None if ended.code is None else False  # an mpirun that does not know the option ends at once


def _program(file: Path, seconds: float) -> list[str]:
    return [sys.executable, "-m", "anabranch.doctor.ranks", str(file), str(math.ceil(seconds))]


def _run(command: list[str], seconds: float) -> Ended:
    return run_bounded(command, seconds, os.environ | AS_ROOT | {"OMP_NUM_THREADS": "1"})


def _content(file: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content

"""What there is of MPI: the library, in a process of its own, and the launchers."""

import json
import os
import re
import shutil
import sys

from anabranch.doctor.bounded import run_bounded
from anabranch.doctor.sights import Library, Mpi, Mpirun
from anabranch.errors import UsageError
from anabranch.launch import find_mpirun

SECONDS = 10.0  # for a program to say its version
AS_ROOT = {f"{tool}_ALLOW_RUN_AS_ROOT{end}": "1" for tool in ("PRTE", "OMPI") for end in ("", "_CONFIRM")}
VERSIONS = {  # of what the launchers print
    "Open MPI": r"\(Open MPI\) (\d[\w.]*)",
    "Intel MPI": r"Intel\(R\) MPI Library.*Version (\d[\w.]*)",
    "MPICH": r"HYDRA build details:\s+Version:\s+(\d[\w.]*)",
}


def look_at_mpi() -> Mpi:
    """All of it."""
    try:
        launcher = _mpirun(find_mpirun())
    except UsageError:
        launcher = None
    path = shutil.which("mpirun")
    if launcher is not None and path == launcher.path:
        typed: Mpirun | None = launcher
    else:
        typed = None if path is None else _mpirun(path)
    return Mpi(_library(), launcher, typed)


def kind(said: str) -> tuple[str, str]:
    """Vendor and version that a launcher's --version names; both empty where it is none that is known."""
    found = ((vendor, re.search(pattern, said)) for vendor, pattern in VERSIONS.items())
    return next(((vendor, match.group(1)) for vendor, match in found if match), ("", ""))


def _mpirun(path: str) -> Mpirun:
    ended = run_bounded([path, "--version"], SECONDS, os.environ | AS_ROOT)
    if ended.code is None:
        return Mpirun(path, error=f"does not say its version within {SECONDS:.0f} s")
    if ended.code:
        return Mpirun(path, error=f"fails ({ended.reason})")
    return Mpirun(path, *kind(ended.output))


def _library() -> Library:
    ended = run_bounded([sys.executable, "-m", "anabranch.doctor.library"], SECONDS)
    if ended.code is None:
        return Library(error=f"it does not load within {SECONDS:.0f} s")
    if ended.code:  # the last line of a traceback says what happened
        return Library(error=(ended.complaints.strip().splitlines() or [f"exit code {ended.code}"])[-1][:200])
    return Library(**json.loads(ended.output))

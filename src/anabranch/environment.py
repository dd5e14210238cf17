"""What a result depends on beside its options: versions, the machine, and the commit of the folder that it ran in."""

import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from anabranch import __version__
from anabranch.launch import cores

PACKAGES = ("torch", "numpy", "numba", "mpi4py")
GIT_SECONDS = 5.0  # a repository on a slow network must not hold up a run


def environment() -> dict[str, Any]:
    """For `environment.json` and `results.json`; what cannot be told is None.

    `mpi` is the library's own name and version, where this process has loaded one; `commit` ends in "-dirty" where
    files under version control were changed since.
    """
    return {
        "anabranch": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "mpi": _mpi_library(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "host": platform.node(),
        "cores": cores(),
        "commit": commit(Path.cwd()),
        "began": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def commit(folder: Path) -> str | None:
    """The commit that is checked out in `folder`; None where it is in no repository, or there is no git."""
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=GIT_SECONDS, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _mpi_library() -> str | None:
    """Asked of mpi4py only where it is loaded: loading it starts MPI."""
    loaded = sys.modules.get("mpi4py.MPI")
    if loaded is None:
        return None
    return str(loaded.Get_library_version()).replace("\0", "").strip().splitlines()[0]


def _processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)

"""Gathers the sights of this machine, apart from MPI's. What fails is a sight, too."""

import os
import shutil
import sys
import warnings
from importlib import metadata
from pathlib import Path

from anabranch.doctor.bounded import run_bounded
from anabranch.doctor.checks_machine import NEEDED, OPTIONAL
from anabranch.doctor.sights import Compiled, Cores, Installation, Storage, Surroundings, Torch
from anabranch.launch import cores

SRUN_SECONDS = 5.0
TRIES = 5  # at the matrix products' speed, each of some hundredths of a second: another process may come between
CGROUPS = Path("/sys/fs/cgroup")


def look_at_installation() -> Installation:
    """Python and its packages."""
    packages: dict[str, str | None] = {}
    for name in (*NEEDED, *OPTIONAL):
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = None
    return Installation(tuple(sys.version_info[:3]), sys.prefix, packages)


def look_at_torch() -> Torch:
    """Its build, and the speed of its matrix products."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a CUDA build without a driver warns of that, which is said below
            import torch

            from anabranch.autodtype import measured_rates

            device = torch.cuda.get_device_name() if torch.cuda.is_available() else None
            rates = max((measured_rates() for _ in range(TRIES)), key=lambda rates: rates.float32)
    except Exception as error:  # a broken installation may raise anything
        return Torch(error=_reason(error))
    cuda = None if torch.version.cuda is None else str(torch.version.cuda)
    return Torch(
        str(torch.__version__), cuda, device, torch.get_num_threads(), rates.float32, rates.bfloat16, rates.choice
    )


def look_at_compiled() -> Compiled:
    """Where Numba keeps what it compiles."""
    try:
        from anabranch.kernels import momentum_step

        cache = momentum_step.stats.cache_path  # type: ignore[attr-defined]
    except Exception as error:  # as above
        return Compiled(error=_reason(error))
    return Compiled(None if cache is None else str(cache))


def look_at_cores() -> Cores:
    """Processor cores, and who else uses them."""
    limit = core_limit(CGROUPS, _read(Path("/proc/self/cgroup")))
    return Cores(cores(), os.cpu_count() or 1, limit, os.getloadavg()[0], os.environ.get("OMP_NUM_THREADS"))


def core_limit(root: Path, own: str) -> float | None:
    """The least time, in cores, that a control group above this process allows; None without a limit.

    Args:
        root: where the control groups are mounted, of either version.
        own: content of /proc/self/cgroup: lines like "0::/user.slice" or "1:cpu,cpuacct:/docker/…".
    """
    limits: list[float] = []
    for line in own.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        here = Path(place.strip("/"))
        for folder in (here, *here.parents):
            if not controllers:
                quota, _, period = _read(root / folder / "cpu.max").partition(" ")
            elif "cpu" in controllers.split(","):
                quota = _read(root / "cpu" / folder / "cpu.cfs_quota_us")
                period = _read(root / "cpu" / folder / "cpu.cfs_period_us")
            else:
                break
            if quota.strip().isdigit() and period.strip().isdigit() and int(period):
                limits.append(int(quota) / int(period))
    return min(limits, default=None)


def look_around() -> Surroundings:
    """The user, shared memory, Slurm."""
    shared = Path("/dev/shm")
    usage = shutil.disk_usage(shared) if shared.is_dir() and os.access(shared, os.W_OK) else None
    srun = shutil.which("srun") is not None
    return Surroundings(
        root=os.geteuid() == 0,
        container=any(Path(sign).exists() for sign in ("/.dockerenv", "/run/.containerenv"))
        or "container" in os.environ,
        shared_memory=None if usage is None else (usage.total, usage.free),
        slurm_job=os.environ.get("SLURM_JOB_ID"),
        slurm_tasks=os.environ.get("SLURM_NTASKS"),
        srun=srun,
        srun_plugins=_srun_plugins() if srun else (),
    )


def look_at_storage() -> Storage:
    """Data sets and disk."""
    value, here = os.environ.get("ANABRANCH_DATA") or None, Path.cwd()
    home = Path(value) if value is not None and Path(value).is_dir() else None
    return Storage(
        value, home is not None, _data_sets(home), str(here), os.access(here, os.W_OK), shutil.disk_usage(here).free
    )


def _data_sets(home: Path | None) -> dict[str, str] | None:
    try:
        from anabranch.data.idx import has_idx_files
        from anabranch.data.mnist import cache, mnist_in
        from anabranch.data.sources import coursera_digits_in
    except Exception:  # torch is broken, which is said elsewhere
        return None
    kept = cache() if has_idx_files(cache()) else None
    places = {
        "mnist": (home and mnist_in(home)) or kept,
        "coursera-digits": home and coursera_digits_in(home),
    }
    return {name: str(place) for name, place in places.items() if place}


def _srun_plugins() -> tuple[str, ...]:
    ended = run_bounded(["srun", "--mpi=list"], SRUN_SECONDS)
    lines = f"{ended.output}\n{ended.complaints}".splitlines()
    return tuple(line.strip() for line in lines if line.strip() and len(line.split()) == 1)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

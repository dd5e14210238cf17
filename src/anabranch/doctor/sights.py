"""What the doctor sees of a machine, as plain data. An `error` is the reason for which something could not be seen."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Installation:
    """Python and its packages.

    Attributes:
        python: version, as (3, 11, 7).
        prefix: folder of the environment.
        packages: version of each package that Anabranch needs or can use; None where it is not installed.
    """

    python: tuple[int, ...]
    prefix: str
    packages: dict[str, str | None]


@dataclass(frozen=True)
class Torch:
    """torch in this process.

    Attributes:
        version: with the build, as "2.13.0+cpu".
        cuda: version of CUDA that the build is for; None for a CPU build.
        device: name of the GPU that it sees.
        threads: that it computes with by default.
        float32: GFLOP/s of matrix products of a usual size.
        bfloat16: the same.
        auto: what --dtype auto stands for here.
    """

    version: str = ""
    cuda: str | None = None
    device: str | None = None
    threads: int = 1
    float32: float = 0.0
    bfloat16: float = 0.0
    auto: str = "float32"
    error: str = ""


@dataclass(frozen=True)
class Compiled:
    """The passes that Numba compiles.

    Attributes:
        cache: folder in which the machine code is kept; None where there is no place for it.
    """

    cache: str | None = None
    error: str = ""


@dataclass(frozen=True)
class Library:
    """The MPI library that mpi4py loads.

    Attributes:
        vendor: as "Open MPI".
        version: as "5.0.11".
        path: of the shared library.
    """

    vendor: str = ""
    version: str = ""
    path: str = ""
    error: str = ""


@dataclass(frozen=True)
class Mpirun:
    """A launcher.

    Attributes:
        path: of the program.
        vendor: as `Library`'s; empty where its --version tells none that is known.
        version: likewise.
    """

    path: str
    vendor: str = ""
    version: str = ""
    error: str = ""


@dataclass(frozen=True)
class Mpi:
    """MPI, as the parts of it fit together.

    Attributes:
        library: that mpi4py loads.
        launcher: the mpirun that Anabranch starts; None where there is none.
        typed: the mpirun that a shell finds; None where there is none.
    """

    library: Library
    launcher: Mpirun | None
    typed: Mpirun | None


@dataclass(frozen=True)
class Cores:
    """Processor cores.

    Attributes:
        usable: on which this process may run (affinity).
        machine: all there are.
        limit: cores' worth of time that the control group allows; None without a limit.
        load: processes that ran or waited, on average over the last minute.
        omp_threads: the value of OMP_NUM_THREADS; None where it is not set.
    """

    usable: int
    machine: int
    limit: float | None
    load: float
    omp_threads: str | None


@dataclass(frozen=True)
class Surroundings:
    """Where this process runs.

    Attributes:
        root: as the superuser.
        container: in one.
        shared_memory: (bytes in all, bytes free) of /dev/shm; None where it is not there or not writable.
        slurm_job: its number; None outside of a job.
        slurm_tasks: of the job.
        srun: whether that program is found.
        srun_plugins: kinds of MPI that `srun --mpi=list` names.
    """

    root: bool
    container: bool
    shared_memory: tuple[int, int] | None
    slurm_job: str | None = None
    slurm_tasks: str | None = None
    srun: bool = False
    srun_plugins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Storage:
    """Data and disk.

    Attributes:
        variable: the value of ANABRANCH_DATA; None where it is not set.
        is_folder: whether it names one.
        found: the folder or file of each data set that is there; None where torch is broken, without which nothing
            can be looked for.
        folder: the working directory.
        writable: whether it is.
        free: bytes free in it.
    """

    variable: str | None
    is_folder: bool
    found: dict[str, str] | None
    folder: str
    writable: bool
    free: int


@dataclass(frozen=True)
class SelfTest:
    """Two ranks, started by mpirun.

    Attributes:
        skipped: why it was not tried; empty where it was.
        error: why it has no results.
        operations: what each operation gave that it should not have; empty where it was right.
        latency: seconds of 8 bytes one way.
        allreduce_bytes: of the vector that was summed.
        allreduce_seconds: that this took.
        survives: whether MPI goes on after the death of a rank under `mpirun --with-ft ulfm`; None where that was not
            found out.
    """

    skipped: str = ""
    error: str = ""
    operations: dict[str, str] = field(default_factory=dict)
    latency: float = 0.0
    allreduce_bytes: int = 0
    allreduce_seconds: float = 0.0
    survives: bool | None = None


@dataclass(frozen=True)
class Sight:
    """All that can be seen without starting ranks."""

    installation: Installation
    torch: Torch
    compiled: Compiled
    cores: Cores
    surroundings: Surroundings
    storage: Storage
    mpi: Mpi

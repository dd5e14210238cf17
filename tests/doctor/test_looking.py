"""What the doctor sees of the machine that the tests run on, and commands that must end in time."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anabranch.doctor.bounded import Ended, run_bounded
from anabranch.doctor.look import (
    core_limit,
    look_around,
    look_at_compiled,
    look_at_cores,
    look_at_storage,
    look_at_torch,
)
from anabranch.doctor.look_mpi import kind, look_at_mpi

SAYS_ITS_NUMBER = "echo $$ > partial; mv partial pid; sleep 100"


def shell(script: str, seconds: float = 20.0) -> Ended:
    return run_bounded(["sh", "-c", script], seconds)


def test_a_command_that_ends() -> None:
    ended = shell("echo out; echo err >&2; exit 3")
    assert ended == Ended(3, "out\n", "err\n")
    assert ended.reason == "err"
    assert shell("printf -- '-----\\n\\nit broke\\n'; false").reason == "it broke"
    assert shell("false").reason == "it said nothing"


def test_a_command_that_is_not_there() -> None:
    ended = run_bounded(["/nowhere/mpirun"], 5.0)
    assert (ended.code, ended.reason) == (127, "No such file or directory")


@pytest.mark.parametrize("script", ["sleep 100", "trap '' TERM; sleep 100 & sleep 100", "setsid sleep 3 & sleep 100"])
def test_a_command_that_hangs_is_stopped(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.doctor.bounded.GRACE", 0.2)
    begin = time.monotonic()
    ended = shell(f"echo begun; {script}", seconds=1.0)
    assert (ended.code, ended.output) == (None, "begun\n")
    assert time.monotonic() - begin < 50


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C reaches the doctor alone, whose commands run in sessions of their own."""
    program = f"from anabranch.doctor.bounded import run_bounded; run_bounded(['sh', '-c', {SAYS_ITS_NUMBER!r}], 50.0)"
    doctor = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stderr=subprocess.PIPE)
    while not (tmp_path / "pid").exists():
        assert doctor.poll() is None
        time.sleep(0.01)
    doctor.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in doctor.communicate(timeout=60)[1]
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("mpirun (Open MPI) 5.0.11\n\nReport bugs to …", ("Open MPI", "5.0.11")),
        ("mpirun (Open MPI) 4.1.4rc1\n", ("Open MPI", "4.1.4rc1")),
        ("HYDRA build details:\n    Version:           4.1.2\n    Release Date: …", ("MPICH", "4.1.2")),
        ("Intel(R) MPI Library for Linux* OS, Version 2021.6 Build 20220227", ("Intel MPI", "2021.6")),
        ("srun-like thing 3", ("", "")),
    ],
)
def test_launchers_are_known_by_what_they_say(said: str, expected: tuple[str, str]) -> None:
    assert kind(said) == expected


def written(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_least_limit_of_all_groups_above_counts(tmp_path: Path) -> None:
    own = "0::/machine/job/step\n"
    assert core_limit(tmp_path, own) is None
    written(tmp_path / "cpu.max", "max 100000\n")
    assert core_limit(tmp_path, own) is None
    written(tmp_path / "machine" / "cpu.max", "400000 100000\n")
    written(tmp_path / "machine" / "job" / "cpu.max", "150000 100000\n")
    written(tmp_path / "machine" / "job" / "step" / "cpu.max", "200000 100000\n")
    assert core_limit(tmp_path, own) == 1.5
    assert core_limit(tmp_path, "") is None


def test_limits_of_version_1(tmp_path: Path) -> None:
    own = "5:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n"
    written(tmp_path / "cpu" / "cpu.cfs_quota_us", "-1\n")
    written(tmp_path / "cpu" / "cpu.cfs_period_us", "100000\n")
    assert core_limit(tmp_path, own) is None
    written(tmp_path / "cpu" / "docker" / "a" / "cpu.cfs_quota_us", "50000\n")
    written(tmp_path / "cpu" / "docker" / "a" / "cpu.cfs_period_us", "100000\n")
    assert core_limit(tmp_path, own) == 0.5


def test_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("ANABRANCH_DATA", str(tmp_path / "nowhere"))
    assert look_at_torch().float32 > 0
    assert look_at_compiled().error == ""
    seen = look_at_cores()
    assert 1 <= seen.usable <= seen.machine
    assert seen.omp_threads == "3"
    assert look_around().slurm_job == "7"
    assert not look_at_storage().is_folder
    (tmp_path / "coursera_digits").mkdir()
    (tmp_path / "coursera_digits" / "ex4data1.mat").write_bytes(b"")
    monkeypatch.setenv("ANABRANCH_DATA", str(tmp_path))
    storage = look_at_storage()
    assert storage.is_folder
    assert storage.found is not None
    assert storage.found["coursera-digits"].endswith("ex4data1.mat")
    assert storage.free > 0


def test_mpi_of_this_environment() -> None:
    mpi = look_at_mpi()
    assert mpi.launcher is not None
    assert (mpi.library.vendor, mpi.library.version) == (mpi.launcher.vendor, mpi.launcher.version)
    assert Path(mpi.library.path).name.startswith("libmpi")


def test_a_library_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libmpi.so").write_text("no library")
    monkeypatch.setenv("MPI4PY_LIBMPI", str(tmp_path / "libmpi.so"))
    assert "libmpi.so" in look_at_mpi().library.error

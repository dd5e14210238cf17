"""`anabranch train` on MPI: the same bits as simulated, one voice, and nothing left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cli_helpers import TINY, assert_same_result, broken_off, checkpoints, resume, train, write_data

from anabranch import launch
from anabranch.cli.main import main

Captured = pytest.CaptureFixture[str]
RUNS = {
    "allreduce": ["--strategy", "allreduce"],
    "averaging": ["--every", "8"],
    "bmuf": ["--strategy", "bmuf"],
    "diloco": ["--strategy", "diloco", "--every", "2", "--optimizer", "adamw", "--learning-rate", "0.01"],
    "post-local": ["--strategy", "post-local", "--every", "2", "--local-after", "1"],
}

pytestmark = pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="Open MPI shares memory in /dev/shm here")


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of this test's own for shared memory, in which every launch must leave nothing."""
    with tempfile.TemporaryDirectory(prefix="test-", dir="/dev/shm") as folder:
        monkeypatch.setattr(launch, "_shared_memory", lambda: folder)
        yield Path(folder)
        assert list(Path(folder).iterdir()) == []


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_data(tmp_path / "data")


def processes_of(folder: Path) -> list[str]:
    """Command lines, of processes that run, with this folder in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if str(folder) in line:
            found.append(line)
    return found


def assert_nothing_runs(folder: Path, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while left := processes_of(folder):
        assert time.monotonic() < end, left
        time.sleep(0.05)


def mpirun(ranks: int, command: Sequence[str], scratch: Path) -> subprocess.CompletedProcess[str]:
    """`mpirun -n RANKS python COMMAND`, as a user starts it."""
    private = scratch / "mpirun"
    private.mkdir()
    start = launch.mpirun_command(launch.find_mpirun(), ranks, str(private))
    root = {"PRTE_ALLOW_RUN_AS_ROOT": "1", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(
        [*start, sys.executable, *command],
        env=os.environ | root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    for path in private.iterdir():  # what a user's own mpirun leaves after an abort is not ours
        path.unlink()
    private.rmdir()
    return done


def test_the_launcher_gives_the_bits_of_the_simulated_world(
    tmp_path: Path, data: str, scratch: Path, capfd: Captured
) -> None:
    assert train(data, tmp_path / "simulated", "--workers", "2", *RUNS["allreduce"]) == 0
    assert train(data, tmp_path / "mpi", "--workers", "2", *RUNS["allreduce"], "--world", "mpi") == 0
    assert_same_result(tmp_path / "simulated", tmp_path / "mpi")
    said = capfd.readouterr()
    assert said.out.count("allreduce, 2 workers, mpi world, 1 thread a process") == 1
    assert said.out.count("layer 1 (16-8): up to 3 epochs of 3 steps") == 2
    assert said.err == ""
    assert_nothing_runs(tmp_path)


def test_started_by_hand_it_joins(tmp_path: Path, data: str, scratch: Path) -> None:
    assert train(data, tmp_path / "simulated", "--workers", "2", *RUNS["averaging"]) == 0
    command = ["-m", "anabranch", "train", "--data", data, *TINY, *RUNS["averaging"], "--out", str(tmp_path / "mpi")]
    done = mpirun(2, command, scratch)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("averaging every 8 steps, 2 workers, mpi world") == 1
    assert_same_result(tmp_path / "simulated", tmp_path / "mpi")


def test_four_ranks_give_the_bits_of_the_simulated_world(tmp_path: Path, data: str, scratch: Path) -> None:
    runs = []
    for name, options in RUNS.items():
        assert train(data, tmp_path / name, "--workers", "4", *options) == 0
        runs.append(["train", "--data", data, *TINY, *options, "--out", str(tmp_path / f"mpi {name}")])
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    done = mpirun(4, [str(Path(__file__).parent / "mpi_runs.py"), str(tmp_path / "runs.json")], scratch)
    assert done.returncode == 0, done.stderr
    for name in RUNS:
        assert_same_result(tmp_path / name, tmp_path / f"mpi {name}")


def test_ranks_follow_the_dtype_that_the_first_decides(tmp_path: Path, data: str, scratch: Path) -> None:
    """On the others' processors bfloat16 is slow."""
    options = ["--data", data, *TINY, *RUNS["allreduce"], "--dtype", "auto", "--out", str(tmp_path / "mpi")]
    done = mpirun(2, [str(Path(__file__).parent / "mpi_dtype.py"), "train", *options], scratch)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("dtype auto: ") == done.stdout.count("dtype auto: bf16-mixed (matrix products: ") == 1
    assert done.stdout.count("2 workers, mpi world, 1 thread a process, bf16-mixed") == 1
    assert train(data, tmp_path / "named", "--workers", "2", *RUNS["allreduce"], "--dtype", "bf16-mixed") == 0
    assert_same_result(tmp_path / "named", tmp_path / "mpi")


def test_another_number_of_workers_than_ranks(tmp_path: Path, data: str, scratch: Path) -> None:
    done = mpirun(2, ["-m", "anabranch", "train", "--data", data, *TINY, "--workers", "3"], scratch)
    assert done.returncode == 2
    said = "anabranch: --workers 3, but 2 ranks were started: leave --workers out, or start 3."
    assert done.stderr.count("anabranch: ") == done.stderr.count(said) == 1


def test_a_resumed_run_keeps_its_workers(
    tmp_path: Path, data: str, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker is what --workers says by default, too: the ranks that were started are not what was asked for."""
    out = tmp_path / "run"
    with broken_off(monkeypatch, saves=1):
        assert train(data, out) == 130
    before = checkpoints(out)
    done = mpirun(2, ["-m", "anabranch", "train", "--resume", str(out), "--world", "mpi"], scratch)
    assert done.returncode == 2
    said = f"anabranch: the run in {out} has 1 worker, not 2: a resumed run keeps its workers; start as many, or"
    assert done.stderr.count("anabranch: ") == done.stderr.count(said) == 1
    assert checkpoints(out) == before
    assert resume(out) == 0


def test_a_misspelt_option_is_refused_once(tmp_path: Path, scratch: Path) -> None:
    done = mpirun(2, ["-m", "anabranch", "train", "--epoks", "3"], scratch)
    assert done.returncode == 2
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)  # mpirun gives its ranks a terminal, which tyro colours
    assert said.count("For full helptext") == 1
    assert "Traceback" not in done.stderr


def test_data_that_do_not_fit_are_refused_once(tmp_path: Path, data: str, scratch: Path, capfd: Captured) -> None:
    """Rank 0 alone loads the data first: the others must not wait for it."""
    out = tmp_path / "run"
    assert train(data, out, "--model", "dbn:64-8", "--workers", "2", "--world", "mpi") == 2
    assert capfd.readouterr().err == (
        f"anabranch: the model has 64 input units, but {data} has 16 features: use --model dbn:16-8.\n"
    )
    assert not out.exists()
    assert_nothing_runs(tmp_path)


FAILING = """\
import os

from torch import nn


class Net(nn.Linear):
    calls = 0

    def forward(self, x):
        Net.calls += 1
        if os.environ.get("OMPI_COMM_WORLD_RANK") == "1" and Net.calls > 12:
            raise ValueError("the root cause")
        return super().forward(x)


def net():
    return Net(16, 3)
"""


def test_a_rank_that_fails_ends_the_run_with_its_cause(
    tmp_path: Path, data: str, scratch: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.chdir(tmp_path)
    options = ["--model", "failing:net", "--epochs", "50", "--workers", "2", "--world", "mpi"]
    assert train(data, tmp_path / "run", *options, "--checkpoint-seconds", "0") == 1
    said = capfd.readouterr().err
    assert said.startswith("anabranch: unforeseen ValueError in ")
    assert said.count("\n") == said.count("the root cause") == 1
    assert said.endswith(" (rank 1)\n")
    assert checkpoints(tmp_path / "run")
    assert_nothing_runs(tmp_path)


def test_ctrl_c_under_mpi_writes_a_checkpoint(tmp_path: Path, data: str) -> None:
    options = ["--workers", "2", "--epochs", "30", "--every", "8", "--finetune-epochs", "1"]
    often, out = ["--checkpoint-seconds", "0"], tmp_path / "mpi"
    command = [sys.executable, "-m", "anabranch", "train", "--data", data, *TINY, *options, *often, "--world", "mpi"]
    process = subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert train(data, tmp_path / "simulated", *options) == 0
    while not checkpoints(out) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert said.count("stopping at the end of this epoch") == 1
    assert said.count("anabranch: stopped by a signal in layer 1 (16-8) after epoch ") == 1
    assert said.endswith(f"go on with  anabranch train --resume {out}\n")
    assert_nothing_runs(tmp_path)
    assert resume(out, "--world", "simulated") == 0  # in another world, too
    assert_same_result(tmp_path / "simulated", out)


# --- the launcher, with a little program in mpirun's place


@pytest.fixture
def false_mpirun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mpirun"
    path.touch(mode=0o755)
    monkeypatch.setattr(launch, "find_mpirun", lambda: str(path))
    return path


def run_mpi(data: str, tmp_path: Path) -> int:
    return main(["train", "--data", data, *TINY, "--world", "mpi", "--workers", "2", "--out", str(tmp_path / "run")])


def test_ranks_that_die_without_a_word(false_mpirun: Path, tmp_path: Path, data: str, capfd: Captured) -> None:
    frame = "-" * 70
    false_mpirun.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exit\nprintf "%s\\n" {frame} "rank 1 was killed" {frame} >&2\nexit 137\n'
    )
    assert run_mpi(data, tmp_path) == 1
    said = capfd.readouterr().err
    assert said == (
        f"{frame}\nrank 1 was killed\n{frame}\nanabranch: mpirun ended with exit code 137, and no rank could say why "
        "(one that was killed, by somebody or for want of memory, cannot): see its remarks above, then go on with "
        "--resume.\n"
    )


def test_ranks_that_are_stopped_before_they_listen(
    false_mpirun: Path, tmp_path: Path, data: str, capfd: Captured
) -> None:
    false_mpirun.write_text('#!/bin/sh\n[ "$1" = --version ] && exit\nkill -INT $PPID\nexec sleep 30\n')
    before = signal.getsignal(signal.SIGINT)
    assert run_mpi(data, tmp_path) == 130
    assert capfd.readouterr().err == "anabranch: stopped at once; --resume goes on from the last checkpoint.\n"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("environment", "ranks", "rank"),
    [
        ({}, 0, 0),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"}, 4, 3),
        ({"PMI_SIZE": "2", "PMI_RANK": "1"}, 2, 1),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"}, 8, 5),
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, 0, 0),
        ({"SLURM_STEP_NUM_TASKS": "8", "PMIX_RANK": "6"}, 8, 6),
    ],
)
def test_ranks_are_told_by_the_environment(environment: dict[str, str], ranks: int, rank: int) -> None:
    assert launch.started_ranks(environment) == ranks
    assert launch.own_rank(environment) == rank

"""`anabranch train` with workers at their own pace: simulated and on MPI, to the end, stopped, resumed, and killed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import TINY, broken_off, checkpoints, record, resume, sentence, summary, train, write_data

from anabranch import launch
from anabranch.cli.main import main

Captured = pytest.CaptureFixture[str]
LONG = ["--epochs", "300", "--finetune-epochs", "0", "--checkpoint-seconds", "0.2"]
DOWNPOUR = ["--strategy", "downpour", "--learning-rate", "0.05"]
on_mpi = pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="Open MPI shares memory in /dev/shm here")


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_data(tmp_path / "data")


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="test-", dir="/dev/shm") as folder:
        monkeypatch.setattr(launch, "_shared_memory", lambda: folder)
        yield Path(folder)


def books(folder: Path) -> list[dict[str, Any]]:
    return [task["traffic"] for task in summary(folder)["tasks"]]


@pytest.mark.parametrize("strategy", ["downpour", "easgd", "fetch-add", "fetch-put", "hogwild"])
def test_a_simulated_run_learns_and_keeps_its_books(strategy: str, data: str, tmp_path: Path, capsys: Captured) -> None:
    assert train(data, tmp_path / "run", "--workers", "3", "--strategy", strategy) == 0
    for traffic in books(tmp_path / "run"):
        used = traffic["examples"]
        assert used["computed"] == used["pushed"] == used["applied"] >= 3 * 48
        assert used["lost"] == 0
    said = capsys.readouterr().out
    assert "versions late on average" in said
    assert "examples computed" in said
    assert max(map(len, said.splitlines())) <= 80 + len(str(tmp_path))
    lines = record(tmp_path / "run")
    assert [line["task"] for line in lines if line["kind"] == "traffic"] == [
        task["task"] for task in summary(tmp_path / "run")["tasks"]
    ]


def test_two_simulated_runs_of_64_workers_have_one_hash(tmp_path: Path) -> None:
    hashes, ages = set(), []
    for name in "ab":
        options = ["--workers", "64", "--strategy", "downpour", "--server", "ranks:2", "--batch-size", "4"]
        more = ["--model", "dbn:64-16", "--epochs", "2", "--finetune-epochs", "2", "--finetune-batch-size", "4"]
        cluster = ["--cluster", "ethernet-1g", "--tasks-per-node", "4", "--trace", "0"]
        place = ["--out", str(tmp_path / name)]
        assert main(["simulate", "--data", "digits", *options, *more, *cluster, *place]) == 0
        found = summary(tmp_path / name / "workers-64")
        hashes.add(found["weights_sha256"])
        ages.append([task["traffic"]["staleness"] for task in found["tasks"]])
    assert len(hashes) == 1
    assert ages[0] == ages[1]
    assert len(ages[0][0]) > 10, "64 workers are not all as stale as each other"


@pytest.mark.parametrize("server", ["window", "ranks:1", "ranks:2"])
def test_a_simulated_run_that_was_broken_off_goes_on(server: str, data: str, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, broken_off(patch, saves=2):
        options = ["--workers", "2", *DOWNPOUR, "--server", server, "--checkpoint-seconds", "0"]
        assert train(data, tmp_path / "run", *options) == 130
    assert checkpoints(tmp_path / "run")
    assert resume(tmp_path / "run") == 0
    assert [task["epochs"] for task in summary(tmp_path / "run")["tasks"]] == [3, 3, 3]


@pytest.mark.parametrize("strategy", [["easgd", "--every", "5"], ["downpour", "--overlap"]])
def test_nobody_waits_longer_than_the_whole_time(strategy: list[str], tmp_path: Path) -> None:
    """On a network so slow that they do little else."""
    cluster = tmp_path / "slow.toml"
    cluster.write_text('based_on = "ethernet-1g"\n[network.between]\nlatency = 5e-3\nbandwidth = 1e7\n')
    options = ["--cluster", str(cluster), "--workers", "4", "--tasks-per-node", "1", "--server", "ranks:1"]
    model = ["--model", "mlp:64-50-10", "--epochs", "1", "--strategy", *strategy]
    assert main(["simulate", *options, *model, "--out", str(tmp_path / "sweep")]) == 0
    (traffic,) = books(tmp_path / "sweep" / "workers-4")
    assert 0.8 < traffic["waiting"] <= 1


@pytest.mark.parametrize(("server", "saves"), [("window", 3), ("ranks:1", 4), ("ranks:2", 4)])
def test_the_books_of_a_task_that_had_ended_are_kept(server: str, saves: int, data: str, tmp_path: Path) -> None:
    """Killed in the second layer before a checkpoint of it: the last one is that of the first layer's end."""
    with pytest.MonkeyPatch.context() as patch, broken_off(patch, saves=saves):
        options = ["--workers", "2", *DOWNPOUR, "--server", server, "--checkpoint-seconds", "0"]
        assert train(data, tmp_path / "run", *options) == 130
    assert resume(tmp_path / "run") == 0
    assert [traffic["examples"]["computed"] >= 3 * 48 for traffic in books(tmp_path / "run")] == [True] * 3


def test_options_that_do_not_go_together(data: str, capsys: Captured) -> None:
    base = ["train", "--data", data, "--workers", "2"]
    said = sentence(capsys, 2, *base, "--strategy", "averaging", "--server", "ranks:1")
    assert "--server ranks:1 does not go with --strategy averaging" in said
    assert "neither window nor ranks:S" in sentence(capsys, 2, *base, *DOWNPOUR, "--server", "rank:1")
    assert "--reassign goes with --server ranks:1" in sentence(capsys, 2, *base, *DOWNPOUR, "--reassign")
    assert "use --momentum 0" in sentence(capsys, 2, *base, *DOWNPOUR, "--momentum", "0.9")
    assert "one worker, not 1 and 1 server: use" in sentence(
        capsys, 2, "train", "--data", data, *DOWNPOUR, "--server", "ranks:1", "--world", "single"
    )


def assert_books_are_closed(folder: Path) -> None:
    for traffic in books(folder):
        assert traffic["examples"]["computed"] == traffic["examples"]["applied"] >= 3 * 48
        assert traffic["pushes_per_second"] > 0
        assert 0 <= traffic["waiting"] <= 1


@on_mpi
def test_the_launcher_starts_a_worker_and_a_server(data: str, tmp_path: Path, scratch: Path, capfd: Captured) -> None:
    options = ["--world", "mpi", "--workers", "1", *DOWNPOUR, "--server", "ranks:1"]
    assert train(data, tmp_path / "run", *options) == 0
    assert summary(tmp_path / "run")["workers"] == 1
    assert_books_are_closed(tmp_path / "run")
    assert "1 MB was read" not in capfd.readouterr().out
    assert list(scratch.iterdir()) == []


@on_mpi
def test_a_trial_decides_what_two_ranks_do(data: str, tmp_path: Path, scratch: Path, capfd: Captured) -> None:
    """Which of the two it finds is a matter of how busy the machine is; the run does what was found."""
    options = ["--world", "mpi", "--workers", "2", *DOWNPOUR, "--server", "auto"]
    assert train(data, tmp_path / "run", *options) == 0
    said = capfd.readouterr().out
    windows = "parameters in windows of the workers: 1 MB was read" in said
    assert windows != ("parameters in the care of rank 0: 1 MB was read" in said)
    content = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (content["server"], content["workers"]) == (("window", 2) if windows else ("ranks:1", 1))
    assert_books_are_closed(tmp_path / "run")
    assert list(scratch.iterdir()) == []


FOUR_RANKS = {
    "window": [*DOWNPOUR, "--server", "window"],
    "ranks": [*DOWNPOUR, "--server", "ranks:1", "--overlap", "--optimizer", "adagrad"],
    "two servers": [*DOWNPOUR, "--server", "ranks:2", "--shards", "hashed"],
    "easgd": ["--strategy", "easgd", "--every", "2", "--server", "window"],
    "hogwild": ["--strategy", "hogwild"],
    "fetch-put": ["--strategy", "fetch-put", "--server", "window"],
}


@on_mpi
def test_four_ranks_run_to_the_end(data: str, tmp_path: Path) -> None:
    runs = [
        ["train", "--data", data, *TINY, *options, "--out", str(tmp_path / name)]
        for name, options in FOUR_RANKS.items()
    ]
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    with tempfile.TemporaryDirectory(prefix="test-", dir="/dev/shm") as private:
        start = launch.mpirun_command(launch.find_mpirun(), 4, private)
        root = {"PRTE_ALLOW_RUN_AS_ROOT": "1", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        done = subprocess.run(
            [*start, sys.executable, str(Path(__file__).parent / "mpi_runs.py"), str(tmp_path / "runs.json")],
            env=os.environ | root,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
    assert done.returncode == 0, done.stderr
    for name, options in FOUR_RANKS.items():
        serving = next((int(word[-1]) for word in options if word.startswith("ranks:")), 0)
        assert summary(tmp_path / name)["workers"] == 4 - serving
        assert_books_are_closed(tmp_path / name)


class Killed:
    """A run on MPI, one of whose ranks is killed once it trains."""

    def __init__(self, data: str, folder: Path, rank: int, *options: str) -> None:
        command = [sys.executable, "-m", "anabranch", "train", "--data", data, "--model", "dbn:16-8"]
        command += ["--batch-size", "4", "--threads", "1", *LONG, "--world", "mpi", *DOWNPOUR, *options]
        command += ["--out", str(folder)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
            try:
                self._await(folder)
                os.kill(self._find(folder, rank), signal.SIGKILL)
                self.out, self.error = process.communicate(timeout=100)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        self.code = process.returncode

    @staticmethod
    def _await(folder: Path) -> None:
        end = time.monotonic() + 200
        while not checkpoints(folder):
            assert time.monotonic() < end, "it does not train"
            time.sleep(0.02)

    @staticmethod
    def _find(folder: Path, rank: int) -> int:
        for path in Path("/proc").glob("[0-9]*"):
            try:
                line, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in line and f"OMPI_COMM_WORLD_RANK={rank}".encode() in environment.split(b"\0"):
                return int(path.name)
        raise AssertionError(f"no process is rank {rank}")


@on_mpi
@pytest.mark.parametrize("reassign", [False, True])
def test_a_killed_worker_does_not_stop_the_others(reassign: bool, data: str, tmp_path: Path) -> None:
    more = ["--reassign"] if reassign else []
    run = Killed(data, tmp_path / "run", 2, "--workers", "2", "--server", "ranks:1", *more)
    assert run.code == 0, run.error
    (traffic,) = books(tmp_path / "run")
    used = traffic["examples"]
    assert traffic["dead_workers"] == [1]
    assert used["computed"] == used["applied"] + used["lost"]
    assert used["applied"] >= 300 * 48
    assert "lost with worker 1" in run.out or used["lost"] == 0


@on_mpi
def test_a_killed_server_is_a_clear_error(data: str, tmp_path: Path) -> None:
    run = Killed(data, tmp_path / "run", 0, "--workers", "2", "--server", "ranks:1")
    assert run.code == 1
    said = " ".join(run.error.split())
    assert "rank 0 is lost, without which the others cannot go on: start again with anabranch train --resume" in said
    assert str(tmp_path / "run" / "checkpoints") in said
    assert "Traceback" not in run.error


@on_mpi
def test_a_killed_owner_of_a_window_ends_the_run_with_a_clear_error(data: str, tmp_path: Path) -> None:
    run = Killed(data, tmp_path / "run", 1, "--workers", "2", "--server", "window")
    assert run.code == 1
    assert "no rank could say why" in run.error
    assert f"go on with  anabranch train --resume {tmp_path / 'run'}" in run.error
    assert "Traceback" not in run.error


def test_the_summary_holds_the_server(data: str, tmp_path: Path) -> None:
    assert train(data, tmp_path / "run", "--workers", "2", *DOWNPOUR, "--server", "ranks:1") == 0
    content = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (content["server"], content["servers"], content["workers"]) == ("ranks:1", 1, 2)

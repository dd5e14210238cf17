"""`anabranch calibrate` from end to end, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_calibration import TINY

from anabranch.cli import calibrate
from anabranch.cli.main import main
from anabranch.cluster import load_cluster, slowdown
from anabranch.errors import UsageError
from anabranch.launch import find_mpirun, mpirun_command

KINDS = ("contrastive", "backprop", "autograd")


def no_mpirun() -> str:
    raise UsageError("no mpirun found")


def sentence(captured: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    assert main(["calibrate", *arguments]) == code
    said = captured.readouterr().err.strip()
    assert said.startswith("anabranch: ")
    assert "\n" not in said
    return said.removeprefix("anabranch: ")


def test_two_ranks_of_mpirun_write_a_cluster(tmp_path: Path) -> None:
    path = tmp_path / "new" / "pair.toml"
    arguments = [sys.executable, "-m", "anabranch", "calibrate", "--quick", "--out", str(path)]
    command = [*mpirun_command(find_mpirun(), 2, str(tmp_path)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = load_cluster(str(path))
    assert found.name == "pair"
    assert found.nodes.count == 1
    assert found.nodes.processes == (1, 2)
    assert {(table.operation, table.ranks) for table in found.measured} == {
        (operation, 2) for operation in ("allgather", "allreduce", "barrier", "broadcast")
    }
    assert {speed.kind for speed in found.compute} == set(KINDS)
    assert {speed.precision for speed in found.compute} >= {"float32"}
    for part in ("GFLOP/s in float32", "2 ranks: inside nodes: latency", f"anabranch simulate --cluster {path}"):
        assert part in done.stdout


def test_without_mpi_the_links_are_guesses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibrate, "find_mpirun", no_mpirun)
    monkeypatch.setattr(calibrate, "COARSE", TINY)
    monkeypatch.setattr("os.getloadavg", lambda: (1.75, 0.0, 0.0))
    path = tmp_path / "alone.toml"
    assert main(["calibrate", "--quick", "--out", str(path), "--name", "my machine"]) == 0
    found = load_cluster(str(path))
    assert found.name == "my machine"
    assert found.network.inside == load_cluster("laptop").network.inside
    assert slowdown(found.nodes, 1) == 1.0
    said = capsys.readouterr().out
    assert said.startswith("the load of this machine is 1.8: what else runs now makes the figures worse\n")
    assert "the links are guesses, those of the shipped cluster laptop" in said


def test_ranks_that_were_asked_for_need_mpi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibrate, "find_mpirun", no_mpirun)
    assert sentence(capsys, 2, "--ranks", "2", "--out", str(tmp_path / "c.toml")) == "no mpirun found"


def test_an_existing_file_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text("mine")
    assert sentence(capsys, 2, "--out", str(path)) == (
        f"{path} exists: use --overwrite to replace it, or another --out."
    )
    assert path.read_text() == "mine"


def test_a_place_without_room_for_files_is_told_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibrate, "_alone", lambda *_: pytest.fail("it measures"))
    said = sentence(capsys, 1, "--out", "/proc/cluster.toml")  # where not even root writes
    assert said == "cannot write /proc: No such file or directory; choose a place that is writable."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--out", "cluster.json"],
            "a cluster file ends in .toml, which cluster.json does not: use --out cluster.toml.",
        ),
        (
            ["--ranks", "2,x"],
            "'2,x' is no list of numbers of ranks: write numbers of 2 or more with commas, as in 2,4.",
        ),
        (
            ["--ranks", "1,2"],
            "'1,2' is no list of numbers of ranks: write numbers of 2 or more with commas, as in 2,4.",
        ),
    ],
)
def test_bad_options(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sentence(capsys, 2, *arguments) == said


def test_started_ranks_are_not_chosen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(calibrate, "started_ranks", lambda: 8)
    assert sentence(capsys, 2, "--ranks", "2") == "8 ranks were started, and these are measured: leave --ranks out."


def test_the_command_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert (
        "anabranch calibrate    measure this machine's computing and MPI, as a cluster file" in capsys.readouterr().out
    )

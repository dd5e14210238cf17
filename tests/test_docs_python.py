"""docs/python.md tells the truth: its examples run, are short, and its strategy keeps the contract in all worlds."""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "comm"))

import torch
from launching import find_mpirun, run_mpi

import anabranch
from anabranch.cli.main import main
from anabranch.cli.options import Arguments, parse

PAGE = (Path(__file__).parent.parent / "docs" / "python.md").read_text(encoding="utf-8")
NETWORK, DATA, STRATEGY, CHECK, LOOP = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[2:] for line in lines if line.startswith("anabranch train")]


def run(*programs: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    torch.manual_seed(0)  # a module of one's own begins with weights from torch's own generator
    for program in programs:
        exec(compile(program, "python.md", "exec"), names)
    return names


@pytest.mark.parametrize("program", [NETWORK, DATA], ids=["network", "data"])
def test_its_examples_have_ten_lines(program: str) -> None:
    assert len([line for line in program.splitlines() if line.strip()]) <= 10


def test_its_strategy_has_fewer_than_fifty_lines() -> None:
    assert len(STRATEGY.splitlines()) < 50


def test_the_network_learns(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(NETWORK)
    assert names["trained"].test_error < 0.1
    assert names["trained"].model is names["network"]
    assert capsys.readouterr().out.count("\n") > 3


def test_the_regression_learns(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(DATA)
    assert names["trained"].test_loss < 0.1 * names["y"].var()
    assert "mean squared error" in capsys.readouterr().out


def test_the_strategy_keeps_the_contract_and_trains() -> None:
    names = run(STRATEGY, CHECK)
    epochs = [epoch for epoch in names["trained"].epochs if epoch.task == "layer 1 (64-50)"]
    assert [epoch.number for epoch in epochs] == [1, 2]
    assert epochs[1].error < epochs[0].error


def test_the_command_line_finds_the_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gossip.py").write_text(STRATEGY)
    (command,) = [words for words in commands() if "gossip:RingGossip" in words]
    assert main(["train", *command, "--model", "mlp:64-20-10", "--epochs", "2", "--out", "run"]) == 0
    found = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (found["strategy"], found["every"], found["workers"]) == ("gossip:RingGossip", 4, 5)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_its_options_exist(words: list[str]) -> None:
    assert parse(words, "anabranch train", "", Arguments).parallel.workers > 1


def test_the_loop_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run(LOOP)
    errors = json.loads(capsys.readouterr().out)
    assert len(errors) == 3
    assert errors[-1] < errors[0]


ON_MPI = """
import json, sys
from pathlib import Path

import torch
from anabranch.errors import UsageError
from anabranch.testing import check_world

comm = anabranch.mpi()
check_world(RingGossip(), comm)
torch.manual_seed(comm.rank)  # all begin with the first rank's module
network = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))
heard = []
trained = anabranch.fit(network, "digits", strategy=RingGossip, epochs=2, learning_rate=0.05, progress=False,
                        on_epoch=heard.append)
found = {"errors": trained.errors, "sha": trained.summary["weights_sha256"], "heard": len(heard),
         "sum": sum(float(t.double().sum()) for t in network.state_dict().values()),
         "waiting": [worker.waiting for worker in trained.workers], "loop": program(comm)}
try:
    anabranch.fit(network, "digits" if comm.rank else (1, 2, 3), progress=False)
except UsageError as error:
    found["refused"] = str(error)
Path(sys.argv[1] + str(comm.rank)).write_text(json.dumps(found))
"""


@pytest.mark.skipif(find_mpirun() is None, reason="no mpirun beside this Python or on the path")
def test_all_of_it_runs_on_mpi_with_the_same_bits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script, out = tmp_path / "script.py", tmp_path / "out"
    loop = LOOP[: LOOP.index("\n\nprint(")]
    script.write_text("\n".join((STRATEGY, loop, ON_MPI)))
    done = run_mpi(2, script, [str(out)], tmp_path, seconds=120)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(Path(f"{out}{rank}").read_text()) for rank in range(2))
    assert (first["heard"], second["heard"]) == (2, 0)
    assert first["refused"] == "a tuple is no data: " + first["refused"].partition(": ")[2]
    assert second["refused"] == first["refused"] + " (rank 0)"
    for key in ("errors", "sha", "sum", "waiting"):
        assert first[key] == second[key]
    assert all(seconds > 0 for seconds in first["waiting"])

    names = run(STRATEGY, loop)
    import torch
    from torch import nn

    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))
    here = anabranch.fit(
        network, "digits", strategy=names["RingGossip"], workers=2, epochs=2, learning_rate=0.05, progress=False
    )
    assert (list(here.errors), here.summary["weights_sha256"]) == (first["errors"], first["sha"])

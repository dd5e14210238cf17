"""docs/python.md: its examples are short and learn, and its strategy keeps the contract in all worlds."""

import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "comm"))

import torch
from launching import find_mpirun, run_mpi
from markdown_pages import texts
from running import Done, Ran
from torch import nn
from understood import understood

import anabranch

PAGE = "docs/python.md"
NETWORK, DATA, STRATEGY, CHECK, LOOP = texts(PAGE, "python")


def of(ran: Ran, program: str) -> Done:
    """What was done by a block."""
    (found,) = [each for each in ran.of_python() if each.block.text == program]
    return found


@pytest.mark.parametrize("program", [NETWORK, DATA], ids=["network", "data"])
def test_its_examples_have_ten_lines(program: str) -> None:
    assert len([line for line in program.splitlines() if line.strip()]) <= 10


def test_its_strategy_has_fewer_than_fifty_lines() -> None:
    assert len(STRATEGY.splitlines()) < 50


def test_the_network_learns(ran: Ran) -> None:
    done = of(ran, NETWORK)
    assert done.names["trained"].test_error < 0.1
    assert done.names["trained"].model is done.names["network"]
    assert done.said.count("\n") > 3


def test_the_regression_learns(ran: Ran) -> None:
    done = of(ran, DATA)
    assert done.names["trained"].test_loss < 0.1 * done.names["y"].var()
    assert "mean squared error" in done.said


def test_the_strategy_keeps_the_contract_and_trains(ran: Ran) -> None:
    done = of(ran, CHECK)
    epochs = [epoch for epoch in done.names["trained"].epochs if epoch.task == "layer 1 (64-50)"]
    assert [epoch.number for epoch in epochs] == [1, 2]
    assert epochs[1].error < epochs[0].error


def test_the_command_line_finds_the_strategy(ran: Ran) -> None:
    summaries = [json.loads(path.read_text()) for path in ran.folder.glob("runs/*/summary.json")]
    (found,) = [summary for summary in summaries if summary["strategy"] == "gossip:RingGossip"]
    assert (found["every"], found["workers"]) == (4, 5)


def test_its_commands_have_several_workers(ran: Ran) -> None:
    done = ran.of_commands("anabranch", "train")
    assert len(done) == 3
    for each in done:
        options = understood(each.command[1:])
        assert options is not None
        assert options.parallel.workers > 1


def test_the_loop_runs(ran: Ran) -> None:
    errors = json.loads(of(ran, LOOP).said)
    assert len(errors) == 3
    assert errors[-1] < errors[0]


@pytest.mark.skipif(find_mpirun() is None, reason="no mpirun beside this Python or on the path")
def test_its_script_has_one_result_on_mpi(ran: Ran) -> None:
    (started,) = ran.of_commands("mpirun")
    errors = re.findall(r"test error (\d+\.\d)%", started.said)
    assert len(errors) == 4  # every rank tells it
    assert len(set(errors)) == 1


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
def test_all_of_it_runs_on_mpi_with_the_same_bits(ran: Ran, tmp_path: Path) -> None:
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

    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))
    here = anabranch.fit(
        network,
        "digits",
        strategy=of(ran, STRATEGY).names["RingGossip"],
        workers=2,
        epochs=2,
        learning_rate=0.05,
        progress=False,
    )
    assert (list(here.errors), here.summary["weights_sha256"]) == (first["errors"], first["sha"])

"""docs/asynchronous.md: its names are those of the catalogue, its program prints what it says, its strategy learns."""

import json
import re
import sys
from pathlib import Path

import pytest
from markdown_pages import read, texts
from running import Ran

sys.path.insert(0, str(Path(__file__).parents[1] / "comm"))

from launching import find_mpirun, run_mpi

from anabranch.strategies import CATALOGUE

PAGE = "docs/asynchronous.md"
PROGRAM, STRATEGY, CHECK = texts(PAGE, "python")


def test_its_commands_leave_results(ran: Ran) -> None:
    assert len(ran.of_commands("anabranch")) >= 6
    found = [*ran.folder.glob("runs/*/summary.json"), *ran.folder.glob("**/sweep.json")]
    assert len(found) >= 5
    assert all(json.loads(path.read_text()) for path in found)


def test_it_names_every_strategy_of_the_kind() -> None:
    in_step = {"allreduce", "averaging", "bmuf", "diloco", "post-local", "sampled-averaging"}
    for name in set(CATALOGUE) - in_step:
        assert f"`{name}`" in read(PAGE)


def test_its_program_prints_what_it_says(ran: Ran) -> None:
    """To within what another processor's roundings may make of it."""
    (program,) = [done for done in ran.of_python() if done.block.text == PROGRAM]
    (printed,) = [text for text in texts(PAGE, "text") if text.startswith("FetchPut")]
    number = re.compile(r"\d+\.\d+")
    said = program.said
    assert number.sub("", said) == number.sub("", printed)
    found, told = ([float(each) for each in number.findall(text)] for text in (said, printed))
    assert found == pytest.approx(told, abs=0.3)


def test_its_strategy_keeps_the_contract_and_trains(ran: Ran) -> None:
    (done,) = [done for done in ran.of_python() if done.block.text == CHECK]
    epochs = [epoch for epoch in done.names["trained"].epochs if epoch.task == "layer 1 (64-50)"]
    assert [epoch.number for epoch in epochs] == [1, 2]
    assert epochs[1].error < epochs[0].error


def test_the_command_line_finds_the_strategy_and_puts_it_on_a_server(ran: Ran) -> None:
    summaries = [json.loads(path.read_text()) for path in ran.folder.glob("runs/*/summary.json")]
    (found,) = [summary for summary in summaries if summary["strategy"] == "local_steps:LocalSteps"]
    assert (found["every"], found["workers"], found["server"]) == (8, 3, "ranks:1")


ON_MPI = """
from anabranch.testing import check_world

check_world(LocalSteps(), anabranch.mpi())
check_world(LocalSteps(hosting=Hosting("ranks", 1)), anabranch.mpi())
print("kept")
"""


@pytest.mark.skipif(find_mpirun() is None, reason="no mpirun beside this Python or on the path")
def test_its_strategy_keeps_the_contract_on_mpi(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("\n".join((STRATEGY, ON_MPI)))
    done = run_mpi(3, script, [], tmp_path, seconds=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["kept"] * 3

"""README.md: what its commands and its Python print, and the two commands of a newcomer."""

import re

from markdown_pages import read, texts
from running import Ran

from anabranch.cli.main import COMMANDS

PAGE = "README.md"


def test_the_two_commands_of_a_newcomer_are_there() -> None:
    lines = [line for text in texts(PAGE, "sh") for line in text.splitlines()]
    assert "pip install -c constraints.txt . && anabranch train" in lines
    assert 'pip install -c constraints.txt -e ".[test]" && pytest -n 2 --dist loadfile' in lines


def test_its_runs_end_with_an_error_and_a_folder(ran: Ran) -> None:
    here = [each for each in ran.of_commands("anabranch", "train") if "mpi" not in each.command]
    here += [each for each in ran.of_commands("anabranch", "simulate") if "--timing-only" not in each.command]
    assert len(here) >= 8
    for each in here:
        assert "test error" in each.said, each.command
    assert list(ran.folder.glob("runs/*"))


def test_its_python_learns(ran: Ran) -> None:
    estimator, fitting, looping = (each.said for each in ran.of_python())
    score, shape = estimator.split(" ", 1)
    assert float(score) > 0.9
    assert shape == "(100, 64)\n"
    (error,) = re.findall(r"test error (\d+\.\d)%", fitting)
    assert float(error) < 15
    errors = [float(value) for value in re.findall(r"\d+\.\d+", looping)]
    assert len(errors) == 5
    assert errors[-1] < errors[0]


def test_it_names_commands_that_exist(ran: Ran) -> None:
    named = {each.command[1] for each in ran.of_commands("anabranch") if not each.command[1].startswith("-")}
    assert {"evaluate", "sample", "export"} <= named <= set(COMMANDS)
    assert "docs/commands.md" in read(PAGE)

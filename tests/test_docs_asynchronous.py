"""docs/asynchronous.md tells the truth: its commands run, and its names are those of the catalogue."""

import json
import re
import shlex
from pathlib import Path

import pytest

from anabranch.cli.main import main
from anabranch.cli.options import Arguments, SimulateArguments, parse
from anabranch.strategies import CATALOGUE

PAGE = (Path(__file__).parent.parent / "docs" / "asynchronous.md").read_text(encoding="utf-8")
SHORT = ["--epochs", "1", "--finetune-epochs", "1"]


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("anabranch ")]


def test_there_are_some() -> None:
    assert len(commands()) >= 6


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_its_options_exist(arguments: list[str]) -> None:
    command, options = arguments[0], arguments[1:]
    if command == "simulate":
        at = options.index("--workers")
        found = parse(options[:at] + options[at + 2 :], "anabranch simulate", "", SimulateArguments)
        assert found.parallel.strategy in CATALOGUE
    else:
        assert parse(options, "anabranch train", "", Arguments).parallel.strategy in CATALOGUE


@pytest.mark.parametrize("arguments", [c for c in commands() if not {"mpi", "mnist"} & set(c)], ids=" ".join)
def test_its_commands_run(arguments: list[str], tmp_path: Path) -> None:
    assert main([*arguments, *SHORT, "--out", str(tmp_path / "out")]) == 0
    name = "summary.json" if arguments[0] == "train" else "sweep.json"
    assert json.loads((tmp_path / "out" / name).read_text())


def test_it_names_every_strategy_of_the_kind() -> None:
    in_step = {"allreduce", "averaging", "bmuf", "diloco", "post-local", "sampled-averaging"}
    for name in set(CATALOGUE) - in_step:
        assert f"`{name}`" in PAGE


def test_its_links_lead_somewhere() -> None:
    docs = Path(__file__).parent.parent / "docs"
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert all((docs / link).exists() for link in links if not link.startswith("http"))


def test_its_program_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """To within what another processor's roundings may make of it."""
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    (printed,) = re.findall(r"^```text\n(FetchPut.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    exec(program, {})
    number = re.compile(r"\d+\.\d+")
    said = capsys.readouterr().out
    assert number.sub("", said) == number.sub("", printed)
    found, told = ([float(each) for each in number.findall(text)] for text in (said, printed))
    assert found == pytest.approx(told, abs=0.3)

"""README.md tells the truth: its Python runs, its commands parse, and those that need nothing else run."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from anabranch.cli.main import main
from anabranch.cli.options import Arguments, parse

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SHORT = ["--epochs", "1", "--finetune-epochs", "1"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Every `anabranch …` in a shell block, as a list of arguments."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    found = [re.search(r"\banabranch (?:train|simulate).*", line.split("#")[0]) for line in lines]
    return [shlex.split(match.group().strip())[1:] for match in found if match]


def needs_more(arguments: list[str]) -> bool:
    return any(word in arguments for word in ("mnist", "--resume", "mpi"))


def test_the_two_commands_of_a_newcomer_are_there() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert "pip install -c constraints.txt . && anabranch train" in lines
    assert 'pip install -c constraints.txt -e ".[test]" && pytest -n 2 --dist loadfile' in lines


@pytest.mark.parametrize("arguments", [c for c in commands() if c[0] == "train" and "--resume" not in c], ids=" ".join)
def test_its_options_exist(arguments: list[str]) -> None:
    options = parse(arguments[1:], "anabranch train", "", Arguments)
    assert options.parallel.workers >= 1


@pytest.mark.parametrize("arguments", [c for c in commands() if not needs_more(c)], ids=" ".join)
def test_its_commands_run(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, *SHORT]) == 0
    assert "test error" in capsys.readouterr().out
    assert list(tmp_path.glob("runs/*"))


def test_its_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    estimator, fitting, looping = blocks("python")
    exec(compile(estimator, "README.md", "exec"), {})
    score, shape = capsys.readouterr().out.split(" ", 1)
    assert float(score) > 0.9
    assert shape == "(100, 64)\n"
    torch.manual_seed(0)  # a module of one's own begins with weights from torch's own generator
    exec(compile(fitting, "README.md", "exec"), {})
    (error,) = re.findall(r"test error (\d+\.\d)%", capsys.readouterr().out)
    assert float(error) < 15
    exec(compile(looping, "README.md", "exec"), {})
    errors = [float(value) for value in re.findall(r"\d+\.\d+", capsys.readouterr().out)]
    assert len(errors) == 5
    assert errors[-1] < errors[0]

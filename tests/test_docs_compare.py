"""docs/compare.md tells the truth: its commands can be understood, and every figure that it explains is shown."""

import re
import shlex
from pathlib import Path

import pytest

from anabranch.cli.compare import CompareArguments
from anabranch.cli.options import parse
from anabranch.compare.terms import contenders

PAGE = (Path(__file__).parent.parent / "docs" / "compare.md").read_text(encoding="utf-8")
COMMANDS = [line.split("#")[0].strip() for line in re.findall(r"^anabranch compare.*", PAGE, flags=re.MULTILINE)]


def test_there_are_some() -> None:
    assert len(COMMANDS) == 4


@pytest.mark.parametrize("command", COMMANDS)
def test_its_options_and_strategies_exist(command: str) -> None:
    options = parse(shlex.split(command)[2:], "anabranch compare", "", CompareArguments)
    assert len(contenders(options.strategies, 4)) >= 3


def test_its_defaults_are_those_of_the_command() -> None:
    options = parse([], "anabranch compare", "", CompareArguments)
    assert f"learning rates ({options.budget} unless given)" in PAGE
    assert f"(`--seeds`, {options.seeds} unless given)" in PAGE

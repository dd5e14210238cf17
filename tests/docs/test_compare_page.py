"""docs/compare.md: its comparisons have several contenders, and its defaults are those of the command."""

import shlex

from markdown_pages import read
from running import Ran
from understood import understood

from anabranch.cli.compare import CompareArguments
from anabranch.cli.options import parse
from anabranch.compare.terms import contenders

PAGE = "docs/compare.md"


def test_its_commands_compare_strategies(ran: Ran) -> None:
    done = ran.of_commands("anabranch", "compare")
    assert len(done) == 4
    for each in done:
        options = understood(each.command[1:])
        assert isinstance(options, CompareArguments), shlex.join(each.command)
        assert len(contenders(options.strategies, 4)) >= 3
    assert len(list(ran.folder.rglob("comparison.json"))) == 4


def test_its_defaults_are_those_of_the_command() -> None:
    options = parse([], "anabranch compare", "", CompareArguments)
    assert f"learning rates ({options.budget} unless given)" in read(PAGE)
    assert f"(`--seeds`, {options.seeds} unless given)" in read(PAGE)

"""docs/report.md tells the truth: its commands parse, its files are those of a run, its sizes those of a page."""

import re
import shlex
from pathlib import Path

import tyro

from anabranch.cli.options import Arguments, parse
from anabranch.cli.report import Arguments as ReportArguments
from anabranch.gallery import GIBBS_STEPS, SHOWN
from anabranch.judgement import MOST_CLASSES, MOST_MISTAKES
from anabranch.report.html import plotly_js
from anabranch.report.layers import MOST_FIELDS
from anabranch.report.wanted import PAGES

PAGE = (Path(__file__).parent.parent / "docs" / "report.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("anabranch ")]


def test_its_commands_exist() -> None:
    assert len(commands()) == 4
    for command, *options in commands():
        if command == "report":
            assert tyro.cli(ReportArguments, args=options).folders
        else:
            assert parse(options, "anabranch train", "", Arguments).training.epochs


def test_its_numbers_are_the_code_s() -> None:
    assert f"up to {MOST_CLASSES} classes" in PAGE
    assert f"the {MOST_MISTAKES} test examples" in PAGE
    assert f"the first {SHOWN} test examples" in PAGE
    assert f"what {GIBBS_STEPS} steps of Gibbs sampling" in PAGE
    assert f"up to {MOST_FIELDS} units" in PAGE
    assert f"`{PAGES}=none`" in PAGE
    assert 4.7e6 < len(plotly_js().encode()) < 4.9e6  # "4.9 MB, nearly all of it plotly.js"

"""docs/asynchronous.md: its names are those of the catalogue, and its program prints what it says."""

import json
import re

import pytest
from markdown_pages import read, texts
from running import Ran

from anabranch.strategies import CATALOGUE

PAGE = "docs/asynchronous.md"


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
    (program,) = ran.of_python()
    (printed,) = [text for text in texts(PAGE, "text") if text.startswith("FetchPut")]
    number = re.compile(r"\d+\.\d+")
    said = program.said
    assert number.sub("", said) == number.sub("", printed)
    found, told = ([float(each) for each in number.findall(text)] for text in (said, printed))
    assert found == pytest.approx(told, abs=0.3)

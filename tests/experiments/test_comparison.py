"""Tables and pictures of an experiment, by hand-computed numbers."""

import math
from pathlib import Path
from typing import Any

import pytest

from anabranch.experiments.drawing import draw, fill
from anabranch.experiments.findings import Comparison, Entry, Line, Panel, Picture, averages, markdown
from anabranch.simulate.drawing import new_figure

TABLE = Comparison(
    "Table 1",
    "Errors",
    "%",
    (
        Entry("1 worker", "ours", 1.14, (1.0, 1.2, 1.1), "measured"),
        Entry("2 workers", "ours", None, (1.5,), "simulated"),
        Entry("4 workers", "ours", 1.62, ()),
    ),
)


def test_rows_of_a_table() -> None:
    heads, rows = TABLE.cells()
    assert heads == ["", "series", "paper, %", "ours, %", "deviation", "runs", "difference", "how"]
    assert rows[0] == ["1 worker", "ours", "1.14", "1.10", "0.10", "3", "-0.04", "measured"]
    assert rows[1] == ["2 workers", "ours", "", "1.50", "", "1", "", "simulated"]
    assert rows[2] == ["4 workers", "ours", "1.62", "", "", "", "", ""]


def test_a_table_without_notes_has_no_column_for_them() -> None:
    plain = Comparison("Table 2", "Times", "s", (Entry("1", "ours", 244.0, (200.0, 250.0)),), digits=0)
    heads, rows = plain.cells()
    assert heads[-1] == "difference"
    assert rows == [["1", "ours", "244", "225", "35", "2", "-19"]]


def test_a_difference_that_rounds_to_nothing_has_no_minus() -> None:
    near = Comparison("Table 3", "Times", "s", (Entry("40", "ours", 900.0, (899.96,)),), digits=0)
    (row,) = near.cells()[1]
    assert row[-1] == "+0"


def test_a_table_as_data() -> None:
    data = TABLE.as_data()
    first, second, third = data["entries"]
    assert first["ours"] == pytest.approx(1.1)
    assert first["deviation"] == pytest.approx(0.1)
    assert first["difference"] == pytest.approx(-0.04)
    assert (second["deviation"], second["difference"]) == (None, None)
    assert (third["ours"], third["runs"]) == (None, [])


def test_a_table_in_markdown() -> None:
    lines = markdown(TABLE).splitlines()
    assert lines[0] == "**Table 1.** Errors"
    assert lines[3] == "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    assert lines[4] == "| 1 worker | ours | 1.14 | 1.10 | 0.10 | 3 | -0.04 | measured |"


def test_averages_and_deviations() -> None:
    means, deviations = averages([(1.0, 3.0), (5.0,)])
    assert means == (2.0, 5.0)
    assert deviations == pytest.approx((math.sqrt(2), 0.0))


@pytest.mark.parametrize("log", [False, True])
def test_a_picture_is_the_same_bytes_again(tmp_path: Path, log: bool) -> None:
    lines = (
        Line("paper", (1.0, 40.0), (16500.0, 900.0), paper=True),
        Line("ours", (1.0, 40.0), (8.0, 1.0), (0.5, 0.0)),
    )
    panel = Panel("workers", "seconds", lines, log_x=log, log_y=log)
    picture = Picture("figure-1", "Time against workers", (panel, panel))
    bytes_ = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        paths = draw(picture, folder)
        assert [path.name for path in paths] == ["figure-1.png", "figure-1.svg"]
        bytes_.append([path.read_bytes() for path in paths])
    assert bytes_[0] == bytes_[1]
    assert b"Time against workers" in bytes_[0][1]


def ticks(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels() if label.get_text()]


def test_axes_of_errors_of_zero_and_of_fractions_of_a_second() -> None:
    """No logarithm of 0; and six digits of each measured moment would cover each other."""
    seconds, errors = (0.0131987, 0.0178123, 0.0263974, 0.0395961), (0.5, 0.25, 0.0, 0.0)
    figure = new_figure(4, 3)
    axes = figure.subplots()
    fill(axes, Panel("seconds", "%", (Line("ours", seconds, errors),), log_x=True, log_y=True))
    figure.draw_without_rendering()
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert 2 <= len(ticks(axes.xaxis)) <= 9
    assert max(map(len, ticks(axes.xaxis))) <= len("0.015")
    axes = figure.subplots()
    fill(axes, Panel("workers", "s", (Line("ours", (1.0, 4.0, 40.0), (3.0, 2.0, 1.0)),), log_x=True, log_y=True))
    figure.draw_without_rendering()
    assert axes.get_yscale() == "log"
    assert ticks(axes.xaxis) == ["1", "4", "40"]

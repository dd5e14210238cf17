"""Charts are plotly's, by its own validation; their numbers, looks and axes."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plotly import graph_objects

from anabranch.report.charts import Axis, Series, bars, lines, rounded, shown
from anabranch.report.look import DARK, DASHES, LIGHT, MARKS, PATTERNS, THEMES
from anabranch.report.mistakes import confusion_chart

X, Y = Axis("epoch", ticks=(1, 2)), Axis("error, %", from_zero=True)
TWO = [Series("first", [1, 2], [4.0, None]), Series("second", [1, 2], [3.0, 2.5])]


def valid(figure: dict[str, Any]) -> graph_objects.Figure:
    """The figure as plotly's own classes have it, which refuse what plotly does not know."""
    return graph_objects.Figure(figure)


def test_plotly_accepts_every_kind_of_chart() -> None:
    charts = [
        lines("a", "A", "", TWO, X, Y),
        lines("b", "B", "", [Series("s", [1.0, 8.0], [1.0, 2.0], [0.1, 0.2], reference=True)], X, Axis("y", log=True)),
        bars("c", "C", "", TWO, X, Axis("s", suffix=" s"), stacked=True),
        bars("d", "D", "", TWO, X, Y),
        confusion_chart([[3, 1], [0, 2]]),
    ]  # fmt: skip
    assert [len(valid(chart.figure).data) for chart in charts] == [2, 1, 2, 2, 2]


@pytest.mark.parametrize("theme", THEMES)
def test_plotly_accepts_the_templates(theme: str) -> None:
    template = graph_objects.layout.Template(THEMES[theme])
    assert template.layout.colorway == tuple(THEMES[theme]["layout"]["colorway"])


def test_colour_is_never_the_only_sign() -> None:
    found = lines("a", "A", "", [Series(str(n), [1, 2], [1.0, n]) for n in range(6)], X, Y).figure["data"]
    assert len({trace["line"]["dash"] for trace in found}) == len(DASHES) == 6
    assert len({trace["marker"]["symbol"] for trace in found}) == 6
    found = bars("b", "B", "", [Series(str(n), [1], [1.0]) for n in range(6)], X, Y).figure["data"]
    assert len({trace["marker"]["pattern"]["shape"] for trace in found}) == 6
    assert len(set(MARKS)) == len(set(PATTERNS)) == 8


def contrast(one: str, other: str) -> float:
    """WCAG 2.1, relative luminance and contrast ratio."""

    def luminance(colour: str) -> float:
        channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("colours", "ground"), [(LIGHT, "#fdfdfc"), (DARK, "#14181c")])
def test_lines_can_be_seen_on_their_ground(colours: tuple[str, ...], ground: str) -> None:
    assert min(contrast(colour, ground) for colour in colours) >= 2.8
    theme = THEMES["light" if colours is LIGHT else "dark"]["layout"]
    assert contrast(theme["font"]["color"], ground) > 7
    assert contrast(theme["xaxis"]["linecolor"], ground) > 3


def test_series_with_the_same_places_share_the_rows_of_a_table() -> None:
    table = lines("a", "A", "", TWO, X, Y).numbers
    assert table.heads == ("epoch", "first, error, %", "second, error, %")
    assert table.rows == (("1", "4", "3"), ("2", "–", "2.5"))
    assert bars("a", "A", "", TWO[:1], X, Axis("t", suffix=" s")).numbers.rows == (("1", "4 s"), ("2", "–"))


def test_other_series_have_rows_of_their_own() -> None:
    series = [Series("a", [1], [2.0], spread=[0.5]), Series("b", [3], [4.0])]
    table = lines("a", "A", "", series, X, Y).numbers
    assert table.heads == ("series", "epoch", "error, %", "spread")
    assert table.rows == (("a", "1", "2", "± 0.5"), ("b", "3", "4", "± 0"))


def test_many_points_have_no_marks_and_the_compared_is_grey() -> None:
    many = Series("many", list(range(100)), [1.0] * 100)
    ideal = Series("ideal", [1, 2], [1.0, 2.0], reference=True)
    traces = lines("a", "A", "", [many, ideal], X, Y).figure["data"]
    assert [trace["mode"] for trace in traces] == ["lines", "lines+markers"]
    assert traces[1]["line"]["color"] == traces[1]["marker"]["color"] == "#808890"
    assert "color" not in traces[0]["line"]  # the theme's


def test_the_confusion_matrix_colours_mistakes_alone() -> None:
    wrong, right = confusion_chart([[5, 1, 0], [0, 6, 0], [2, 0, 4]]).figure["data"]
    assert wrong["z"] == [[None, 1, None], [None, None, None], [2, None, None]]
    assert right["z"] == [[5, None, None], [None, 6, None], [None, None, 4]]
    assert wrong["zmax"] == 2
    assert "texttemplate" not in confusion_chart([[1] * 30] * 30).figure["data"][0]


def test_numbers_as_a_person_reads_them() -> None:
    found = [shown(value) for value in (None, "x", 3, 2.0, 0.123456, 1234.56, 12.3456)]
    assert found == ["–", "x", "3", "2", "0.1235", "1,235", "12.35"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_rounding_keeps_six_digits(values: list[float]) -> None:
    for value, found in zip(values, rounded(values), strict=True):
        assert isinstance(found, float)
        assert math.isclose(value, found, rel_tol=1e-5, abs_tol=1e-300)

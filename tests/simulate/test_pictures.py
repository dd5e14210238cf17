"""Pictures are whole files with the same bytes for the same input, and say what they leave out."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anabranch.comm.ledger import KINDS, Span
from anabranch.simulate.pictures import draw_sweep, draw_timeline
from anabranch.simulate.relative import relative
from anabranch.simulate.timeline import beginning, left_out, merged


def made(counts: Sequence[int], error: float | None = 0.02, broken: Sequence[int] = ()) -> list[dict[str, Any]]:
    rows = [
        {
            "workers": n,
            "seconds_per_epoch": None if n in broken else 8.0 / n,
            "computing": None if n in broken else 0.5,
            "waiting": None if n in broken else 0.2,
            "communicating": None if n in broken else 0.3,
            "test_error": error,
            "oversubscribed": n > 4,
            "outcome": "rank 3 was lost at 12.3 s" if n in broken else "finished",
        }
        for n in counts
    ]
    return relative(rows)


SPANS = [
    Span(0, "computing", "step", 0.0, 0.2),
    Span(1, "computing", "step", 0.0, 0.1),
    Span(1, "waiting", "allreduce", 0.1, 0.2),
    Span(0, "communicating", "allreduce", 0.2, 0.25),
    Span(1, "communicating", "allreduce", 0.2, 0.25),
]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_a_sweep_is_a_png_and_an_svg_with_its_labels(tmp_path: Path) -> None:
    png, svg = draw_sweep(made([1, 2, 4, 8]), "a $title$", tmp_path / "sweep.of.8")
    assert [png.name, svg.name] == ["sweep.of.8.png", "sweep.of.8.svg"]
    assert size_of(png) == (1650, 990)
    text = svg.read_text()
    labels = ("a $title$", "time per epoch", "speed-up", "efficiency", "test error", "workers", "ideal", *KINDS, "5 s")
    assert [label for label in labels if f">{label}</text>" not in text] == []
    assert "hollow: more workers than the cluster has room for" in text


@pytest.mark.parametrize("draw", ["sweep", "timeline"])
def test_equal_input_makes_equal_bytes(tmp_path: Path, draw: str) -> None:
    files = []
    for name in ("a", "b"):
        if draw == "sweep":
            files.append(draw_sweep(made([1, 2]), "title", tmp_path / name))
        else:
            files.append(draw_timeline(SPANS, 2, "title", tmp_path / name))
    for first, second in zip(*files, strict=True):
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("rows", "unknown"),
    [(made([8]), 0), (made([1, 2, 4], broken=[2]), 0), (made([4, 8], broken=[4, 8], error=None), 3)],
)
def test_one_row_and_broken_rows_are_drawn(tmp_path: Path, rows: list[dict[str, Any]], unknown: int) -> None:
    _, svg = draw_sweep(rows, "title", tmp_path / "sweep")
    text = svg.read_text()
    assert text.count(">not known<") == unknown
    assert text.count("rank 3 was lost at 12.3 s") == sum(row["outcome"] != "finished" for row in rows)
    assert (">test error<" in text) == (rows[0]["test_error"] is not None)


def test_many_broken_rows_are_counted(tmp_path: Path) -> None:
    counts = range(2, 12)
    _, svg = draw_sweep(made([1, *counts], broken=counts), "title", tmp_path / "sweep")
    text = svg.read_text()
    assert text.count("rank 3 was lost") == 3  # after the base of the speed-ups and the hollow points
    assert "and 7 more that did not finish" in text


def test_a_timeline_shows_all_it_has_room_for(tmp_path: Path) -> None:
    png, svg = draw_timeline(SPANS, 2, "two ranks", tmp_path / "timeline")
    width, height = size_of(png)
    assert (width, height > 200) == (1650, True)
    text = svg.read_text()
    assert all(f">{label}</text>" in text for label in ("two ranks", "virtual time in ms", "rank", "250", *KINDS))
    assert "the first" not in text


def test_a_timeline_says_what_it_leaves_out(tmp_path: Path) -> None:
    spans = [
        Span(rank, kind, "", 2.0 * step + at, 2.0 * step + at + 1.0)
        for step in range(100)
        for rank in range(40)
        for at, kind in ((0.0, KINDS[0]), (1.0, KINDS[1]))
    ]
    _, svg = draw_timeline(spans, 40, "many", tmp_path / "timeline")
    text = svg.read_text()
    # 32 ranks begin 32 bars a second: bar 3000 begins in second 93.
    assert "ranks 0 to 31 of 40, the first 93.0 s of 200 s" in text
    assert ">31</text>" in text
    assert ">32</text>" not in text


def test_a_world_without_spans_has_a_timeline(tmp_path: Path) -> None:
    png, _ = draw_timeline([], 2, "nothing", tmp_path / "timeline")
    assert size_of(png)[0] == 1650


def test_neighbours_of_one_colour_are_one_bar() -> None:
    spans = [
        Span(0, "computing", "b", 1.0, 2.0),
        Span(0, "computing", "a", 0.0, 1.0),
        Span(1, "computing", "a", 2.0, 3.0),
        Span(0, "computing", "c", 2.5, 3.0),
    ]
    assert [(s.rank, s.begin, s.end) for s in merged(spans)] == [(0, 0.0, 2.0), (1, 2.0, 3.0), (0, 2.5, 3.0)]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(KINDS), st.integers(1, 5)), max_size=30))
def test_merging_keeps_the_time_of_each_kind(steps: list[tuple[int, Any, int]]) -> None:
    spans, clocks = [], [0.0] * 4
    for rank, kind, seconds in steps:
        spans.append(Span(rank, kind, "", clocks[rank], clocks[rank] + seconds))
        clocks[rank] += seconds
    for kind in KINDS:
        before, after = (sum(s.end - s.begin for s in part if s.kind == kind) for part in (spans, merged(spans)))
        assert before == after


def test_a_beginning_is_cut_where_it_stops_being_complete() -> None:
    spans = merged(SPANS)
    assert beginning(spans, 5) == (spans, 0.25)
    shown, until = beginning(spans, 2)
    assert until == 0.1
    assert [(s.rank, s.begin, s.end) for s in shown] == [(0, 0.0, 0.1), (1, 0.0, 0.1)]
    assert left_out(SPANS, 2, until) == ["the first 100 ms of 250 ms"]
    assert left_out(SPANS, 2, 0.25) == []


def test_a_timeline_ends_where_spans_are_missing() -> None:
    shown, until = beginning(merged(SPANS), 5, cut=0.15)
    assert until == 0.15
    assert [(s.rank, s.kind, s.end) for s in shown] == [(0, KINDS[0], 0.15), (1, KINDS[0], 0.1), (1, KINDS[1], 0.15)]
    assert left_out(SPANS, 33, until, 0.15) == ["ranks 0 to 31 of 33, the first 150 ms of more than 150 ms"]


def test_matplotlib_is_loaded_when_something_is_drawn_and_no_sooner() -> None:
    code = "import sys, anabranch.simulate.pictures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""What a person sees of the ranks: few lines, in 80 columns, with the fastest and the slowest named."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from anabranch.progress import Bars, Plain
from anabranch.rankview import LISTED, rank_lines
from anabranch.strategies import EpochReport, Throughput


def test_four_ranks_by_hand() -> None:
    rates, waits = (1000, 500, 2000, 1500), (1.0, 0.0, 3.0, 0.25)
    each = [Throughput(rank, rate, 1.0, wait) for rank, (rate, wait) in enumerate(zip(rates, waits, strict=True))]
    assert [line.rstrip() for line in rank_lines(each)] == [
        "  4 ranks: fastest 2 (2,000/s), median 1,250/s, slowest 1 (500/s)",
        "    rank    0  " + "━" * 15 + " " * 15 + "       1,000/s  waited  50%",
        "    rank    1  " + "━" * 8 + " " * 22 + "         500/s  waited   0%",
        "    rank    2  " + "━" * 30 + "       2,000/s  waited  75%",
        "    rank    3  " + "━" * 22 + " " * 8 + "       1,500/s  waited  20%",
    ]


def test_of_forty_the_slowest_have_lines() -> None:
    each = [Throughput(rank, 1000 + 10 * (rank * 7 % 40), 1.0) for rank in range(40)]
    first, *lines = rank_lines(each)
    slowest = sorted(sorted(range(40), key=lambda rank: each[rank].rate)[:LISTED])
    assert [int(re.findall(r"rank +(\d+)", line)[0]) for line in lines] == slowest
    assert first == "  40 ranks: fastest 17 (1,390/s), median 1,195/s, slowest 0 (1,000/s)"
    assert not any("waited" in line for line in lines)


def test_nothing_told_is_nothing_shown() -> None:
    assert rank_lines([]) == rank_lines([Throughput(0, 0, 1.0)]) == []


NUMBERS = st.integers(0, 10**7)
SECONDS = st.floats(0, 1e5)


@given(st.lists(st.tuples(NUMBERS, SECONDS, st.none() | SECONDS), max_size=200))
def test_it_is_never_wider_or_longer(rows: list[tuple[int, float, float | None]]) -> None:
    lines = rank_lines([Throughput(rank, n, max(work, 0.1), wait) for rank, (n, work, wait) in enumerate(rows)])
    assert len(lines) <= 1 + LISTED
    assert all(len(line) < 100 for line in lines)
    if all(n / max(work, 0.1) < 1e6 for n, work, _ in rows):
        assert all(len(line) < 80 for line in lines)


@pytest.mark.parametrize("kind", [Plain, Bars])
def test_it_stands_below_the_epoch(kind: type[Plain] | type[Bars], capsys: pytest.CaptureFixture[str]) -> None:
    display = kind(Console(force_terminal=kind is Bars, width=80))
    display.start("training", 1, 5, 0)
    display.on_ranks([Throughput(rank, 100 + rank, 1.0, 0.5) for rank in range(40)])
    display.on_epoch(EpochReport("training", 0, 0.5, 0.5, 100, 5, 0.1, last=True))
    display.close()
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out)
    lines = [line for part in said.splitlines() for line in part.split("\r")]
    at = max(n for n, line in enumerate(lines) if "epoch 1/1" in line)
    assert lines[at + 1].strip() == "40 ranks: fastest 39 (139/s), median 120/s, slowest 0 (100/s)"
    assert sum("waited  33%" in line for line in lines[at:]) == LISTED
    assert max(map(len, lines)) <= 80

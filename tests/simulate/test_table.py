"""Speed-ups by hand, and a table that has room in a terminal."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from anabranch.simulate.relative import OVERSUBSCRIBED, captions, exponent, relative
from anabranch.simulate.table import timing_table
from anabranch.wording import digits, seconds_text


def made(workers: int, seconds: float | None, **changes: Any) -> dict[str, Any]:
    row = {
        "workers": workers,
        "seconds_per_epoch": seconds,
        "bytes_per_worker": 1.5e6,
        "computing": 0.5,
        "waiting": 0.25,
        "communicating": 0.25,
        "test_error": None,
        "seconds_to_target": None,
        "oversubscribed": False,
        "outcome": "finished",
        "virtual_seconds": 100.0,
    }
    return row | changes


def lines(rows: Sequence[dict[str, Any]], target: float | None = None) -> list[str]:
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(timing_table(rows, "title [of a table]", target))
    return capture.get().splitlines()


def squeezed(line: str) -> str:
    return " ".join(line.split())


def test_speed_up_is_against_one_worker() -> None:
    rows = relative([made(4, 3.0), made(1, 6.0)])
    assert [(row["speed_up"], row["efficiency"]) for row in rows] == [(2.0, 0.5), (1.0, 1.0)]
    assert captions(rows) == ["speed-up against 1 worker"]


def test_or_against_the_smallest_number_that_has_a_time() -> None:
    rows = relative([made(4, None, outcome="rank 3 was lost at 12.3 s"), made(8, 6.0), made(32, 2.0)])
    assert [row["speed_up"] for row in rows] == [None, 8.0, 24.0]
    assert [row["efficiency"] for row in rows] == [None, 1.0, 0.75]
    assert captions(rows) == ["speed-up against 8 workers", "4 workers: rank 3 was lost at 12.3 s"]


@pytest.mark.parametrize("seconds", [None, 0.0])
def test_without_times_there_is_no_speed_up(seconds: float | None) -> None:
    rows = relative([made(1, seconds), made(2, seconds)])
    assert [(row["speed_up"], row["efficiency"]) for row in rows] == [(None, None)] * 2
    assert captions(rows) == []


def test_relative_leaves_its_argument_alone() -> None:
    row = made(1, 6.0)
    assert relative([row])[0] is not row
    assert "speed_up" not in row


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ns"),
        (2.5e-9, "2.50 ns"),
        (1e-6, "1.00 µs"),
        (0.0456, "45.6 ms"),
        (0.9996, "1.00 s"),
        (447.4, "447 s"),
        (9999.0, "9999 s"),
        (36000.0, "10.0 h"),
    ],
)
def test_times_have_a_fitting_unit(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1e-4, "<0.001"), (0.25, "0.250"), (1.0, "1.00"), (9.996, "10.0"), (99.96, "100"), (12345.6, "12346")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert digits(value) == text


def test_all_columns_have_room_in_80_letters() -> None:
    wide = {"test_error": 0.9012, "bytes_per_worker": 1.23456e11, "oversubscribed": True, "computing": 1.0}
    whole = {"waiting": 1.0, "communicating": 1.0, "seconds_to_target": 9999.0}
    table = lines(relative([made(1, 9999.0, **wide, **whole), made(16384, 0.61, **wide, **whole)]), target=0.1)
    assert max(map(len, table)) <= 80
    assert "…" not in "".join(table)
    assert squeezed(table[1]) == "work- time/ speed- effi- MB/ com- wait- commu- test time to"
    assert squeezed(table[5]) == "16384* 610 ms 16392 100.0 % 123456 100.0 % 100.0 % 100.0 % 90.12 % 9999 s"


def test_a_row_shows_its_figures_and_dashes() -> None:
    rows = relative([made(1, 6.0), made(4, 3.0), made(8, None, computing=None, outcome="rank 3 was lost at 12.3 s")])
    table = lines(rows)
    assert table[0].strip() == "title [of a table]"
    assert "target" not in table[2]
    assert "error" not in table[2]
    assert squeezed(table[5]) == "4 3.00 s 2.00 50.0 % 1.50 50.0 % 25.0 % 25.0 %"
    assert squeezed(table[6]) == "8 - - - 1.50 - 25.0 % 25.0 %"
    assert [line.strip() for line in table[7:]] == ["speed-up against 1 worker", "8 workers: rank 3 was lost at 12.3 s"]


def test_columns_come_when_they_are_asked_for() -> None:
    table = lines(relative([made(1, 6.0, test_error=0.0123), made(2, 3.0, oversubscribed=True)]), target=0.02)
    assert table[4].split()[-3:] == ["1.23", "%", "-"]
    assert table[5].split()[0] == "2*"
    assert table[5].split()[-2:] == ["-", "-"]
    notes = [line.strip() for line in table[6:]]
    assert notes[1:] == ["time to target: until the error was 2.00 %; - where it never was", OVERSUBSCRIBED]


def test_the_exponent_of_a_power_law() -> None:
    rows = [{"workers": n, "seconds_per_epoch": 12.0 * n**-0.86} for n in (1, 2, 4, 8)]
    found = exponent(rows)
    assert found is not None
    assert math.isclose(found, -0.86)
    assert exponent(rows[:2]) is None
    assert exponent([*rows[:2], rows[2] | {"seconds_per_epoch": None}]) is None

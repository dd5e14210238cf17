"""The books of asynchronous work, by hand."""

from collections import Counter
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from anabranch.server.traffic import Labour, Traffic, added, gathered, mean

EXACT = st.integers(0, 2**53)
SECONDS = st.floats(0, 1e9)
LABOURS = st.builds(Labour, *[EXACT] * 6, SECONDS, SECONDS)
SMALL = st.builds(Labour, *[st.integers(0, 1000)] * 6, st.integers(0, 99).map(float), st.integers(0, 99).map(float))

FIRST = Labour(computed=50, pushed=40, fetches=10, pushes=8, fetched_bytes=400, pushed_bytes=320, seconds=4, waiting=1)
SECOND = Labour(computed=30, pushed=30, fetches=6, pushes=6, fetched_bytes=240, pushed_bytes=240, seconds=2, waiting=1)


@given(LABOURS)
def test_labour_travels_as_numbers(labour: Labour) -> None:
    numbers = labour.numbers()
    assert all(type(number) is float for number in numbers)
    back = Labour.of(numbers)
    assert back == labour
    assert [type(getattr(back, f.name)) for f in fields(Labour)] == [int] * 6 + [float] * 2


@given(st.lists(SMALL, max_size=5))
def test_sums_are_field_by_field(labours: list[Labour]) -> None:
    total = added(labours)
    for f in fields(Labour):
        assert getattr(total, f.name) == sum(getattr(labour, f.name) for labour in labours)


def test_added_by_hand() -> None:
    assert added([FIRST, SECOND]) == Labour(80, 70, 16, 14, 640, 560, 6.0, 2.0)
    assert added([]) == Labour()


def test_gathered_by_hand() -> None:
    books = gathered([FIRST, SECOND], [Counter({0: 3, 1: 2}), Counter({1: 5, 7: 1})])
    assert books == Traffic(80, 70, 70, 0, [], Counter({0: 3, 1: 7, 7: 1}), added([FIRST, SECOND]))


def test_the_record_by_hand() -> None:
    """Two workers stood 6 s altogether, each 3 s on average."""
    record = gathered([FIRST, SECOND], [Counter({2: 1, 0: 3, 10: 1})]).as_json(2)
    assert record == {
        "examples": {"computed": 80, "pushed": 70, "applied": 70, "lost": 0},
        "dead_workers": [],
        "fetches": 16,
        "pushes": 14,
        "fetches_per_second": 5.333,
        "pushes_per_second": 4.667,
        "bytes_per_second": 400.0,
        "waiting": 0.333333,
        "staleness": {"0": 3, "2": 1, "10": 1},
        "mean_staleness": 2.4,
    }
    assert list(record["staleness"]) == ["0", "2", "10"]


def test_the_dead_do_not_count_for_rates() -> None:
    """Of four workers two came to the end, in 3 s each."""
    books = Traffic(100, 85, 85, 15, [1, 3], Counter(), added([FIRST, SECOND]))
    record = books.as_json(4)
    assert record["dead_workers"] == [1, 3]
    assert record["examples"] == {"computed": 100, "pushed": 85, "applied": 85, "lost": 15}
    assert record["fetches_per_second"] == 5.333
    assert record["bytes_per_second"] == 400.0


def test_where_nobody_is_left_there_are_no_rates() -> None:
    record = Traffic(computed=15, lost=15, dead=[0, 1]).as_json(2)
    for name in ("fetches_per_second", "pushes_per_second", "bytes_per_second", "waiting", "mean_staleness"):
        assert record[name] is None, name
    assert record["staleness"] == {}


def test_the_mean_of_a_histogram() -> None:
    assert mean(Counter()) is None
    assert mean(Counter({0: 5})) == 0
    assert mean(Counter({0: 1, 1: 2})) == 0.666667


@given(st.lists(st.integers(0, 50), min_size=1))
def test_the_mean_is_that_of_all_pushes(ages: list[int]) -> None:
    found = mean(Counter(ages))
    assert found is not None
    assert abs(found - sum(ages) / len(ages)) <= 5e-7

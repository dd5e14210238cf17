"""What does one thing at a time."""

from hypothesis import given
from hypothesis import strategies as st

from anabranch.cluster.network_queue import Queue

WISHES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10)), max_size=40)


def test_who_comes_while_it_is_busy_queues() -> None:
    queue = Queue()
    assert [queue.take(at, 3) for at in (0, 1, 1, 20)] == [0, 3, 6, 20]


def test_a_gap_is_used_if_it_is_long_enough() -> None:
    queue = Queue()
    assert queue.take(10, 5) == 10
    assert queue.take(0, 11) == 15  # it does not fit before
    assert queue.take(0, 6) == 0
    assert queue.take(0, 4) == 6
    assert queue.take(0, 1) == 26


def test_nothing_at_all_waits_for_its_turn_but_takes_no_place() -> None:
    queue = Queue()
    queue.take(0, 3)
    assert [queue.take(1, 0), queue.take(3, 0), queue.take(3, 1)] == [3, 3, 3]


@given(WISHES, st.integers(0, 50))
def test_bookings_never_overlap_nor_come_early(wishes: list[tuple[int, int]], now: int) -> None:
    queue, forgetful = Queue(), Queue()
    booked: list[tuple[float, float]] = []
    for at, seconds in wishes:
        begin = queue.take(at + now, seconds)
        forgetful.forget(now)
        assert forgetful.take(at + now, seconds) == begin >= at + now
        assert all(begin + seconds <= other or begin >= end for other, end in booked if end > other)
        booked.append((begin, begin + seconds))


@given(st.lists(st.integers(1, 10), max_size=20))
def test_who_waits_from_the_start_leaves_no_gap(lengths: list[int]) -> None:
    queue = Queue()
    assert [queue.take(0, length) for length in lengths] == [sum(lengths[:place]) for place in range(len(lengths))]

"""How long a worker computes, by hand and by its statistics."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.cluster import Cluster, Failure, Link, Network, Nodes, Pace, Placement, Speed, Straggling

NODES = Nodes(3, 2, (2,), (1.5,))


def cluster(*laws: Straggling, failures: tuple[Failure, ...] = (), seed: int = 0) -> Cluster:
    network = Network(Link(1e-6, 1e9), Link(1e-5, 1e8))
    return Cluster("c", NODES, network, (Speed(1e9),), stragglers=laws, failures=failures, seed=seed)


def pace(rank: int, *laws: Straggling, workers: int = 5, failures: tuple[Failure, ...] = (), seed: int = 0) -> Pace:
    found = Pace(cluster(*laws, failures=failures, seed=seed), Placement(NODES, workers, None), rank)
    found.start(7, 0.0)
    return found


def test_those_who_share_a_node_slow_each_other_down() -> None:
    assert [pace(rank).stretch(2.0, 0.0) for rank in range(5)] == [3.0, 3.0, 3.0, 3.0, 2.0]


def test_constant_factors_multiply() -> None:
    laws = (
        Straggling("constant", factor=3.0, ranks=(1,)),
        Straggling("slow-node", factor=4.0, nodes=(0,)),
        Straggling("constant", factor=10.0),
    )
    assert [pace(rank, *laws).stretch(1.0, 0.0) for rank in (0, 1, 4)] == [1.5 * 40, 1.5 * 120, 10.0]


def test_a_log_normal_factor_has_mean_one() -> None:
    worker = pace(4, Straggling("log-normal", sigma=0.5))
    factors = [worker.stretch(1.0, 0.0) for _ in range(20_000)]
    assert statistics.fmean(factors) == pytest.approx(1, abs=0.02)
    assert statistics.pstdev(map(math.log, factors)) == pytest.approx(0.5, abs=0.02)


def test_a_spell_counts_for_its_part_of_a_step() -> None:
    """Twice as slow from 10 to 14."""
    worker = pace(4, failures=(Failure("slow", rank=4, at=10.0, seconds=4.0, factor=2.0),))
    assert worker.stretch(3.0, 0.0) == 3
    assert worker.stretch(3.0, 11.0) == pytest.approx(3 + 1.5)  # 3 s make 1.5, and the rest follows at full speed
    assert worker.stretch(1.0, 10.0) == 2
    assert worker.stretch(5.0, 8.0) == pytest.approx(2 + 4 + 1)
    assert worker.stretch(3.0, 14.0) == 3
    assert worker.stretch(1e-5, 1e9) == 1e-5  # to the last digit, however late it is


def test_two_spells_at_once_multiply() -> None:
    both = (
        Failure("slow", rank=4, at=0.0, factor=2.0),
        Failure("slow", rank=4, at=1.0, seconds=3.0, factor=3.0),
    )
    assert pace(4, failures=both).stretch(1.0, 0.0) == pytest.approx(1 + 3)  # half of it six times as slow


def test_pauses_take_their_share_of_the_time() -> None:
    """A tenth of all time, on average."""
    worker, now = pace(4, Straggling("pauses", every=10.0, seconds=1.0)), 0.0
    for _ in range(20_000):
        now += worker.stretch(1.0, now)
    assert now == pytest.approx(20_000 * (1 + 1 / 9), rel=0.01)


def test_a_pause_that_is_over_costs_nothing() -> None:
    worker = pace(4, Straggling("pauses", every=0.01, seconds=0.005))
    assert worker.stretch(1e-9, 1e3) <= 1e-9 + 0.005  # a hundred thousand pauses later


def test_what_is_left_of_a_pause_is_waited_for() -> None:
    """Four seconds from 10 on, of which two are over when the worker wants to compute."""
    worker = pace(4, Straggling("pauses", every=1e9, seconds=4.0))
    worker._next = [10.0]
    assert worker.stretch(1.0, 12.0) == 3.0
    assert worker.stretch(1.0, 15.0) == 1.0


@pytest.mark.parametrize("waiting", [0.0, 0.001, 0.009])
def test_workers_that_wait_much_pause_as_long(waiting: float) -> None:
    """Pauses are far longer than steps and waits: those that begin in a wait cost all but its rest."""
    worker, now, steps = pace(4, Straggling("pauses", every=1.0, seconds=0.2)), 0.0, 100_000
    for _ in range(steps):
        now += worker.stretch(0.001, now) + waiting
    assert 1 - steps * (0.001 + waiting) / now == pytest.approx(0.2, rel=0.08)


def test_those_who_rest_slow_nobody_down() -> None:
    placement = Placement(NODES, 5, None)
    assert Pace(cluster(), placement, 0, busy=(0, 2, 4)).stretch(2.0, 0.0) == 2.0
    assert Pace(cluster(), placement, 2, busy=(2, 3)).stretch(2.0, 0.0) == 3.0


@given(st.integers(0, 4), st.integers(0, 100))
def test_an_epoch_repeats_its_chance(rank: int, seed: int) -> None:
    laws = (Straggling("log-normal", sigma=0.3), Straggling("pauses", every=2.0, seconds=1.0))
    worker = pace(rank, *laws)
    runs = []
    for each in (seed, seed + 1, seed):
        worker.start(each, 0.0)
        runs.append([worker.stretch(1.0, float(step)) for step in range(5)])
    assert runs[0] == runs[2] != runs[1]


def test_workers_and_clusters_have_chances_of_their_own() -> None:
    law = Straggling("log-normal", sigma=0.3)
    draws = [pace(rank, law, seed=seed).stretch(1.0, 0.0) for rank, seed in ((0, 0), (1, 0), (0, 1))]
    assert len(set(draws)) == 3

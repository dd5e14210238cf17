import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.errors import UsageError
from anabranch.server.transport import FINISHED
from anabranch.strategies import Convergence, FixedEpochs, Task
from anabranch.strategies.own_pace.clerk import Clerk
from anabranch.testing.tasks import Quadratic, make_shard


def test_a_fixed_number_of_epochs() -> None:
    assert [FixedEpochs(2).done(errors) for errors in ([5.0], [5.0, 4.0])] == [False, True]


@pytest.mark.parametrize(
    ("errors", "ends"),
    [
        ([10, 9, 8, 7], False),  # falls by more than a tenth each time
        ([10, 9.5, 9.2, 9.1], True),  # three falls of less than a tenth
        ([10, 8, 7.9, 7.8], False),  # only two of them
        ([10, 8, 7.9, 7.8, 7.7], True),
        ([10, 9.9, 8, 7.9, 7.8], False),  # a good epoch between starts the count anew
        ([10, 11, 12, 13], True),  # rising is not falling
        ([10], False),
    ],
)
def test_convergence_is_three_epochs_without_a_fall(errors: list[float], ends: bool) -> None:
    assert Convergence(tolerance=0.1, limit=99).done(errors) is ends


def test_a_fall_by_exactly_the_tolerance_counts() -> None:
    assert not Convergence(tolerance=0.5, limit=99).done([8.0, 4.0, 2.0, 1.0])


def test_convergence_never_exceeds_its_limit() -> None:
    assert Convergence(tolerance=0.0, limit=3).done([3.0, 2.0, 1.0])


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30), st.floats(0, 0.5), st.integers(1, 5))
def test_it_ends_exactly_when_the_last_falls_are_all_too_small(errors: list[float], tau: float, patience: int) -> None:
    small = [b > a * 1.0 - tau * a for a, b in itertools.pairwise(errors)]
    expected = len(small) >= patience and all(small[-patience:])
    assert Convergence(tau, limit=1000, patience=patience).done(errors) is expected


@pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf])
def test_impossible_tolerances_are_refused(tolerance: float) -> None:
    with pytest.raises(UsageError, match="positive fraction"):
        Convergence(tolerance, 5)


def test_no_epochs_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one epoch, not 0"):
        FixedEpochs(0)


def test_epochs_that_one_push_has_ended_are_one_observation() -> None:
    """Workers at their own pace: each of these pushes ends five epochs of 60 examples, which have its mean loss."""
    task = Task(Quadratic(), make_shard(0, 1), Convergence(0.1, limit=99))
    task.at_own_pace()
    clerk = Clerk(task, lambda conclude, _epochs, _save: conclude())
    seen = []
    for loss in (8.0, 4.0, 3.9, 3.8, 3.7):
        examples, losses = clerk.totals
        clerk.count(examples + 300, losses + 300 * loss)
        seen.append((len(task.errors), task.is_done))
    assert seen == [(5, False), (10, False), (15, False), (20, False), (21, True)]
    assert clerk.stop == FINISHED


def test_their_limit_is_one_of_epochs_all_the_same() -> None:
    task = Task(Quadratic(), make_shard(0, 1), FixedEpochs(7))
    task.at_own_pace()
    clerk = Clerk(task, lambda conclude, _epochs, _save: conclude())
    clerk.count(300, 300.0)
    assert not task.is_done
    clerk.count(600, 600.0)
    assert (len(task.errors), task.is_done) == (7, True)

"""Intervals against numbers from a table of Student's t."""

import math

import pytest

from anabranch.compare.statistics import Interval, interval, paired, paired_ratio


def test_a_mean_of_three() -> None:
    found = interval([1.0, 2.0, 3.0])
    assert found.mean == 2
    assert found.half == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)  # t of two degrees of freedom, 0.975
    assert found.low == pytest.approx(2 - 2.4841, rel=1e-3)
    assert not found.excludes_zero


def test_one_value_has_no_interval_and_tells_nothing() -> None:
    assert interval([5.0]) == Interval(5.0, None, None)
    assert not interval([5.0]).excludes_zero
    assert interval([5.0]).half is None
    with pytest.raises(ValueError, match="no values"):
        interval([])


def test_equal_values_are_certain() -> None:
    assert interval([2.0, 2.0]) == Interval(2.0, 2.0, 2.0)
    assert interval([2.0, 2.0]).excludes_zero
    assert not interval([0.0, 0.0]).excludes_zero


def test_a_coarse_measure_has_a_least_spread() -> None:
    assert interval([2.0, 2.0], grain=0.5).half == pytest.approx(12.706 * 0.5 / math.sqrt(2), rel=1e-4)
    assert interval([1.0, 3.0], grain=0.5) == interval([1.0, 3.0])  # which is less than they have


def test_pairs_see_what_seeds_hide() -> None:
    one, other = [1.0, 5.0, 9.0], [1.1, 5.2, 9.1]
    assert not interval([*one, *[-value for value in other]]).excludes_zero
    difference = paired(one, other)
    assert difference.mean == pytest.approx(-0.4 / 3)
    assert not difference.excludes_zero  # -0.133 and a half of 4.3027 * 0.0577 / sqrt(3) = 0.143
    assert paired(one, [1.11, 5.12, 9.11]).excludes_zero
    with pytest.raises(ValueError, match="zip"):
        paired([1.0], [1.0, 2.0])


def test_ratios_are_logarithms() -> None:
    assert paired_ratio([2.0, 8.0], [1.0, 4.0]).mean == pytest.approx(math.log(2))
    assert paired_ratio([2.0, 8.0], [1.0, 4.0]).excludes_zero


def test_units() -> None:
    assert Interval(1.0, 0.5, 1.5).times(100) == Interval(100.0, 50.0, 150.0)
    assert Interval(1.0, None, None).times(2) == Interval(2.0, None, None)

"""The walk over learning rates."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.compare.tuning import best_rate, next_rates


def walk(landscape: Callable[[float], float], budget: int, first: float = 0.1) -> dict[float, float]:
    tried: dict[float, float] = {}
    while rates := next_rates(tried, budget, first):
        assert not set(rates) & set(tried)
        tried |= {rate: landscape(rate) for rate in rates}
    return tried


def bowl(bottom: float) -> Callable[[float], float]:
    return lambda rate: abs(math.log(rate / bottom))


def test_three_rates_at_first_a_factor_of_root_ten_apart() -> None:
    assert next_rates({}, 5, 0.1) == [0.1, 0.0316, 0.316]
    assert next_rates({}, 2, 0.1) == [0.1, 0.0316]
    assert next_rates({}, 1, 0.25) == [0.25]


def test_beyond_the_best_while_it_is_the_outermost() -> None:
    assert next_rates({0.1: 3.0, 0.0316: 4.0, 0.316: 2.0}, 5, 0.1) == [0.999]
    assert next_rates({0.1: 3.0, 0.0316: 2.0, 0.316: math.inf}, 5, 0.1) == [0.00999]


def test_between_the_best_and_its_better_neighbour_then_the_other() -> None:
    tried = {0.1: 1.0, 0.0316: 3.0, 0.316: 2.0}
    assert next_rates(tried, 5, 0.1) == [0.178]
    assert next_rates(tried | {0.178: 5.0}, 5, 0.1) == [0.0562]


def test_of_equal_errors_the_lowest_rate() -> None:
    assert best_rate({0.3: 1.0, 0.1: 1.0, 0.03: 2.0}) == 0.1
    assert best_rate({0.3: math.inf, 0.1: math.inf}) == 0.1


def test_a_budget_of_seven_comes_near_the_bottom() -> None:
    tried = walk(bowl(0.02), 7)
    assert best_rate(tried) / 0.02 == pytest.approx(1, abs=0.35)


@given(st.floats(1e-4, 1e2), st.integers(1, 12), st.floats(1e-3, 10))
def test_the_budget_is_spent_and_never_exceeded(bottom: float, budget: int, first: float) -> None:
    tried = walk(bowl(bottom), budget, first)
    assert len(tried) == budget
    assert best_rate(tried) == min(tried, key=lambda rate: abs(math.log(rate / bottom)))

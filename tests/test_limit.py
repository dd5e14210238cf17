"""The matrix products of a step: their number, their sizes, and how they are timed."""

from collections.abc import Callable
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from anabranch import limit
from anabranch.limit import Products, back_propagation, contrastive_divergence, median_seconds, step, step_seconds
from anabranch.models import RBM
from anabranch.objectives import ContrastiveDivergence, Precision
from anabranch.types import Batch


@pytest.mark.parametrize(
    ("k", "persistent", "flop"),
    [
        (1, False, 5 * 2 * 784 * 500),  # up, down, up, and the statistics of two phases
        (3, False, 9 * 2 * 784 * 500),
        (1, True, 6 * 2 * 784 * 500),  # and the reconstruction
        (3, True, 10 * 2 * 784 * 500),
    ],
)
def test_contrastive_divergence_counts_its_products(k: int, persistent: bool, flop: int) -> None:
    assert contrastive_divergence(784, 500, k, persistent=persistent).flop == flop


@pytest.mark.parametrize("chains", [0, 4])
@pytest.mark.parametrize("k", [1, 2])
def test_as_many_products_are_made_as_are_counted(k: int, chains: int) -> None:
    objective = ContrastiveDivergence(RBM(7, 5), k=k, chains=chains)
    batch = Batch(torch.rand(4, 7))
    objective.gradient(batch)
    with patch("torch.mm", wraps=torch.mm) as product:
        objective.gradient(batch)
    made = [2 * call.args[0].shape[0] * call.args[0].shape[1] * call.args[1].shape[1] for call in product.mock_calls]
    assert sum(made) == 4 * contrastive_divergence(7, 5, k, persistent=chains > 0).flop


@pytest.mark.parametrize(
    ("sizes", "flop"),
    [
        ([784, 10], 2 * (2 * 784 * 10)),  # forward, and the gradient of the weights
        ([4, 3, 2], 2 * (2 * 4 * 3) + 3 * (2 * 3 * 2)),  # above the lowest layer, the gradient of the input, too
        ([5, 4, 3, 2], 2 * (2 * 5 * 4) + 3 * (2 * 4 * 3) + 3 * (2 * 3 * 2)),
    ],
)
def test_back_propagation_counts_its_products(sizes: list[int], flop: int) -> None:
    assert back_propagation(sizes).flop == flop


def test_back_propagation_goes_up_and_comes_back() -> None:
    calls = back_propagation([5, 4, 3]).calls
    assert calls == ((0, "up"), (1, "up"), (1, "across"), (1, "down"), (0, "across"))


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[int], list[int], list[int]]]:
    """Those of every matrix product from now on: left, right, result."""
    seen, mm = [], torch.mm

    def recording(left: Tensor, right: Tensor, *, out: Tensor) -> Tensor:
        assert left.dtype == right.dtype == out.dtype
        seen.append((list(left.shape), list(right.shape), list(out.shape)))
        return mm(left, right, out=out)

    monkeypatch.setattr(torch, "mm", recording)
    return seen


@pytest.mark.parametrize("precision", ["float32", "bf16-mixed", "float64"])
def test_a_step_computes_its_products_and_nothing_else(
    precision: Precision, shapes: list[tuple[list[int], list[int], list[int]]]
) -> None:
    step(contrastive_divergence(7, 5, 1), 3, precision)()
    up, down, across = ([3, 7], [7, 5], [3, 5]), ([3, 5], [5, 7], [3, 7]), ([5, 3], [3, 7], [5, 7])
    assert shapes == [up, down, up, across, across]


def test_every_product_has_the_flop_that_it_counts_for(
    shapes: list[tuple[list[int], list[int], list[int]]],
) -> None:
    products = back_propagation([6, 5, 4])
    step(products, 3, "float32")()
    assert sum(2 * left[0] * left[1] * right[1] for left, right, _ in shapes) == 3 * products.flop


class Clock:
    """Stands still but for what `passing` adds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def passing(self, *seconds: float) -> Callable[[], None]:
        """A run that takes these times, one after the other, and then the last of them."""
        left = list(seconds)

        def run() -> None:
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(limit, "perf_counter", found)
    return found


def test_the_first_round_warms_up_and_the_median_counts(clock: Clock) -> None:
    runs = [clock.passing(9.0, 0.1, 5.0, 0.2), clock.passing(7.0, 0.4)]
    assert median_seconds(runs, budget=0) == pytest.approx([0.2, 0.4])
    assert clock.now == pytest.approx(9.0 + 7.0 + 0.1 + 5.0 + 0.2 + 3 * 0.4)  # three rounds, however long they took


def test_timing_goes_on_until_its_time_is_over(clock: Clock) -> None:
    assert median_seconds([clock.passing(0.5, 0.01)], budget=1) == pytest.approx([0.01])
    assert clock.now == pytest.approx(0.5 + 1.0, abs=0.02)


def test_a_step_is_timed_as_a_whole(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Products, int, Precision]] = []

    def false_step(*arguments: tuple[Products, int, Precision]) -> Callable[[], None]:
        made.append(arguments)  # type: ignore[arg-type]
        return clock.passing(0.025)

    monkeypatch.setattr(limit, "step", false_step)
    products = contrastive_divergence(4, 3, 1)
    assert step_seconds(products, 10, "float32") == pytest.approx(0.025)
    assert made == [(products, 10, "float32")]

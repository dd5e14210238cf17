import math

import pytest
import torch

from anabranch.errors import UsageError
from anabranch.optim import FlatOptimizer, Rule, RuleName
from anabranch.optim.rule import Schedule


def trajectory(optimizer: FlatOptimizer, w: torch.Tensor, steps: int, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimizer.step(torch.randn(w.shape, generator=generator))


def test_sgd_with_momentum_by_hand() -> None:
    w = torch.zeros(1)
    optimizer = Rule("sgd", learning_rate=0.1, momentum=0.9).build(w)
    optimizer.step(torch.tensor([1.0]))
    assert float(w) == pytest.approx(-0.1)
    optimizer.step(torch.tensor([2.0]))  # velocity 0.9 · 1 + 2 = 2.9
    assert float(w) == pytest.approx(-0.39)


def test_sgd_that_looks_ahead_by_hand() -> None:
    w = torch.zeros(1)
    optimizer = Rule("sgd", learning_rate=0.1, momentum=0.5, nesterov=True).build(w)
    assert optimizer.momentum is None  # for a fused update would not look ahead
    optimizer.step(torch.tensor([1.0]))  # 0.1 · (1 + 0.5 · 1)
    assert float(w) == pytest.approx(-0.15)
    optimizer.step(torch.tensor([2.0]))  # velocity 0.5 · 1 + 2 = 2.5; 0.1 · (2 + 0.5 · 2.5)
    assert float(w) == pytest.approx(-0.475)


def test_looking_ahead_without_momentum_is_plain() -> None:
    w = torch.zeros(1)
    Rule("sgd", learning_rate=0.1, nesterov=True).build(w).step(torch.ones(1))
    assert float(w) == pytest.approx(-0.1)


def test_adagrad_by_hand() -> None:
    w = torch.zeros(1)
    optimizer = Rule("adagrad", learning_rate=0.5).build(w)
    optimizer.step(torch.tensor([3.0]))
    assert float(w) == pytest.approx(-0.5)
    optimizer.step(torch.tensor([4.0]))  # 0.5 · 4 / √(9 + 16)
    assert float(w) == pytest.approx(-0.9)


def test_momentum_rises_after_the_early_epochs() -> None:
    w = torch.zeros(1)
    rule = Rule("sgd", learning_rate=1.0, momentum=0.9, early_momentum=0.5, early_epochs=2)
    optimizer = rule.build(w)
    optimizer.step(torch.ones(1))
    optimizer.advance(1)
    optimizer.step(torch.ones(1))  # velocity 0.5 + 1
    assert float(w) == pytest.approx(-2.5)
    optimizer.advance(2)
    optimizer.step(torch.ones(1))  # velocity 0.9 · 1.5 + 1
    assert float(w) == pytest.approx(-2.5 - 2.35)


def test_schedules_fall_to_zero() -> None:
    for schedule, expected in (("constant", 1.0), ("linear", 0.6), ("cosine", (1 + math.cos(0.4 * math.pi)) / 2)):
        optimizer = Rule(learning_rate=1.0, schedule=schedule, epochs=10).build(torch.zeros(1))  # type: ignore[arg-type]
        assert optimizer.learning_rate == 1.0
        optimizer.advance(4)
        assert optimizer.learning_rate == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_schedule_that_has_fallen_stays_at_zero(schedule: Schedule) -> None:
    optimizer = Rule(learning_rate=1.0, schedule=schedule, epochs=2).build(torch.zeros(1))
    rates = []
    for epoch in range(6):
        optimizer.advance(epoch)
        rates.append(optimizer.learning_rate)
    assert rates == pytest.approx([1, 0.5, 0, 0, 0, 0])


def test_what_a_rule_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match=r"a cosine schedule falls to zero over some epochs: give Rule\(…, epochs=…\)"):
        Rule(schedule="cosine")
    with pytest.raises(UsageError, match="unknown update rule 'rmsprop'"):
        Rule("rmsprop")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown schedule 'cosin': did you mean 'cosine'"):
        Rule(schedule="cosin", epochs=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["sgd", "adagrad", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
def test_a_restored_optimizer_goes_on_bit_for_bit(name: RuleName, schedule: str) -> None:
    rule = Rule(name, 0.1, momentum=0.9, early_momentum=0.5, early_epochs=2, schedule=schedule, epochs=9)  # type: ignore[arg-type]
    w = torch.ones(5)
    optimizer = rule.build(w)
    trajectory(optimizer, w, 3)
    optimizer.advance(3)
    saved, state = w.clone(), {k: t.clone() for k, t in optimizer.state().items()}
    trajectory(optimizer, w, 3, seed=1)

    again = saved.clone()
    resumed = rule.build(again)
    resumed.restore(state)
    resumed.advance(3)
    trajectory(resumed, again, 3, seed=1)
    assert torch.equal(again, w)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(UsageError, match="positive number"):
        Rule(learning_rate=rate)


def test_impossible_momentum_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\[0, 1\)"):
        Rule(momentum=1.0)
    with pytest.raises(UsageError, match="cannot last -1 epochs"):
        Rule(early_epochs=-1)

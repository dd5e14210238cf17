"""`--dtype auto` decides by rates; only the rates themselves depend on the machine."""

import pytest

from anabranch import autodtype
from anabranch.autodtype import Rates, decided, measured_rates
from anabranch.config import TrainingOptions
from anabranch.objectives import Precision


@pytest.mark.parametrize(
    ("rates", "choice"),
    [
        (Rates(float32=95.0, bfloat16=203.0), "bf16-mixed"),
        (Rates(float32=100.0, bfloat16=130.0), "bf16-mixed"),
        (Rates(float32=100.0, bfloat16=129.0), "float32"),
        (Rates(float32=73.0, bfloat16=2.7), "float32"),
    ],
)
def test_bfloat16_must_be_worth_it(rates: Rates, choice: Precision) -> None:
    assert rates.choice == choice


def test_the_decision_is_said_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autodtype, "measured_rates", lambda: Rates(95.4, 202.8))
    said: list[str] = []
    assert decided("auto", said.append) == "bf16-mixed"
    assert said == ["dtype auto: bf16-mixed (matrix products: bfloat16 203, float32 95 GFLOP/s)"]
    assert len(said[0]) <= 80


@pytest.mark.parametrize("asked", ["float32", "bf16-mixed", "float64"])
def test_what_was_asked_for_is_not_measured(asked: Precision, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autodtype, "measured_rates", lambda: 1 / 0)
    said: list[str] = []
    assert decided(asked, said.append) == asked
    assert said == []


def test_rates_are_the_flop_over_the_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autodtype, "median_seconds", lambda runs, budget: [0.002, 0.001])
    rates = measured_rates()
    assert (rates.float32, rates.bfloat16) == pytest.approx((49.0, 98.0))  # 2 · 125 · 784 · 500 FLOP


def test_this_machine_has_rates() -> None:
    rates = measured_rates()
    assert min(rates.float32, rates.bfloat16) > 0
    assert rates.choice in ("float32", "bf16-mixed")


def test_options_have_a_precision_once_it_is_decided() -> None:
    assert TrainingOptions(dtype="float64").precision == "float64"
    with pytest.raises(ValueError, match="dtype is still auto"):
        _ = TrainingOptions(dtype="auto").precision

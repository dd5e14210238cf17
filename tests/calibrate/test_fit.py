"""Speeds are found again from the times that they give."""

import math

import numpy as np
import pytest

from anabranch.calibrate.fit import Row, fit, fit_speed, fit_terms
from anabranch.calibrate.grid import FULL
from anabranch.cluster import Speed, step_seconds

TRUE = Speed(
    flop_per_second=100e9,
    precision="float32",
    kind="contrastive",
    activities_per_second=5e8,
    parameters_per_second=2e9,
    updates_per_second=1e9,
    step_seconds=40e-6,
    update_seconds=50e-6,
)


def rows(factors: np.random.Generator | None = None, sigma: float = 0.0) -> list[Row]:
    """What the grid's contrastive steps take under TRUE, each disturbed by a log-normal factor."""
    found = []
    for case in FULL.cases("float32"):
        if case.shape.kind == "contrastive":
            load = case.shape.load
            seconds = step_seconds([TRUE], load, case.batch, "float32", fused=case.fused)
            noise = math.exp(sigma * factors.standard_normal()) if factors else 1.0
            found.append(Row(load, case.batch, "float32", case.fused, seconds * noise))
    return found


def figures(speed: Speed) -> list[float]:
    return [
        speed.flop_per_second,
        speed.activities_per_second,
        speed.parameters_per_second,
        speed.updates_per_second,
        speed.step_seconds,
        speed.update_seconds,
    ]


def test_exact_times_give_the_exact_speed() -> None:
    found = fit_speed(rows())
    assert (found.kind, found.precision) == ("contrastive", "float32")
    assert figures(found) == pytest.approx(figures(TRUE), rel=1e-6)


def test_noise_of_three_per_cent_moves_predictions_by_less() -> None:
    found = fit(rows(np.random.default_rng(1), sigma=0.03))
    exact = rows()
    predicted = [step_seconds(found.speeds, row.load, row.batch, "float32", fused=row.fused) for row in exact]
    assert predicted == pytest.approx([row.seconds for row in exact], rel=0.03)
    assert found.median_error < 0.03 < found.worst_error < 0.15


def test_a_few_disturbed_rows_do_not_count() -> None:
    disturbed = [
        Row(row.load, row.batch, row.precision, row.fused, row.seconds * (3 if number % 10 == 0 else 1))
        for number, row in enumerate(rows())
    ]
    assert figures(fit_speed(disturbed)) == pytest.approx(figures(TRUE), rel=0.02)


def test_what_costs_nothing_is_infinitely_fast() -> None:
    load = FULL.shapes[0].load
    constant = [Row(load, batch, "float32", fused, 1e-3) for batch in (1, 2, 4) for fused in (True, False)]
    found = fit_speed(constant)
    assert found.activities_per_second == found.flop_per_second == found.updates_per_second == math.inf
    assert found.step_seconds + load.parameters / found.parameters_per_second == pytest.approx(1e-3)


def test_each_kind_and_precision_has_a_speed_of_its_own() -> None:
    loads = [FULL.shapes[0].load, FULL.shapes[-1].load]
    every = [
        Row(load, batch, precision, True, 1e-3 * batch)
        for load in loads
        for precision in ("float32", "float64")
        for batch in (1, 2)
    ]
    found = fit(every)
    assert [(speed.kind, speed.precision) for speed in found.speeds] == [
        ("contrastive", "float32"),
        ("contrastive", "float64"),
        ("autograd", "float32"),
        ("autograd", "float64"),
    ]
    assert found.worst_error < 1e-6


def test_terms_by_hand() -> None:
    """2 + 3 n: two points determine it; a third that is twice as high moves neither."""
    assert fit_terms([(1, 1), (1, 2)], [5.0, 8.0]) == pytest.approx([2, 3])
    assert fit_terms([(1, 1), (1, 2), (1, 4), (1, 8), (1, 16)], [5, 8, 14, 26, 100]) == pytest.approx([2, 3], rel=0.02)

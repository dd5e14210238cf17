"""What a step takes a core, by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.cluster import Load, Nodes, Speed, slowdown, step_seconds
from anabranch.errors import UsageError

LOAD = Load("contrastive", parameters=1000, flop=600, activities=40)
SPEED = Speed(
    flop_per_second=300.0,
    activities_per_second=80.0,
    parameters_per_second=500.0,
    updates_per_second=250.0,
    step_seconds=3.0,
    update_seconds=0.5,
)


def test_a_step_by_hand() -> None:
    """3 s, 2 s for the parameters; 2 s and 0.5 s for each example; half a second and 4 s for an update of its own."""
    assert step_seconds([SPEED], LOAD, 10, "float32", fused=True) == 3 + 2 + 10 * 2.5
    assert step_seconds([SPEED], LOAD, 10, "float32", fused=False) == 3 + 2 + 10 * 2.5 + 4.5


def test_what_is_infinitely_fast_costs_nothing() -> None:
    assert step_seconds([Speed(300.0)], LOAD, 4, "float32", fused=False) == 4 * 2


def test_the_first_entry_that_fits_is_taken() -> None:
    speeds = [
        Speed(1.0, precision="bf16-mixed"),
        Speed(2.0, kind="backprop"),
        Speed(3.0, precision="float32", kind="contrastive"),
        Speed(4.0),
    ]
    found = {
        (precision, kind): 600 / step_seconds(speeds, Load(kind, 1, 600, 1), 1, precision, fused=True)
        for precision in ("bf16-mixed", "float32", "float64")
        for kind in ("contrastive", "backprop")
    }
    assert found == pytest.approx(
        {
            ("bf16-mixed", "contrastive"): 1,
            ("bf16-mixed", "backprop"): 1,
            ("float32", "contrastive"): 3,
            ("float32", "backprop"): 2,
            ("float64", "contrastive"): 4,
            ("float64", "backprop"): 2,
        }
    )


def test_no_entry_fits() -> None:
    with pytest.raises(UsageError, match="float64"):
        step_seconds([Speed(1.0, precision="float32")], LOAD, 1, "float64", fused=True)


@given(st.integers(1, 500), st.integers(1, 500))
def test_samples_a_second_rise_with_the_batch(small: int, more: int) -> None:
    rates = [b / step_seconds([SPEED], LOAD, b, "float32", fused=True) for b in (small, small + more)]
    assert rates[0] < rates[1] < 1 / 2.5


def test_the_slowdown_is_interpolated() -> None:
    nodes = Nodes(1, 8, (2, 6), (1.2, 2.0))
    assert [slowdown(nodes, n) for n in (1, 2, 4, 6)] == pytest.approx([1, 1.2, 1.6, 2.0])
    assert [slowdown(nodes, n) for n in (7, 8)] == [2.0, 2.0]  # there are cores for them
    assert [slowdown(nodes, n) for n in (12, 16)] == [3.0, 4.0]  # these share


def test_without_measurements_only_shared_cores_slow_down() -> None:
    assert [slowdown(Nodes(1, 4), n) for n in (1, 4, 6, 8)] == [1, 1, 1.5, 2]


@given(st.integers(1, 64), st.integers(1, 200))
def test_more_processes_never_make_each_faster(cores: int, processes: int) -> None:
    nodes = Nodes(1, cores, (4, 32), (1.1, 3.0))
    assert slowdown(nodes, processes) <= slowdown(nodes, processes + 1)
    assert math.isfinite(slowdown(nodes, processes))

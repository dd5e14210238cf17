"""The grid holds what it says, and not what the benchmark of predictions trains."""

import pytest

from anabranch.calibrate.grid import FULL, GRADIENTS, LONGEST, QUICK, Grid, Shape


def test_the_load_of_an_rbm_by_hand() -> None:
    load = Shape("contrastive", (4, 3)).load
    assert load.parameters == 4 * 3 + 4 + 3
    assert load.flop == 5 * 2 * 4 * 3  # up, down, up, across, across
    assert load.activities == 3 + 4 + 3


def test_the_load_of_a_network_by_hand() -> None:
    load = Shape("backprop", (4, 3, 2)).load
    assert load.parameters == 4 * 3 + 3 + 3 * 2 + 2
    assert load.flop == 2 * (4 * 3 + 3 * 2) + 2 * (4 * 3 + 2 * 3 * 2)  # up twice; across twice, down once
    assert load.activities == 3 + 2 + 3


def test_all_combinations_but_the_longest() -> None:
    small, large = Shape("contrastive", (10, 10)), Shape("contrastive", (2000, 2000))
    cases = Grid((small, large), (1, 100), rounds=1, seconds=1.0).cases("float32")
    assert 100 * large.products.flop > LONGEST
    assert [(case.shape, case.batch, case.fused) for case in cases] == [
        (small, 1, True),
        (small, 1, False),
        (small, 100, True),
        (small, 100, False),
        (large, 1, True),
        (large, 1, False),
    ]
    assert {case.precision for case in cases} == {"float32"}


@pytest.mark.parametrize("grid", [FULL, QUICK])
def test_every_kind_has_more_rows_than_a_speed_has_figures(grid: Grid) -> None:
    kinds = [case.shape.kind for case in grid.cases("float32")]
    assert set(kinds) == {"contrastive", "backprop", "autograd"}
    assert min(kinds.count(kind) for kind in set(kinds)) > 5


def test_what_is_predicted_was_not_calibrated() -> None:
    layers = {(784, 128), (128, 64), (784, 500), (500, 250), (784, 1000), (1000, 500)}
    assert not layers & {shape.sizes for shape in FULL.shapes}
    assert not {50, 200} & set(FULL.batches)


def test_gradients_span_the_sizes_that_they_promise() -> None:
    sizes = [4 * shape.load.parameters for shape in GRADIENTS]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (4 * (64 * 32 + 64 + 32), 4 * (2000 * 2000 + 4000))

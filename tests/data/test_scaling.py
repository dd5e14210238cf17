from typing import cast

import pytest
import torch
from torch import Tensor

from anabranch.data.examples import Examples
from anabranch.data.scaling import Scale, fit
from anabranch.errors import UsageError

BYTES = torch.tensor([[0, 51], [255, 102]], dtype=torch.uint8)


def values(rule: Scale, train: Tensor, test: Tensor | None = None, *, mapped: bool = False) -> Tensor:
    scaling = fit(rule, Examples(train, mapped=mapped))
    part = Examples(train if test is None else test, mapped=mapped)
    return torch.cat([batch.x for batch in scaling.apply(part).chunks()])


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    ("rule", "train", "expected"),
    [
        ("auto", BYTES, [[0, 0.2], [1, 0.4]]),
        ("auto", torch.tensor([[0, 8], [16, 4]]), [[0, 0.5], [1, 0.25]]),
        ("auto", torch.zeros(2, 2, dtype=torch.int16), [[0, 0], [0, 0]]),
        ("auto", torch.tensor([[-3.0, 8]]), [[-3, 8]]),
        ("auto", torch.tensor([[True, False]]), [[1, 0]]),
        ("none", BYTES, [[0, 51], [255, 102]]),
        ("minmax", torch.tensor([[-1.0, 0], [3, 1]]), [[0, 0.25], [1, 0.5]]),
        ("minmax", torch.full((2, 2), 7.0), [[0, 0], [0, 0]]),
        ("standard", torch.tensor([[1.0, 5], [3, 5]]), [[-1, 0], [1, 0]]),
        ("standard", BYTES[:, :1], [[-1], [1]]),
    ],
)
def test_rules_by_hand(rule: Scale, train: Tensor, expected: list[list[float]], mapped: bool) -> None:
    found = values(rule, train, mapped=mapped)
    assert found.dtype == torch.float32
    assert torch.allclose(found, torch.tensor(expected, dtype=torch.float32), atol=1e-6)


def test_fitted_to_the_training_part_alone() -> None:
    train, test = torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [-1.0]])
    assert values("minmax", train, test).tolist() == [[1.5], [-0.5]]
    assert values("auto", train.short(), test.short()).tolist() == [[1.5], [-0.5]]


def test_all_bytes_stay_in_the_unit_interval() -> None:
    everything = torch.arange(256, dtype=torch.uint8).view(-1, 1)
    for mapped in (False, True):
        found = values("auto", everything, mapped=mapped)
        assert found.min() == 0
        assert found.max() == 1


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_standard_over_many_chunks(offset: float) -> None:
    x = torch.randn(9000, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 + offset
    x[:, 2] = offset + 0.1  # constant, and no binary fraction
    found = values("standard", x).double()
    assert torch.allclose(found.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(found.var(0, correction=0), torch.tensor([1.0, 1, 0], dtype=torch.float64), atol=1e-5)
    assert bool((found[:, 2] == 0).all())


def test_negative_integers_need_a_choice() -> None:
    with pytest.raises(UsageError, match="integer features run from -3 to 7, and --scale auto takes no negative"):
        fit("auto", Examples(torch.tensor([[-3, 7]])))


def test_unknown_rule() -> None:
    with pytest.raises(UsageError, match=r"unknown scale 'min-max': did you mean 'minmax'\?"):
        fit(cast(Scale, "min-max"), Examples(BYTES))

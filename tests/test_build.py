"""A model's outline: its shapes without its memory, as far as the model is one of ours."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from anabranch.build import build_model, outlined
from anabranch.config import ModelOptions
from anabranch.data import Dataset, Examples
from anabranch.models import flat_parameters


def dataset(width: int) -> Dataset:
    part = Examples(torch.rand(12, width), torch.arange(12) % 3)
    return Dataset("random", part, part, classes=3)


@pytest.mark.parametrize("model", ["dbn:6-5-4", "mlp:6-5-3"])
def test_an_outline_has_the_shapes_of_the_model(model: str) -> None:
    outline, whole = (
        outlined(build_model, ModelOptions(model), dataset(6)),
        build_model(ModelOptions(model), dataset(6), 0, torch.float32),
    )
    assert type(outline) is type(whole)
    for (name, mine), (other, theirs) in zip(outline.named_parameters(), whole.named_parameters(), strict=True):
        assert (name, mine.shape, mine.dtype) == (other, theirs.shape, theirs.dtype)
        assert mine.is_meta
        assert not theirs.is_meta


def test_an_outline_takes_no_memory() -> None:
    outline = outlined(build_model, ModelOptions("dbn:6-1000000-1000000"), dataset(6))
    assert sum(p.numel() for p in outline.parameters()) > 10**12


def test_what_a_user_builds_is_built() -> None:
    """It may compute with its weights."""

    def build(_options: ModelOptions, _dataset: Dataset, _seed: int, dtype: torch.dtype) -> nn.Module:
        return nn.Linear(6, 3, dtype=dtype)

    outline = outlined(build, ModelOptions("mine:network"), dataset(6), dtype=torch.float64)
    assert outline(torch.ones(2, 6, dtype=torch.float64)).isfinite().all()


def test_an_outline_does_not_wait_for_the_compiler_of_torch() -> None:
    code = (
        "import sys, torch; from anabranch.models import DBN\n"
        "with torch.device('meta'): DBN([6, 5, 4]).classifier(3)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_flat_parameters_of_an_outline_are_its_own() -> None:
    with torch.device("meta"):
        network = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    flat = flat_parameters(network)
    assert (flat.shape, flat.is_meta) == ((4 * 3 + 3 + 3 * 2 + 2,), True)
    assert flat_parameters(network).shape == flat.shape

"""Which examples are measured, and that other data are scaled as the run's own were."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anabranch.config import Config, updated
from anabranch.data import Examples, Scale, load, sketch
from anabranch.errors import UsageError
from anabranch.selection import Part, Selection, other_part, own_part

X = np.arange(40, dtype=np.float32).reshape(20, 2)
Y = np.arange(20) % 2


def written(folder: Path, name: str, x: Any = X, **more: Any) -> str:
    np.savez(folder / name, x=x, y=Y[: len(x)], **more)
    return str(folder / name)


def config(data: str, scale: Scale = "auto", validation: float = 0.0) -> Config:
    options = {"data": data, "scale": scale, "validation_fraction": validation}
    return updated(Config(), {"data": options, "training": {"seed": 3}}, "test")


def values(selection: Selection) -> torch.Tensor:
    return selection.examples.take(torch.arange(len(selection.examples))).x


def test_the_runs_own_parts_are_those_that_training_had(tmp_path: Path) -> None:
    run = config(written(tmp_path, "a.npz"), "standard")
    dataset = load(run.data.data, seed=3, scale="standard")
    parts: dict[Part, Examples] = {"test": dataset.test, "train": dataset.train}
    for part, examples in parts.items():
        found = own_part(run, part)
        assert torch.equal(values(found), examples.take(torch.arange(len(examples))).x)
        assert found.name.endswith(f"a.npz, {part} part")
        assert found.classes == 2
    assert torch.equal(values(own_part(run)), values(own_part(run, "test")))


def test_a_run_with_a_validation_part_is_measured_on_that(tmp_path: Path) -> None:
    run = config(written(tmp_path, "a.npz"), validation=0.25)
    dataset = load(run.data.data, seed=3, validation_fraction=0.25)
    assert torch.equal(values(own_part(run)), dataset.test.features)
    assert "validation part" in own_part(run).name
    assert len(own_part(run, "test").examples) == 4
    assert len(own_part(run, "train").examples) == 12


def test_other_data_are_taken_whole_unless_a_part_is_wanted(tmp_path: Path) -> None:
    run, other = config(written(tmp_path, "a.npz")), written(tmp_path, "b.npz")
    everything = other_part(run, other)
    assert everything.name.endswith("b.npz, all examples")
    assert torch.equal(values(everything), torch.from_numpy(X))
    held_out = other_part(run, other, test_fraction=0.2)
    assert torch.equal(values(held_out), values(own_part(run, "test")))  # the same data, seed and fraction
    with_test = written(tmp_path, "c.npz", x_test=X[:5], y_test=Y[:5])
    assert len(other_part(run, with_test).examples) == 5
    assert len(other_part(run, with_test, "train").examples) == 20
    missing: tuple[Part, ...] = ("train", "test", "validation")
    for part in missing:
        with pytest.raises(UsageError, match=f"has no {part} part: leave --part out"):
            other_part(run, other, part)
    with pytest.raises(UsageError, match="has no validation part: leave --part out"):
        own_part(run, "validation")


@pytest.mark.parametrize("scale", ["minmax", "standard"])
def test_other_data_are_scaled_as_the_runs_own(scale: Scale, tmp_path: Path) -> None:
    run = config(written(tmp_path, "a.npz", x_test=X, y_test=Y), scale)
    other = written(tmp_path, "b.npz", X[:4] + 100)
    own = values(own_part(run, "train"))
    slope = (own[1] - own[0]) / torch.from_numpy(X[1] - X[0])
    assert torch.allclose(values(other_part(run, other)), own[:4] + 100 * slope, atol=1e-5)
    assert float(values(other_part(run, other, scale="minmax")).min()) == 0


def test_whole_numbers_take_the_runs_largest_and_floats_stay(tmp_path: Path) -> None:
    run = config(written(tmp_path, "a.npz", X.astype(np.int16), x_test=X.astype(np.int16), y_test=Y))
    bytes_ = written(tmp_path, "b.npz", X[:3].astype(np.uint8))
    assert torch.allclose(values(other_part(run, bytes_)), torch.from_numpy(X[:3] / 39))
    floats = written(tmp_path, "c.npz", X[:3] / 39)
    assert torch.equal(values(other_part(run, floats)), torch.from_numpy(X[:3] / 39))
    learnt_from_floats = config(floats)
    assert torch.allclose(values(other_part(learnt_from_floats, bytes_)), torch.from_numpy(X[:3] / 255))


def test_data_that_do_not_fit(tmp_path: Path) -> None:
    run = config(written(tmp_path, "a.npz"), "standard")
    narrow = written(tmp_path, "b.npz", X[:, :1])
    with pytest.raises(UsageError, match=r"the model has 2 inputs, but .*b\.npz has 1 features: give it data like"):
        other_part(run, narrow, width=2)
    with pytest.raises(UsageError, match=r"has 2 features, but .*b\.npz has 1: give data of the same width"):
        other_part(run, narrow)  # a module does not tell its inputs
    Path(run.data.data).unlink()
    with pytest.raises(UsageError, match=r"which cannot be done \(there is no data at .*\): choose a rule .* --scale"):
        other_part(run, narrow)
    assert len(other_part(run, narrow, scale="none").examples) == 20


def test_data_that_were_changed_since_are_not_taken_for_the_runs_own(tmp_path: Path) -> None:
    """A row more, and the split is another: what the run has learnt from would be in its test part."""
    run = config(written(tmp_path, "a.npz"), "minmax", validation=0.25)
    dataset = load(run.data.data, seed=3, scale="minmax", validation_fraction=0.25)
    noted = sketch(dataset.train, dataset.test, dataset.classes)
    bytes_ = written(tmp_path, "bytes.npz", X[:3].astype(np.uint8))
    assert len(own_part(run, "train", noted=noted).examples) == 12
    assert len(other_part(run, bytes_, noted=noted).examples) == 3
    np.savez(tmp_path / "a.npz", x=np.vstack([X, X[:1]]), y=np.append(Y, 0))
    with pytest.raises(UsageError, match=r"a\.npz is no longer what the run has learnt from \(13 examples in place of"):
        own_part(run, "train", noted=noted)
    with pytest.raises(UsageError, match=r"no longer what the run has learnt from.*choose a rule for it with --scale"):
        other_part(run, bytes_, noted=noted)
    assert len(other_part(run, str(tmp_path / "a.npz"), scale="none", noted=noted).examples) == 21

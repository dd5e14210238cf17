import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import scipy.io
import torch
from data_helpers import write_idx_folder
from sklearn.datasets import load_digits

from anabranch.data import SOURCES, check_unit_interval, load
from anabranch.data.sources import load_unscaled
from anabranch.errors import DataError, UsageError

HOME = os.environ.get("ANABRANCH_DATA")
needs_real_data = pytest.mark.skipif(not HOME, reason="ANABRANCH_DATA is not set: no folder with the real data")


def save(path: Path, n: int = 10) -> str:
    np.savez(path, x=np.arange(2.0 * n).reshape(n, 2), y=np.arange(n) % 2)
    return str(path)


@pytest.mark.parametrize("found", [True, False])
def test_digits_are_scikit_learns(found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever its file lies."""
    if not found:
        monkeypatch.setattr("importlib.util.find_spec", Mock(return_value=None))
    parts, theirs = SOURCES["digits"](), load_digits()
    assert parts.train.features.tolist() == theirs.data.tolist()
    assert parts.train.labels is not None
    assert parts.train.labels.tolist() == theirs.target.tolist()
    assert parts.image_shape == (8, 8)


def test_digits_do_not_wait_for_scikit_learn() -> None:
    code = "import sys; from anabranch.data import load; load('digits'); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_digits() -> None:
    dataset = load("digits")
    assert (len(dataset.train), len(dataset.test), dataset.classes) == (1438, 359, 10)
    assert dataset.image_shape == (8, 8)
    assert dataset.train.features.max() == 1
    unscaled = torch.cat([part.features for part in (dataset.train, dataset.test)]) * 16
    assert sorted(unscaled.tolist()) == sorted(load_digits().data.tolist())
    check_unit_interval(dataset.train, "digits")


def test_the_split_depends_on_the_seed_alone(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", 50)
    one, again, other = load(path, seed=1), load(path, seed=1), load(path, seed=2)
    assert torch.equal(one.test.features, again.test.features)
    assert not torch.equal(one.test.features, other.test.features)
    both = torch.cat([one.train.features, one.test.features])
    assert both.sort(0).values.tolist() == np.arange(100.0).reshape(50, 2).tolist()


@pytest.mark.parametrize(("n", "fraction", "held_out"), [(10, 0.2, 2), (2, 0.001, 1), (2, 0.999, 1), (7, 0.5, 4)])
def test_both_parts_have_examples(tmp_path: Path, n: int, fraction: float, held_out: int) -> None:
    dataset = load(save(tmp_path / "a.npz", n), test_fraction=fraction)
    assert len(dataset.test) == held_out
    assert len(dataset.train) == n - held_out


def test_the_validation_part_is_of_the_training_part(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", 50)
    whole, held = load(path, seed=1), load(path, seed=1, validation_fraction=0.25)
    assert (len(held.train), len(held.test)) == (30, 10)
    both = torch.cat([held.train.features, held.test.features])
    assert both.sort(0).values.tolist() == whole.train.features.sort(0).values.tolist()
    again, other = (load(path, seed=seed, validation_fraction=0.25) for seed in (1, 2))
    assert torch.equal(held.test.features, again.test.features)
    assert not torch.equal(held.test.features, other.test.features)


def test_a_source_with_a_test_part_has_a_validation_part_too(tmp_path: Path) -> None:
    whole = load(str(write_idx_folder(tmp_path)))
    held = load(str(tmp_path), validation_fraction=0.2)
    assert (len(held.train), len(held.test)) == (24, 6)
    rows = [row.tolist() for row in held.test.features]
    assert all(row in whole.train.features.tolist() for row in rows)


def test_classes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz")
    assert load(path).classes == 2
    assert load(path, classes=5).classes == 5


@pytest.mark.parametrize(
    ("highest", "n", "believed"), [(999, 10, True), (1000, 10, False), (2_000_000_000, 10, False), (2025, 2026, True)]
)
def test_labels_that_are_years_or_keys_are_no_classes(tmp_path: Path, highest: int, n: int, believed: bool) -> None:
    y = np.full(n, 7)
    y[n // 2] = highest
    np.savez(tmp_path / "a.npz", x=np.zeros((n, 2)), y=y)
    path = str(tmp_path / "a.npz")
    if believed:
        assert load(path).classes == highest + 1
    else:
        said = f"up to {highest:,}, but only 10 examples: number the classes from 0, or say how many .*: --classes"
        with pytest.raises(DataError, match=said):
            load(path)
    assert load(path, classes=highest + 1).classes == highest + 1
    assert load(path, regression=True).classes == highest + 1
    assert load_unscaled(path).classes == highest + 1  # of a few examples of many classes, to be judged


@pytest.mark.parametrize(
    ("y", "kept", "classes"),
    [
        (np.array([3, 0, 2, 1]), [3, 0, 2, 1], 4),  # could number classes
        (np.array([3, 0, -2, 1]), [3.0, 0.0, -2.0, 1.0], 0),
        (np.array([[3, 0], [0, 1], [2, 2], [1, 0]]), [[3.0, 0.0], [0.0, 1.0], [2.0, 2.0], [1.0, 0.0]], 0),
        (np.array([3.0, 0.0, 2.0, 1.0]), [3.0, 0.0, 2.0, 1.0], 0),
        (np.array([[0.5], [0.0], [2.0], [1.0]]), [[0.5], [0.0], [2.0], [1.0]], 0),
    ],
)
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_targets_of_a_regression(tmp_path: Path, kind: str, y: Any, kept: list[Any], classes: int) -> None:
    x = np.arange(8.0).reshape(4, 2)
    if kind == "npz":
        np.savez(tmp_path / "a.npz", x=x, y=y, x_test=x, y_test=y)
    else:
        np.save(tmp_path / "a.npy", x)
        np.save(tmp_path / "a.labels.npy", y)
    dataset = load(str(tmp_path / f"a.{kind}"), regression=True)
    assert dataset.classes == classes
    labels = dataset.train.labels
    assert labels is not None
    assert labels.is_floating_point() == (classes == 0)
    found = labels.tolist()
    assert found == kept if kind == "npz" else all(row in kept for row in found)


def test_test_targets_are_of_the_kind_of_the_others(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.eye(3), y=[1, 2, 0], x_test=np.eye(3), y_test=[0.5, 1, 2])
    dataset = load(str(tmp_path / "a.npz"), regression=True)
    assert dataset.train.labels is not None
    assert dataset.train.labels.is_floating_point()


def test_folder_of_idx_files(tmp_path: Path) -> None:
    dataset = load(str(write_idx_folder(tmp_path)))
    assert (len(dataset.train), len(dataset.test), dataset.image_shape) == (30, 10, (4, 4))
    assert next(dataset.train.chunks()).x.max() <= 1
    raw = load(str(tmp_path), scale="none")
    assert torch.allclose(next(raw.train.chunks()).x / 255, next(dataset.train.chunks()).x)


@pytest.mark.parametrize("folder", ["", "mnist"])
def test_mnist_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    write_idx_folder(tmp_path / folder)
    monkeypatch.setenv("ANABRANCH_DATA", str(tmp_path))
    assert len(load("mnist").train) == 30


@pytest.mark.parametrize("name", ["ex4data1.mat", "coursera_digits/ex4data1_u8.mat"])
def test_coursera_digits_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    scipy.io.savemat(tmp_path / name, {"X": np.zeros((20, 400)), "y": np.arange(20) % 10 + 1})
    monkeypatch.setenv("ANABRANCH_DATA", str(tmp_path))
    dataset = load("coursera-digits")
    assert (len(dataset.train), dataset.classes, dataset.image_shape) == (16, 10, (20, 20))


@pytest.mark.parametrize("is_set", [True, False])
def test_coursera_digits_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_set: bool) -> None:
    monkeypatch.setenv("ANABRANCH_DATA", str(tmp_path) if is_set else "")
    where = f"there is no ex4data1.mat in {tmp_path}" if is_set else "ANABRANCH_DATA is not set"
    with pytest.raises(UsageError, match=re.escape(f"no licensed mirror, and {where}: set ANABRANCH_DATA to a folder")):
        load("coursera-digits")


@pytest.mark.parametrize("name", ["mnist", "coursera-digits"])
def test_data_folder_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setenv("ANABRANCH_DATA", str(gone))
    with pytest.raises(UsageError, match=re.escape(f"ANABRANCH_DATA is set to {gone}, which is no folder: create it")):
        load(name)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mnits", "unknown data set 'mnits': did you mean 'mnist'?"),
        ("digit", "unknown data set 'digit': did you mean 'digits'?"),
        ("zzzz", "unknown data set 'zzzz': choose one of: coursera-digits, digits, mnist."),
        ("", "unknown data set '': choose one of: coursera-digits, digits, mnist."),
        ("gone.npz", "there is no data at gone.npz: give the path of an existing file or folder."),
        ("./gone", "there is no data at gone: give the path of an existing file or folder."),
        ("a.csv", "a.csv has no known file type: use .npz, .npy, .mat, or a folder with the four IDX files of MNIST."),
        ("folder", "the folder folder has no train-images-idx3-ubyte, "),
    ],
)
def test_unknown_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sentence: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").touch()
    Path("folder").mkdir()
    with pytest.raises(UsageError, match=f"^{re.escape(sentence)}"):
        load(name)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"test_fraction": 0.0}, "the test fraction is 0.0: it must be above 0 and below 1."),
        ({"test_fraction": 1.0}, "the test fraction is 1.0: it must be above 0 and below 1."),
        ({"test_fraction": float("nan")}, "the test fraction is nan: it must be above 0 and below 1."),
        ({"validation_fraction": 1.5}, "the validation fraction is 1.5: it must be above 0 and below 1."),
        ({"scale": "standart"}, "unknown scale 'standart': did you mean 'standard'?"),
        ({"classes": 0}, "the number of classes is 0: it must be 1 or more."),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(sentence)}$"):
        load(save(tmp_path / "a.npz"), **options)


def test_classes_without_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 2)))
    assert load(str(tmp_path / "a.npy")).classes == 0
    with pytest.raises(UsageError, match=r"3 classes were asked for, but .* has no labels: leave classes out"):
        load(str(tmp_path / "a.npy"), classes=3)


def test_the_catalogue_is_complete() -> None:
    assert sorted(SOURCES) == ["coursera-digits", "digits", "mnist"]


@needs_real_data
def test_real_mnist() -> None:
    dataset = load("mnist")
    assert (len(dataset.train), len(dataset.test), dataset.classes) == (60_000, 10_000, 10)
    assert dataset.image_shape == (28, 28)
    assert dataset.train.labels is not None
    assert dataset.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    mean = sum(float(batch.x.sum()) for batch in dataset.train.chunks()) / dataset.train.features.numel()
    assert mean == pytest.approx(0.1307, abs=1e-4)  # the mean that every MNIST recipe subtracts


@needs_real_data
def test_real_coursera_digits() -> None:
    dataset = load("coursera-digits")
    assert (len(dataset.train), len(dataset.test), dataset.classes) == (4000, 1000, 10)
    labels = torch.cat([part.labels for part in (dataset.train, dataset.test) if part.labels is not None])
    assert labels.bincount().tolist() == [500] * 10
    # A written one is taller than wide: only upright images of it have more ink in the middle columns than rows.
    ones = dataset.train.features[dataset.train.labels == 1].mean(0).view(20, 20)
    assert ones[:, 8:12].sum() > 1.5 * ones[8:12].sum()

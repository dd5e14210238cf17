import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anabranch.data import load
from anabranch.data.arrays import load_npy, load_npz
from anabranch.errors import DataError

X = np.arange(12, dtype=np.float64).reshape(4, 3)
Y = np.array([0, 1, 2, 1])


@pytest.mark.parametrize("names", [("x", "y", "x_test", "y_test"), ("X_train", "Y_train", "X_test", "Y_test")])
def test_npz_with_a_test_part(tmp_path: Path, names: tuple[str, ...]) -> None:
    arrays: dict[str, Any] = dict(zip(names, (X, Y, X[:2], Y[:2]), strict=True))
    np.savez(tmp_path / "a.npz", **arrays)
    parts = load_npz(tmp_path / "a.npz")
    assert parts.test is not None
    assert parts.train.features.tolist() == X.tolist()
    assert parts.test.features.tolist() == X[:2].tolist()
    assert parts.train.labels is not None
    assert parts.train.labels.tolist() == Y.tolist()


@pytest.mark.parametrize("names", [("X", "Y"), ("x", "y"), ("X", "y")])
def test_npz_without_a_test_part(tmp_path: Path, names: tuple[str, str]) -> None:
    arrays: dict[str, Any] = {names[0]: X, names[1]: Y[:, None]}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    parts = load_npz(tmp_path / "a.npz")
    assert parts.test is None
    assert parts.train.labels is not None
    assert parts.train.labels.tolist() == Y.tolist()


@pytest.mark.parametrize("dtype", ["bool", "u1", "i1", "<u2", ">i2", "u4", "u8", "f2", ">f4", "f8", "longdouble"])
def test_every_real_type(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "a.npy", X.astype(dtype))
    features = load_npy(tmp_path / "a.npy").train.features
    assert features.double().tolist() == X.astype(dtype).astype(float).tolist()
    assert features.index_select(0, torch.tensor([3])).shape == (1, 3)


@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 1, 2, 3)])
def test_images_are_flattened(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.arange(24).reshape(shape))
    parts = load_npy(tmp_path / "a.npy")
    assert parts.image_shape == (2, 3)
    assert parts.train.features.tolist() == np.arange(24).reshape(4, 6).tolist()


def test_npy_with_labels_beside_it(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", X)
    assert load_npy(tmp_path / "data.npy").train.labels is None
    np.save(tmp_path / "data.labels.npy", Y)
    labels = load_npy(tmp_path / "data.npy").train.labels
    assert labels is not None
    assert labels.tolist() == Y.tolist()


@pytest.mark.parametrize("order", ["C", "F"])
def test_large_npy_is_mapped_and_writes_do_not_reach_it(tmp_path: Path, order: Any) -> None:
    np.save(tmp_path / "a.npy", np.asarray(X, order=order))
    train = load_npy(tmp_path / "a.npy", map_above_bytes=100).train
    assert train.mapped
    assert train.take(torch.tensor([3, 1])).x.tolist() == X[[3, 1]].tolist()
    train.features.zero_()
    assert np.array_equal(np.load(tmp_path / "a.npy"), X)
    assert not load_npy(tmp_path / "a.npy", map_above_bytes=10_000).train.mapped


@pytest.mark.parametrize("validation", [0.0, 0.3])
def test_mapped_and_read_data_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validation: float) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.random.default_rng(0).normal(3, 2, (50, 4)))
    np.save(tmp_path / "a.labels.npy", np.arange(50) % 3)
    read = load(str(path), scale="standard", seed=3, validation_fraction=validation)
    monkeypatch.setattr("anabranch.data.sources.FORMATS", {".npy": partial(load_npy, map_above_bytes=100)})
    mapped = load(str(path), scale="standard", seed=3, validation_fraction=validation)
    assert mapped.train.mapped
    for one, other in ((read.train, mapped.train), (read.test, mapped.test)):
        index = torch.randperm(len(one), generator=torch.Generator().manual_seed(0))
        assert torch.allclose(one.take(index).x, other.take(index).x, atol=1e-5)
        assert one.labels is not None
        assert other.labels is not None
        assert torch.equal(one.labels, other.labels)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"images": X}, "{path} holds no features 'x' (found: images): name that array 'x'."),
        ({}, "{path} holds no features 'x' (found: nothing): name that array 'x'."),
        ({"x": X, "X": X}, "{path} holds both 'x' and 'X': keep only one of them."),
        (
            {"x": X[0]},
            "the feature array of {path} has shape [3]: features must be [n, features] or [n, height, width]",
        ),
        ({"x": X, "y": np.eye(4)}, "the label array of {path} has shape [4, 4]: labels must be [n], one whole number"),
        ({"x": X.astype(complex)}, "the feature array of {path} holds values of type complex128: it must hold real"),
        ({"x": X.astype(str)}, "the feature array of {path} holds values of type <U32: it must hold real numbers."),
        ({"x": X, "y": Y.astype(str)}, "the label array of {path} holds values of type <U21: it must hold real"),
        (
            {"x": X, "y": Y + 0.5},
            "row 0 of the label array of {path} has the label 0.5: labels must be whole numbers.",
        ),
        (
            {"x": X, "y": np.array([0, 1, np.nan, 2])},
            "row 2 of the label array of {path} has the label nan: labels must be whole numbers.",
        ),
        ({"x": X, "y_test": Y}, "{path} has test labels but no test features: add x_test or remove y_test."),
        ({"x": X.astype(object)}, "{path} is no NumPy file of numbers (it is damaged, or holds Python objects)"),
        ({"x": np.array([[2**63]], np.uint64)}, "holds the value 9223372036854775808: integers must be below 2^63."),
    ],
)
def test_npz_that_means_nothing(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=re.escape(sentence.format(path=path))):
        load_npz(path)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": X, "y": Y[:3]}, "{path} has 4 rows of features but 3 labels: each row needs exactly one label."),
        ({"x": X, "y": Y - 1}, "row 0 of {path} has the label -1: labels must be whole numbers from 0 to 1 for 2 "),
        ({"x": X[:0], "y": Y[:0]}, "{path} is empty (shape [0, 3])"),
        ({"x": X[:, :0], "y": Y}, "{path} is empty (shape [4, 0])"),
        ({"x": X[:1], "y": Y[:1]}, "the data has 1 example: a training and a test part need at least 2."),
        ({"x": X, "y": Y, "x_test": X}, "the training part of {path} has labels but the test part has none"),
        ({"x": X, "x_test": X[:, 1:]}, "{path} has 3 features in its training part but 2 in its test part"),
        ({"x": X, "x_test": X[:0]}, "the test part of {path} is empty (shape [0, 3])"),
        ({"x": np.where(X == 7, np.nan, X), "y": Y}, "row 2 of {path} holds the value nan"),
        ({"x": np.where(X == 4, np.inf, X)}, "row 1 of {path} holds the value inf"),
        ({"x": X * 1e300}, "holds the value inf: every feature must be a finite float32 number"),
    ],
)
def test_content_that_does_not_fit_together(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=re.escape(sentence.format(path=path))):
        load(str(path))


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("fault", ["empty", "text", "truncated", "header"])
def test_damaged_files(tmp_path: Path, suffix: str, mapped: bool, fault: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, x=X, y=Y)
    else:
        np.save(path, X)
    whole = path.read_bytes()
    content = {"empty": b"", "text": b"hello, world", "truncated": whole[:-20], "header": whole[:30]}[fault]
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"^{re.escape(str(path))} is (damaged|no NumPy file).*again"):
        load_npz(path) if suffix == ".npz" else load_npy(path, 0 if mapped else 10_000)


def test_wrong_suffixes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"holds a single array: rename it to \.npy"):
        load_npz(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=X)
    (tmp_path / "b.npz").rename(tmp_path / "b.npy")
    with pytest.raises(DataError, match=r"is an archive of several arrays: rename it to \.npz"):
        load_npy(tmp_path / "b.npy")

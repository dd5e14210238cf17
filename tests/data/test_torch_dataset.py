import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from anabranch.data import from_torch
from anabranch.errors import DataError, UsageError

X = torch.arange(24, dtype=torch.float32).view(6, 4)
Y = torch.tensor([0, 1, 2, 0, 1, 2])


class Items(Dataset[Any]):
    def __init__(self, *items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


class Picture:
    """Like a PIL image: numpy can read it, and it is nothing else."""

    def __init__(self, value: int) -> None:
        self.pixels = np.full((2, 3), value, np.uint8)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.pixels.astype(dtype or np.uint8)


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(())


class NoLoop(TensorDataset):
    def __getitem__(self, index: int) -> Any:
        raise AssertionError("tensors must be taken whole")


def test_tensors_are_taken_whole() -> None:
    dataset = from_torch(NoLoop(X, Y), NoLoop(X[:2], Y[:2]))
    assert torch.equal(dataset.train.features, X)
    assert dataset.train.labels is not None
    assert torch.equal(dataset.train.labels, Y)
    assert (len(dataset.test), dataset.classes, dataset.name) == (2, 3, "custom")


def test_without_labels_and_test_part() -> None:
    dataset = from_torch(TensorDataset(X), test_fraction=0.5)
    assert (len(dataset.train), len(dataset.test), dataset.classes) == (3, 3, 0)


@pytest.mark.parametrize(
    "items",
    [
        [(x, y) for x, y in zip(X, Y, strict=True)],
        [(x.numpy(), int(y)) for x, y in zip(X, Y, strict=True)],
        [[x.tolist(), np.int64(y)] for x, y in zip(X, Y, strict=True)],
        [(x.bfloat16().requires_grad_(), y) for x, y in zip(X, Y, strict=True)],
    ],
)
def test_items_of_many_kinds(items: list[Any]) -> None:
    dataset = from_torch(Items(*items), Items(*items))
    assert torch.equal(dataset.train.features, X)
    assert dataset.test.labels is not None
    assert torch.equal(dataset.test.labels, Y)


def test_pictures_are_scaled_and_keep_their_shape() -> None:
    dataset = from_torch(Items((Picture(0), 0), (Picture(51), 1)), Items((Picture(255), 1)), name="pictures")
    assert dataset.image_shape == (2, 3)
    assert torch.allclose(next(dataset.train.chunks()).x, torch.tensor([[0.0], [0.2]]).expand(2, 6))
    assert next(dataset.test.chunks()).x.tolist() == [[1.0] * 6]


def test_single_items_and_subsets() -> None:
    assert from_torch(Items(*X)).classes == 0
    assert from_torch(Items(*((x,) for x in X))).classes == 0
    part = from_torch(Subset(TensorDataset(X, Y), [4, 1]), TensorDataset(X, Y))
    assert part.train.features.tolist() == X[[4, 1]].tolist()


@pytest.mark.parametrize(
    ("data", "kind", "sentence"),
    [
        (Stream(), UsageError, "the training part of toy is a Stream without a length: use a map-style data set."),
        (Items(), DataError, "the training part of toy is empty: it needs at least one example."),
        (TensorDataset(X[:0], Y[:0]), DataError, "toy is empty (shape [0, 4])"),
        (
            TensorDataset(X, Y, Y),
            DataError,
            "the training part of toy holds 3 tensors: it must hold features, or features and labels.",
        ),
        (
            Items((X[0], 1), (X[0, :3], 1)),
            DataError,
            "item 1 of the training part of toy has shape [3] but item 0 has [4]: all items need the same shape.",
        ),
        (Items((X[0], 1), X[1]), DataError, "the training part of toy has 2 items but 1 labels: label every item"),
        (
            Items((X[0], 1, 2)),
            DataError,
            "item 0 of the training part of toy has 3 fields: items must be x or (x, y).",
        ),
        (Items((X[0], "cat"), (X[1], "dog")), DataError, "the label array of toy holds values of type <U3"),
        (Items((X[0], 0.5), (X[1], 1.0)), DataError, "row 0 of the label array of toy has the label 0.5"),
        (Items((X[0], Y), (X[1], Y)), DataError, "the label array of toy has shape [2, 6]: labels must be [n]"),
        (Items(1.0, 2.0), DataError, "the feature array of toy has shape [2]: features must be [n, features]"),
        (Items((X[0], -1), (X[1], 1)), DataError, "row 0 of toy has the label -1"),
    ],
)
def test_data_sets_that_cannot_be_used(data: Dataset[Any], kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=re.escape(sentence)):
        from_torch(data, name="toy")

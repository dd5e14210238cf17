"""Data sets of PyTorch (torchvision's among them), copied into memory once."""

from collections.abc import Sized
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset, TensorDataset

from anabranch.data.dataset import Dataset
from anabranch.data.parts import Parts, assemble, from_arrays
from anabranch.data.scaling import Scale
from anabranch.data.tensors import Array
from anabranch.errors import DataError, UsageError


def from_torch(
    train: TorchDataset[Any],
    test: TorchDataset[Any] | None = None,
    *,
    name: str = "custom",
    seed: int = 0,
    test_fraction: float = 0.2,
    scale: Scale = "auto",
    classes: int | None = None,
) -> Dataset:
    """A data set from map-style PyTorch data sets whose items are (x, y) or x; without `test`, `train` is split.

    Items may be tensors, arrays, or anything that `numpy.asarray` takes, such as PIL images; a `TensorDataset` is
    used as it is, without a loop over its items. The options are those of `load`.

    Raises:
        UsageError: a data set has no length, or an option is wrong.
        DataError: the items have different shapes, or no whole numbers as labels.
    """
    x, y = arrays_of(train, f"the training part of {name}")
    x_test, y_test = (None, None) if test is None else arrays_of(test, f"the test part of {name}")
    parts: Parts = from_arrays(x, y, x_test, y_test, name)
    return assemble(name, parts, seed=seed, test_fraction=test_fraction, scale=scale, classes=classes)


def arrays_of(dataset: TorchDataset[Any], what: str) -> tuple[Array, Array | None]:
    """The features [n, ...] and labels [n, ...] of all its items; `what` names it in messages.

    Raises:
        UsageError: it has no length.
        DataError: it is empty, or its items differ in their shapes.
    """
    if isinstance(dataset, TensorDataset):
        return _from_tensors(dataset.tensors, what)
    if isinstance(dataset, IterableDataset) or not isinstance(dataset, Sized):
        raise UsageError(f"{what} is a {type(dataset).__name__} without a length: use a map-style data set.")
    items = [_pair(dataset[i], i, what) for i in range(len(dataset))]
    if not items:
        raise DataError(f"{what} is empty: it needs at least one example.")
    x = _stacked([x for x, _ in items], what)
    labels = [y for _, y in items if y is not None]
    if len(labels) not in (0, len(items)):
        raise DataError(f"{what} has {len(items)} items but {len(labels)} labels: label every item or none.")
    return x, _stacked(labels, f"the labels of {what}") if labels else None


def _from_tensors(tensors: tuple[Tensor, ...], what: str) -> tuple[Array, Array | None]:
    if len(tensors) not in (1, 2):
        raise DataError(f"{what} holds {len(tensors)} tensors: it must hold features, or features and labels.")
    return array_of(tensors[0]), array_of(tensors[1]) if len(tensors) == 2 else None


def _pair(item: Any, index: int, what: str) -> tuple[Array, Array | None]:
    if not isinstance(item, tuple | list):
        return array_of(item), None
    if len(item) not in (1, 2):
        raise DataError(f"item {index} of {what} has {len(item)} fields: items must be x or (x, y).")
    return array_of(item[0]), array_of(item[1]) if len(item) == 2 else None


def array_of(value: Any) -> Array:
    """A tensor, or what `numpy.asarray` takes, as an array."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        # NumPy has no bfloat16.
        return np.asarray((value.float() if value.dtype == torch.bfloat16 else value).numpy())
    return np.asarray(value)


def _stacked(arrays: list[Array], what: str) -> Array:
    for index, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise DataError(
                f"item {index} of {what} has shape {list(array.shape)} but item 0 has {list(arrays[0].shape)}: "
                "all items need the same shape."
            )
    return np.stack(arrays)

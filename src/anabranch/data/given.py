"""Data as a Python program has them: arrays, tensors, data sets of PyTorch, or of ours, or their names."""

from typing import Any

import numpy as np
from torch.utils.data import Dataset as TorchDataset

from anabranch.data.dataset import Dataset
from anabranch.data.parts import assemble, from_arrays
from anabranch.data.scaling import Scale
from anabranch.data.sources import load
from anabranch.data.tensors import Array
from anabranch.data.torch_dataset import array_of, arrays_of
from anabranch.errors import UsageError

Source = str | Dataset | TorchDataset[Any] | tuple[Any, Any]
"""A name or path, as of `load`; a checked data set; a map-style data set of PyTorch; a pair of features and targets."""

Shape = tuple[int, ...]


def as_dataset(
    data: Source,
    test: Source | None = None,
    *,
    regression: bool = False,
    seed: int = 0,
    test_fraction: float = 0.2,
    scale: Scale = "auto",
) -> tuple[Dataset, Shape | None]:
    """A data set, and the shape of one example where that is no row: ours are rows [features].

    Args:
        data: to train on.
        test: to be tested on, of the same kind; unless given a part of `data` is held out, if they have none.
        regression: whether targets may be any numbers: of integers, one for each example and none below zero, they are
            classes for all that; else they keep their values and their shape. Without it they must be classes.
        seed: of the split.
        test_fraction: as for `load`.
        scale: as for `load`; targets are never scaled.

    Raises:
        UsageError: what cannot be data, or does not go together.
        DataError: their content does not fit together.
    """
    if isinstance(data, str | Dataset):
        if test is not None:
            raise UsageError("test goes with arrays or a data set of PyTorch: a named one, or ours, has its own.")
        if isinstance(data, Dataset):
            return data, None
        return load(data, seed=seed, test_fraction=test_fraction, scale=scale, regression=regression), None
    x, y = _arrays(data, "the training data")
    x_test, y_test = (None, None) if test is None else _arrays(test, "the test data")
    if not regression and y is not None and y.dtype.kind == "f" and not np.array_equal(y, np.round(y)):
        raise UsageError(
            "the targets are no whole numbers, which classes are: for a regression, give a loss, such as "
            "torch.nn.functional.mse_loss."
        )
    parts = from_arrays(x, y, x_test, y_test, "the data", regression=regression)
    shape = tuple(x.shape[1:]) if x.ndim > 2 else None
    dataset = assemble("the data", parts, seed=seed, test_fraction=test_fraction, scale=scale, regression=regression)
    return dataset, shape


def _arrays(data: object, what: str) -> tuple[Array, Array | None]:
    if isinstance(data, TorchDataset):
        return arrays_of(data, what)
    if isinstance(data, tuple | list) and len(data) == 2:
        try:
            return array_of(data[0]), None if data[1] is None else array_of(data[1])
        except (ValueError, TypeError, NotImplementedError) as error:  # rows of several lengths, a sparse tensor
            raise UsageError(f"{what} cannot be made arrays ({error}): give rows of one length, and dense.") from error
    raise UsageError(
        f"a {type(data).__name__} is no data: give a pair (features, targets) of arrays or tensors, a "
        "torch.utils.data.Dataset, an anabranch.data.Dataset, or a name such as 'mnist'."
    )

"""MATLAB files: `.mat` with the variables X and y."""

from pathlib import Path

import numpy as np
import torch

from anabranch.data.arrays import named_arrays
from anabranch.data.examples import Examples
from anabranch.data.parts import Parts
from anabranch.data.tensors import Array
from anabranch.errors import DataError

_SIDE = 20  # pixels; the Coursera digits are 20 by 20


def load_mat(path: Path, *, regression: bool = False) -> Parts:
    """Features X [n, ...] and labels y [n] or [n, 1] (optional), and optionally X_test and y_test.

    Labels 1..K, as MATLAB counts, become 0..K-1 where no label is 0; but in a `regression`, which is as for
    `from_arrays`, all stay what they are.

    Raises:
        DataError: the file is damaged, of version 7.3, or has no such variables.
    """
    parts = named_arrays(read_mat(path), path, regression=regression)
    if regression:
        return Parts(_by_rows(parts.train), parts.test and _by_rows(parts.test), parts.image_shape)
    both = [parts.train] if parts.test is None else [parts.train, parts.test]
    labels = [part.labels for part in both if part.labels is not None and len(part.labels)]
    if not labels or min(int(label.min()) for label in labels) < 1:
        return parts
    test = None if parts.test is None else _from_zero(parts.test)
    return Parts(_from_zero(parts.train), test, parts.image_shape)


def _from_zero(part: Examples) -> Examples:
    return Examples(part.features, None if part.labels is None else part.labels - 1)


def _by_rows(part: Examples) -> Examples:
    """With one target for each row, where they are a row vector: MATLAB has nothing of less than two dimensions."""
    y = part.labels
    lying = y is not None and y.ndim == 2 and len(y) == 1
    return Examples(part.features, y.T.contiguous()) if y is not None and lying else part


def load_coursera_digits(path: Path) -> Parts:
    """The 5000 digits of 20 by 20 pixels of the Coursera machine learning course (ex3data1, ex4data1).

    The file calls the digit 0 by the label 10, since MATLAB counts from 1, and stores each image column by column.

    Raises:
        DataError: the file is damaged, or is no such file.
    """
    parts = named_arrays(read_mat(path), path)
    train = parts.train
    if train.labels is None or train.width != _SIDE * _SIDE:
        raise DataError(
            f"{path} has {train.width} features {'without' if train.labels is None else 'and'} labels: "
            f"the Coursera digits have {_SIDE * _SIDE} features and labels."
        )
    upright = train.features.view(-1, _SIDE, _SIDE).transpose(1, 2).reshape(-1, _SIDE * _SIDE)
    labels = torch.where(train.labels == 10, 0, train.labels)
    return Parts(Examples(upright.contiguous(), labels), None, (_SIDE, _SIDE))


def read_mat(path: Path) -> dict[str, Array]:
    """The variables of a `.mat` file, versions 4 to 7.2.

    Raises:
        DataError: the file is damaged or of version 7.3.
    """
    # Imported late: it takes a while, and only this format needs it.
    import scipy.io

    try:
        variables = scipy.io.loadmat(path)
    except NotImplementedError as error:
        raise DataError(
            f"{path} is a MATLAB file of version 7.3, which is not supported: save it again with save(..., '-v7')."
        ) from error
    except Exception as error:  # scipy parses damaged files into almost any exception
        raise DataError(f"{path} is no MATLAB file or is damaged ({type(error).__name__}): save it again.") from error
    return {name: np.asarray(value) for name, value in variables.items() if not name.startswith("__")}

"""What every part of a data set must fulfil; each failure is one sentence."""

import torch
from torch import Tensor

from anabranch.data.examples import CHUNK_ROWS, Examples, check_finite
from anabranch.errors import DataError

_TOLERANCE = 1e-6  # rounding of `features * scale + shift` in float32
_MAPPED_CHUNKS = 64


def check_part(examples: Examples, classes: int, what: str) -> None:
    """Check one part on its own: not empty, as many labels as rows, classes within [0, classes), finite values.

    Memory-mapped features are not read here: `Examples.take` checks them as they are used.

    Raises:
        DataError: says which number does not fit, and names the first bad row.
    """
    if len(examples) == 0 or examples.width == 0:
        raise DataError(
            f"{what} is empty (shape [{len(examples)}, {examples.width}]): "
            "it needs at least one example with at least one feature."
        )
    if examples.labels is not None:
        check_count(len(examples), len(examples.labels), what)
        if examples.labels.is_floating_point():
            check_finite(examples.labels.reshape(len(examples), -1), None, f"the targets of {what}")
        else:
            check_labels(examples.labels, classes, what)
    if not examples.mapped:
        check_finite(examples.features, None, what)


def check_count(rows: int, labels: int, what: str) -> None:
    """Refuse a number of labels that differs from the number of rows.

    Raises:
        DataError: gives both numbers.
    """
    if rows != labels:
        raise DataError(f"{what} has {rows} rows of features but {labels} labels: each row needs exactly one label.")


def check_labels(labels: Tensor, classes: int, what: str) -> None:
    """Refuse labels [n] int64 outside [0, classes).

    Raises:
        DataError: names the first bad row and its label.
    """
    bad = ((labels < 0) | (labels >= classes)).nonzero()
    if len(bad):
        row = int(bad[0, 0])
        raise DataError(
            f"row {row} of {what} has the label {int(labels[row])}: labels must be whole numbers "
            f"from 0 to {classes - 1} for {classes} classes."
        )


def check_unit_interval(examples: Examples, name: str) -> None:
    """Refuse values outside [0, 1], which Bernoulli units cannot take; `name` says which part this is.

    Data in memory is read whole. Of memory-mapped data at most 64 chunks of 4096 rows are read, evenly spread and
    with the first and the last among them: enough to see a wrong scale, not to vouch for every row. Rounding errors
    up to 1e-6 are let pass. Check the training part; under `--scale minmax` a test part may leave [0, 1] rightly.

    Raises:
        DataError: gives the least and the largest value, the first row outside, and the remedy.
    """
    low, high, first = float("inf"), float("-inf"), -1
    for rows in _spread(len(examples), examples.mapped):
        x = examples.take(rows).x
        least, largest = (float(value) for value in torch.aminmax(x))
        low, high = min(low, least), max(high, largest)
        if first < 0 and (least < -_TOLERANCE or largest > 1 + _TOLERANCE):
            outside = ((x < -_TOLERANCE) | (x > 1 + _TOLERANCE)).any(1)
            first = int(rows[outside][0])
    if first >= 0:
        raise DataError(
            f"the values of {name} run from {low:g} to {high:g} (row {first} is the first outside [0, 1]), "
            "but Bernoulli units take values in [0, 1]: use --scale minmax or --units gaussian."
        )


def _spread(n: int, bounded: bool) -> list[Tensor]:
    starts = list(range(0, n, CHUNK_ROWS))
    if bounded and len(starts) > _MAPPED_CHUNKS:
        chosen = torch.linspace(0, len(starts) - 1, _MAPPED_CHUNKS).round().long().tolist()
        starts = [starts[i] for i in chosen]
    return [torch.arange(start, min(start + CHUNK_ROWS, n)) for start in starts]

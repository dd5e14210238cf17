"""What a reader found, and the way from there to a data set: check, split, scale."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anabranch.data.checks import check_part
from anabranch.data.dataset import Dataset
from anabranch.data.examples import Examples
from anabranch.data.scaling import Scale, fit
from anabranch.data.tensors import Array, ImageShape, feature_tensor, label_tensor
from anabranch.errors import DataError, UsageError
from anabranch.seeding import generator

_SPLIT_STREAM = int.from_bytes(b"split")
_VALIDATION_STREAM = int.from_bytes(b"valid")


@dataclass(frozen=True, eq=False)
class Parts:
    """Unscaled examples as they were stored; `test` is None where the source has no test part of its own."""

    train: Examples
    test: Examples | None = None
    image_shape: ImageShape = None


def from_arrays(
    x: Array, y: Array | None, x_test: Array | None, y_test: Array | None, what: str, *, mapped: bool = False
) -> Parts:
    """Parts from arrays x [n, ...], y [n], x_test [m, ...], y_test [m]; `what` names their origin in messages.

    Raises:
        DataError: an array holds no real numbers, has a wrong shape or count, or belongs to a missing one.
    """
    train, image_shape = _part(x, y, what, "", mapped)
    if x_test is None:
        if y_test is not None:
            raise DataError(f"{what} has test labels but no test features: add x_test or remove y_test.")
        return Parts(train, None, image_shape)
    test, _ = _part(x_test, y_test, what, "test ", mapped)
    return Parts(train, test, image_shape)


def _part(x: Array, y: Array | None, what: str, part: str, mapped: bool) -> tuple[Examples, ImageShape]:
    features, image_shape = feature_tensor(x, f"the {part}feature array of {what}")
    labels = None if y is None else label_tensor(y, f"the {part}label array of {what}")
    return Examples(features, labels, mapped=mapped), image_shape


def assemble(
    name: str,
    parts: Parts,
    *,
    seed: int,
    test_fraction: float,
    scale: Scale,
    classes: int | None = None,
    validation_fraction: float = 0.0,
) -> Dataset:
    """The data set that these parts make; see `load` for the options.

    Raises:
        DataError: the parts are damaged or do not fit together.
        UsageError: an option is wrong.
    """
    count = _classes(parts, classes, name)
    check_part(parts.train, count, name if parts.test is None else f"the training part of {name}")
    if parts.test is None:
        train, test = split(parts.train, seed, test_fraction)
    else:
        check_part(parts.test, count, f"the test part of {name}")
        train, test = parts.train, parts.test
        _check_both(train, test, name)
    if validation_fraction:
        train, test = split(train, seed, validation_fraction, _VALIDATION_STREAM)
    scaling = fit(scale, train)
    return Dataset(name, scaling.apply(train), scaling.apply(test), count, parts.image_shape)


def split(examples: Examples, seed: int, fraction: float, stream: int = _SPLIT_STREAM) -> tuple[Examples, Examples]:
    """A random split into training and held-out part that depends on `seed` alone; both keep the order of the rows.

    Raises:
        UsageError: `fraction` is not between 0 and 1.
        DataError: fewer than two examples.
    """
    held = "test" if stream == _SPLIT_STREAM else "validation"
    if not 0 < fraction < 1:
        raise UsageError(f"the {held} fraction is {fraction}: it must be above 0 and below 1.")
    n = len(examples)
    if n < 2:
        raise DataError(f"the data has {n} example: a training and a {held} part need at least 2.")
    held_out = min(max(1, round(n * fraction)), n - 1)
    order = torch.randperm(n, generator=generator(stream, seed))
    # Sorted rows let a mapped file be read front to back.
    return _select(examples, order[held_out:].sort().values), _select(examples, order[:held_out].sort().values)


def _select(examples: Examples, rows: Tensor) -> Examples:
    if not examples.mapped:
        return examples.subset(rows)
    labels = None if examples.labels is None else examples.labels[rows]
    return replace(examples, labels=labels, rows=rows if examples.rows is None else examples.rows[rows])


def _classes(parts: Parts, classes: int | None, name: str) -> int:
    if classes is not None and classes < 1:
        raise UsageError(f"the number of classes is {classes}: it must be 1 or more.")
    both = [parts.train] if parts.test is None else [parts.train, parts.test]
    labels = [part.labels for part in both if part.labels is not None and len(part.labels)]
    if not labels:
        if classes is not None:
            raise UsageError(f"{classes} classes were asked for, but {name} has no labels: leave classes out.")
        return 0
    return classes if classes is not None else max(1, max(int(label.max()) for label in labels) + 1)


def _check_both(train: Examples, test: Examples, name: str) -> None:
    if (train.labels is None) != (test.labels is None):
        with_labels, without = ("test", "training") if train.labels is None else ("training", "test")
        raise DataError(
            f"the {with_labels} part of {name} has labels but the {without} part has none: "
            "give labels to both or to neither."
        )
    if train.width != test.width:
        raise DataError(
            f"{name} has {train.width} features in its training part but {test.width} in its test part: "
            "both need the same features."
        )

"""What a reader found, and the way from there to a data set: check, split, scale."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anabranch.data.checks import check_part
from anabranch.data.dataset import Dataset
from anabranch.data.examples import Examples
from anabranch.data.scaling import Scale, fit
from anabranch.data.tensors import Array, ImageShape, feature_tensor, label_tensor, number_classes, target_tensor
from anabranch.errors import DataError, UsageError
from anabranch.seeding import generator

_SPLIT_STREAM = int.from_bytes(b"split")
_VALIDATION_STREAM = int.from_bytes(b"valid")
_SURE_CLASSES = 1000  # as many as ImageNet has: so many are believed, however few the examples


@dataclass(frozen=True, eq=False)
class Parts:
    """Unscaled examples as they were stored; `test` is None where the source has no test part of its own."""

    train: Examples
    test: Examples | None = None
    image_shape: ImageShape = None


def from_arrays(
    x: Array,
    y: Array | None,
    x_test: Array | None,
    y_test: Array | None,
    what: str,
    *,
    mapped: bool = False,
    regression: bool = False,
) -> Parts:
    """Parts from arrays x [n, ...], y [n], x_test [m, ...], y_test [m]; `what` names their origin in messages.

    In a `regression` y may be [n, ...]; it keeps its values, unless they could be classes: see `number_classes`.

    Raises:
        DataError: an array holds no real numbers, has a wrong shape or count, or belongs to a missing one.
    """
    regression = regression and not all(number_classes(labels) for labels in (y, y_test) if labels is not None)
    train, image_shape = _part(x, y, what, "", mapped, regression)
    if x_test is None:
        if y_test is not None:
            raise DataError(f"{what} has test labels but no test features: add x_test or remove y_test.")
        return Parts(train, None, image_shape)
    test, _ = _part(x_test, y_test, what, "test ", mapped, regression)
    return Parts(train, test, image_shape)


def _part(
    x: Array, y: Array | None, what: str, part: str, mapped: bool, regression: bool
) -> tuple[Examples, ImageShape]:
    features, image_shape = feature_tensor(x, f"the {part}feature array of {what}")
    labels_of = target_tensor if regression else label_tensor
    labels = None if y is None else labels_of(y, f"the {part}label array of {what}")
    return Examples(features, labels, mapped=mapped), image_shape


@dataclass(frozen=True, eq=False)
class Division:
    """The parts of a data set, checked and unscaled.

    Attributes:
        name: of the data set.
        train: all examples where there is no other part.
        test: None where the source has no test part of its own and none was to be held out.
        validation: None where none was to be held out.
        classes: 0 without labels.
        image_shape: (height, width) in pixels where a row is an image.
    """

    name: str
    train: Examples
    test: Examples | None
    validation: Examples | None
    classes: int
    image_shape: ImageShape


def assemble(
    name: str,
    parts: Parts,
    *,
    seed: int,
    test_fraction: float,
    scale: Scale,
    classes: int | None = None,
    validation_fraction: float = 0.0,
    regression: bool = False,
) -> Dataset:
    """The data set that these parts make; see `load` for the options.

    Raises:
        DataError: the parts are damaged or do not fit together, or their labels number no classes.
        UsageError: an option is wrong.
    """
    found = divide(
        name, parts, seed=seed, test_fraction=test_fraction, classes=classes, validation_fraction=validation_fraction
    )
    if classes is None and not regression:
        _check_number(found.classes, parts, name)
    held_out = found.test if found.validation is None else found.validation
    assert held_out is not None  # for the type checker: a test fraction was given
    scaling = fit(scale, found.train)
    return Dataset(name, scaling.apply(found.train), scaling.apply(held_out), found.classes, found.image_shape)


def divide(
    name: str,
    parts: Parts,
    *,
    seed: int,
    test_fraction: float | None,
    classes: int | None = None,
    validation_fraction: float = 0.0,
) -> Division:
    """These parts, checked; where they have no test part, `test_fraction` of them is held out, or none for None.

    Raises:
        DataError, UsageError: as `assemble`.
    """
    count = _classes(parts, classes, name)
    check_part(parts.train, count, name if parts.test is None else f"the training part of {name}")
    train, test, validation = parts.train, parts.test, None
    if test is not None:
        check_part(test, count, f"the test part of {name}")
        _check_both(train, test, name)
    elif test_fraction is not None:
        train, test = split(train, seed, test_fraction)
    if validation_fraction:
        train, validation = split(train, seed, validation_fraction, _VALIDATION_STREAM)
    return Division(name, train, test, validation, count, parts.image_shape)


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
    if not labels or labels[0].is_floating_point():
        if classes is not None:
            raise UsageError(f"{classes} classes were asked for, but {name} has no labels: leave classes out.")
        return 0
    return classes if classes is not None else max(1, max(int(label.max()) for label in labels) + 1)


def _check_number(classes: int, parts: Parts, name: str) -> None:
    """Refuse labels that are years or keys: a model gets an output for every number from 0 to the highest."""
    examples = len(parts.train) + (0 if parts.test is None else len(parts.test))
    if classes > max(examples, _SURE_CLASSES):
        raise DataError(
            f"{name} has labels up to {classes - 1:,}, but only {examples:,} examples: number the classes from 0, "
            "or say how many there are: --classes, or anabranch.data.load(…, classes=…)."
        )


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

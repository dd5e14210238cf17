import re
from collections.abc import Callable

import pytest
import torch

from anabranch.data import Dataset, Examples, check_unit_interval, checks
from anabranch.errors import AnabranchError, DataError, UsageError

X = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2, 0, 1, 2])
GOOD = Examples(X, Y)


def with_value(row: int, value: float) -> torch.Tensor:
    x = X.clone()
    x[row, 1] = value
    return x


def with_label(row: int, label: int) -> torch.Tensor:
    y = Y.clone()
    y[row] = label
    return y


def test_a_good_data_set() -> None:
    dataset = Dataset("toy", GOOD, GOOD, 3, (2, 2))
    dataset.validate()
    assert dataset.train is GOOD


def test_unlabelled() -> None:
    assert Dataset("toy", Examples(X), Examples(X)).classes == 0


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (
            lambda: Dataset("toy", GOOD, Examples(X[:, :3], Y), 3),
            DataError,
            "toy has 4 features in its training part but 3 in its test part: both need the same features.",
        ),
        (
            lambda: Dataset("toy", Examples(X, Y[:5]), GOOD, 3),
            DataError,
            "the training part of toy has 6 rows of features but 5 labels: each row needs exactly one label.",
        ),
        (
            lambda: Dataset("toy", GOOD, Examples(X, with_label(4, 3)), 3),
            DataError,
            "row 4 of the test part of toy has the label 3: labels must be whole numbers from 0 to 2 for 3 classes.",
        ),
        (
            lambda: Dataset("toy", Examples(X, with_label(2, -1)), GOOD, 3),
            DataError,
            "row 2 of the training part of toy has the label -1: labels must be whole numbers from 0 to 2 for 3 "
            "classes.",
        ),
        (
            lambda: Dataset("toy", Examples(with_value(3, float("nan")), Y), GOOD, 3),
            DataError,
            "row 3 of the training part of toy holds the value nan: every feature must be a finite float32 number, "
            "so repair or remove that row.",
        ),
        (
            lambda: Dataset("toy", GOOD, Examples(with_value(5, float("-inf")), Y), 3),
            DataError,
            "row 5 of the test part of toy holds the value -inf: every feature must be a finite float32 number, "
            "so repair or remove that row.",
        ),
        (
            lambda: Dataset("toy", GOOD, Examples(X[:0], Y[:0]), 3),
            DataError,
            "the test part of toy is empty (shape [0, 4]): it needs at least one example with at least one feature.",
        ),
        (
            lambda: Dataset("toy", Examples(X[:, :0], Y), GOOD, 3),
            DataError,
            "the training part of toy is empty (shape [6, 0]): it needs at least one example with at least one "
            "feature.",
        ),
        (
            lambda: Dataset("toy", GOOD, Examples(X), 3),
            DataError,
            "the test part of toy has no labels although 3 classes are expected: give labels to both parts or to "
            "neither.",
        ),
        (
            lambda: Dataset("toy", GOOD, GOOD),
            UsageError,
            "toy has labels, but the number of classes is 0: use 1 or more.",
        ),
        (
            lambda: Dataset("toy", GOOD, GOOD, 3, (3, 3)),
            DataError,
            "toy has 4 features, which are no images of 3 by 3 pixels: an image shape must have 4 pixels.",
        ),
    ],
)
def test_parts_that_do_not_fit(make: Callable[[], Dataset], kind: type[AnabranchError], sentence: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(sentence)}$"):
        make()


def test_a_bad_value_behind_the_first_chunk_is_found() -> None:
    x = torch.zeros(5000, 2)
    x[4999, 1] = float("inf")
    with pytest.raises(DataError, match="row 4999 of"):
        Dataset("toy", Examples(x), Examples(x))


@pytest.mark.parametrize(
    ("value", "extremes"), [(1.5, r"from 0\.\d+ to 1\.5"), (-0.25, r"from -0\.25 to 0\.\d+"), (1.001, "to 1.001")]
)
def test_unit_interval(value: float, extremes: str) -> None:
    check_unit_interval(GOOD, "toy")
    check_unit_interval(Examples(with_value(4, 1 + 5e-7)), "toy")
    data = Examples(with_value(4, value))
    with pytest.raises(DataError, match=extremes) as caught:
        check_unit_interval(data, "the training part of toy")
    assert str(caught.value).startswith("the values of the training part of toy run from")
    assert "(row 4 is the first outside [0, 1])" in str(caught.value)
    assert str(caught.value).endswith(
        "but Bernoulli units take values in [0, 1]: use --scale minmax or --units gaussian."
    )


def test_unit_interval_reads_a_bounded_part_of_mapped_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHUNK_ROWS", 1)
    monkeypatch.setattr(checks, "_MAPPED_CHUNKS", 3)
    for row in range(7):
        x = torch.zeros(7, 1)
        x[row] = 2
        check_unit_interval(Examples(torch.zeros(7, 1), mapped=True), "toy")
        with pytest.raises(DataError, match=f"row {row} "):
            check_unit_interval(Examples(x), "toy")
        if row in (0, 3, 6):
            with pytest.raises(DataError, match=f"row {row} "):
                check_unit_interval(Examples(x, mapped=True), "toy")
        else:
            check_unit_interval(Examples(x, mapped=True), "toy")

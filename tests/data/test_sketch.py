"""What tells a data set from another, and what does not."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anabranch.data import Dataset, Examples, Sketch
from anabranch.data import sketch as sketch_of
from anabranch.data.sketch import ROWS
from anabranch.errors import DataError


def dataset(seed: int = 0, n: int = 20, width: int = 6, labelled: bool = True) -> Dataset:
    draw = torch.Generator().manual_seed(seed)
    parts = [
        Examples(
            torch.rand(rows, width, generator=draw),
            torch.randint(0, 3, (rows,), generator=draw) if labelled else None,
        )
        for rows in (n, 5)
    ]
    return Dataset("drawn", parts[0], parts[1], 3 if labelled else 0)


def sketch(data: Dataset) -> Sketch:
    return sketch_of(data.train, data.test, data.classes)


def test_by_hand() -> None:
    """Weights 1, 8/7, 9/7: of the row (7, 7, 7) 7 + 8 + 9."""
    rows = Examples(torch.tensor([[7.0, 7.0, 7.0], [7.0, 0.0, 14.0]]), torch.tensor([0, 1]))
    found = sketch(Dataset("by hand", rows, rows, 2))
    features, labels = pytest.approx((24.0, 25.0)), pytest.approx((0.0, 1.0))
    assert (found.examples, found.test_examples, found.features, found.classes) == (2, 2, 3, 2)
    assert list(found.values) == [features, labels, features, labels]


@given(st.integers(0, 5), st.integers(1, 200), st.integers(1, 9), st.booleans())
def test_the_same_data_have_one_sketch(seed: int, n: int, width: int, labelled: bool) -> None:
    first, again = (sketch(dataset(seed, n, width, labelled)) for _ in range(2))
    assert first == again
    assert first.difference(again) is None
    assert len(first.values) == (4 if labelled else 2)
    assert len(first.values[0]) == min(n, ROWS)


def test_other_roundings_are_no_difference() -> None:
    """As a mean may have, on another processor, by which the features were scaled."""
    data = dataset()
    rounded = replace(data, train=replace(data.train, features=data.train.features * (1 + 1e-6) - 1e-6))
    assert sketch(data) != sketch(rounded)
    assert sketch(data).difference(sketch(rounded)) is None


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (dataset(n=21), "21 examples in place of 20"),
        (dataset(width=7), "7 features in place of 6"),
        (dataset(labelled=False), "0 classes in place of 3"),
        (dataset(seed=1), "other values"),
    ],
)
def test_differences_in_words(other: Dataset, words: str) -> None:
    assert sketch(dataset()).difference(sketch(other)) == words


def test_values_that_changed_places_and_labels_alone() -> None:
    data = dataset()
    for examples in (data.train, data.test):
        assert examples.labels is not None
        turned = replace(examples, features=examples.features.flip(1))
        relabelled = replace(examples, labels=(examples.labels + 1) % 3)
        for changed in (turned, relabelled):
            other = replace(data, train=changed) if examples is data.train else replace(data, test=changed)
            assert sketch(data).difference(sketch(other)) == "other values"


def test_targets_of_a_regression_and_large_features_beside_labels() -> None:
    """Labels are compared among themselves: beside features of a million they are still seen."""
    large = Examples(torch.full((4, 2), 1e6), torch.tensor([0, 1, 0, 1]))
    other = replace(large, labels=torch.tensor([0, 1, 1, 1]))
    assert sketch(Dataset("large", large, large, 2)).difference(sketch(Dataset("large", other, large, 2)))
    targets = replace(large, labels=torch.tensor([[0.5, 1.0]] * 4))
    moved = replace(large, labels=torch.tensor([[1.0, 0.5]] * 4))
    assert sketch(Dataset("r", targets, targets)).difference(sketch(Dataset("r", moved, targets))) == "other values"


def test_of_a_mapped_file_some_rows_alone_are_read() -> None:
    """The first, the last, and 62 between them: of the broken rows one that is not read is not noticed here."""
    part = Examples(torch.ones(1000, 2), mapped=True)
    part.features[1] = torch.nan
    assert list(map(len, sketch(Dataset("mapped", part, part)).values)) == [ROWS, ROWS]
    part.features[-1] = torch.nan
    with pytest.raises(DataError, match="row 999 of the mapped data holds the value nan"):
        sketch(Dataset("mapped", part, part))


def test_it_outlives_a_file() -> None:
    assert Sketch.from_json(sketch(dataset()).as_json()) == sketch(dataset())


@pytest.mark.parametrize(
    "text", ["", "[1]", "null", '{"examples": 9}', '{"values": [1]}', '{"values": [], "colour": 3}']
)
def test_what_is_no_sketch(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Sketch.from_json(text)

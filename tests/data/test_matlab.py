import re
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from anabranch.data.matlab import load_coursera_digits, load_mat
from anabranch.errors import DataError

X = np.arange(12, dtype=np.float64).reshape(4, 3)


@pytest.mark.parametrize("capital", [True, False])
@pytest.mark.parametrize(
    ("y", "expected"), [([1, 2, 10, 1], [0, 1, 9, 0]), ([0, 2, 1, 0], [0, 2, 1, 0]), ([2, 3, 2, 3], [1, 2, 1, 2])]
)
def test_labels_count_from_zero(tmp_path: Path, y: list[int], expected: list[int], capital: bool) -> None:
    path = tmp_path / "a.mat"
    names = ("X", "Y") if capital else ("x", "y")
    scipy.io.savemat(path, {names[0]: X, names[1]: np.array(y, float)[:, None]})
    parts = load_mat(path)
    assert parts.train.features.tolist() == X.tolist()
    assert parts.train.labels is not None
    assert parts.train.labels.tolist() == expected


def test_both_parts_are_shifted_together(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"X": X, "y": [1, 2, 1, 2], "Xtest": X, "ytest": [1, 2, 0, 2]})
    parts = load_mat(path)
    assert parts.test is not None
    assert parts.test.labels is not None
    assert parts.test.labels.tolist() == [1, 2, 0, 2]
    assert parts.train.labels is not None
    assert parts.train.labels.tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize("y", [[[1.0], [2.0], [3.0], [2.5]], [[1.0, 2.0, 3.0, 2.5]]])
def test_targets_of_a_regression_stay_what_they_are(tmp_path: Path, y: list[list[float]]) -> None:
    """A column, and a row."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"X": X, "y": np.array(y), "Xtest": X, "ytest": np.array(y)})
    parts = load_mat(path, regression=True)
    for part in (parts.train, parts.test):
        assert part is not None
        assert part.labels is not None
        assert part.labels.tolist() == [[1.0], [2.0], [3.0], [2.5]]


def test_without_labels(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"X": X})
    assert load_mat(tmp_path / "a.mat").train.labels is None


def test_coursera_digits(tmp_path: Path) -> None:
    upright = np.random.default_rng(0).random((3, 20, 20))
    by_columns = np.stack([image.reshape(-1, order="F") for image in upright])
    scipy.io.savemat(tmp_path / "a.mat", {"X": by_columns, "y": np.array([[10], [1], [9]])})
    parts = load_coursera_digits(tmp_path / "a.mat")
    assert parts.image_shape == (20, 20)
    assert np.array_equal(parts.train.features.numpy().reshape(3, 20, 20), upright)
    assert parts.train.labels is not None
    assert parts.train.labels.tolist() == [0, 1, 9]


def test_no_coursera_digits(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"X": X, "y": [1, 2, 3, 4]})
    with pytest.raises(DataError, match="has 3 features and labels: the Coursera digits have 400 features and labels"):
        load_coursera_digits(tmp_path / "a.mat")


def _version_7_3() -> bytes:
    # The 128 bytes of text and version (0x0200, "IM") that MATLAB writes before the HDF5 part.
    return b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            _version_7_3(),
            "is a MATLAB file of version 7.3, which is not supported: save it again with save(..., '-v7').",
        ),
        (b"", "is no MATLAB file or is damaged ("),
        (b"hello, world", "is no MATLAB file or is damaged ("),
        (None, "is no MATLAB file or is damaged ("),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"X": X, "y": [1, 2, 3, 4]}, do_compression=True)
    path.write_bytes(path.read_bytes()[:-10] if content is None else content)
    with pytest.raises(DataError, match=re.escape(f"{path} {sentence}")):
        load_mat(path)


def test_cells_are_refused(tmp_path: Path) -> None:
    cells = np.empty(2, object)
    cells[:] = ["a", X]
    scipy.io.savemat(tmp_path / "a.mat", {"X": cells})
    with pytest.raises(DataError, match="holds values of type object: it must hold real numbers"):
        load_mat(tmp_path / "a.mat")

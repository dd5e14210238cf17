"""The catalogue of named data sets, the file formats, and `load`, which reads either."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from anabranch.data.arrays import load_npy, load_npz
from anabranch.data.dataset import Dataset
from anabranch.data.idx import load_idx_folder
from anabranch.data.matlab import load_coursera_digits, load_mat
from anabranch.data.mnist import data_folder, mnist_folder
from anabranch.data.parts import Division, Parts, assemble, divide, from_arrays
from anabranch.data.scaling import Scale
from anabranch.data.tensors import Array
from anabranch.errors import UsageError, unknown_name


class Reader(Protocol):
    """Reads a file of some format."""

    def __call__(self, path: Path, /, *, regression: bool) -> Parts:
        """Features and labels from the file at `path`."""
        ...


def load(
    name_or_path: str,
    *,
    seed: int = 0,
    test_fraction: float = 0.2,
    scale: Scale = "auto",
    classes: int | None = None,
    validation_fraction: float = 0.0,
    regression: bool = False,
) -> Dataset:
    """Load a data set by its name in `SOURCES`, or from a path: a folder with IDX files, `.npz`, `.npy` or `.mat`.

    Data without a test part of its own is split at random: `test_fraction` of it, chosen by `seed`, is held out.
    With `validation_fraction` such a part of the training examples is held out in place of the test part, which is
    left alone: to choose options by. `scale` is described at `scaling.fit`. `classes` is the highest label plus 1
    unless it is given. `regression` as for `as_dataset`, of a file.

    Raises:
        UsageError: the name is unknown, the path does not exist, or an option is wrong.
        DataError: the content is damaged or does not fit together, or there would be more classes than examples, and
            than 1,000, for the labels are years or keys.
    """
    parts = _read(name_or_path, regression=regression)
    return assemble(
        name_or_path,
        parts,
        seed=seed,
        test_fraction=test_fraction,
        scale=scale,
        classes=classes,
        validation_fraction=validation_fraction,
        regression=regression,
    )


def load_unscaled(
    name_or_path: str,
    *,
    seed: int = 0,
    test_fraction: float | None = None,
    classes: int | None = None,
    validation_fraction: float = 0.0,
) -> Division:
    """As `load`, for those who scale by themselves. With no `test_fraction` nothing is held out as a test part.

    Raises:
        UsageError, DataError: as `load`.
    """
    return divide(
        name_or_path,
        _read(name_or_path),
        seed=seed,
        test_fraction=test_fraction,
        classes=classes,
        validation_fraction=validation_fraction,
    )


def _read(name_or_path: str, *, regression: bool = False) -> Parts:
    if name_or_path in SOURCES:
        return SOURCES[name_or_path]()
    path = _expanded(name_or_path)
    separators = {os.sep, os.altsep} - {None}
    looks_like_path = path.suffix.lower() in FORMATS or any(sign in name_or_path for sign in separators if sign)
    if not name_or_path or not (looks_like_path or path.exists()):
        raise unknown_name("data set", name_or_path, SOURCES)
    if not path.exists():
        raise UsageError(f"there is no data at {path}: give the path of an existing file or folder.")
    return _read_path(path, regression=regression)


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:  # there is no such user
        raise UsageError(f"there is no home folder for {name}: give the path without ~.") from error


def _read_path(path: Path, *, regression: bool) -> Parts:
    if path.is_dir():
        return _idx_parts(path)
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{path} has no known file type: use {', '.join(FORMATS)}, or a folder with the four IDX files of MNIST."
        )
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path} cannot be read: check its permissions.")
    return FORMATS[path.suffix.lower()](path, regression=regression)


def _idx_parts(folder: Path) -> Parts:
    return from_arrays(*load_idx_folder(folder), str(folder))


def _digits() -> Parts:
    table = _digits_table()  # whole numbers from 0 to 16: as integers they follow the rule for integers
    return from_arrays(table[:, :-1].reshape(-1, 8, 8), table[:, -1], None, None, "digits")


def _digits_table() -> Array:
    """Pixels and label of each of scikit-learn's digits: [1797, 65] int16.

    Importing scikit-learn takes as long as importing torch; so its file is read without that, where it is found.
    """
    found = importlib.util.find_spec("sklearn")
    for place in (found and found.submodule_search_locations) or []:
        file = Path(place) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            return np.loadtxt(file, np.int16, delimiter=",")
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.column_stack([digits.data, digits.target]).astype(np.int16)


def _mnist() -> Parts:
    return _idx_parts(mnist_folder())


def _coursera_digits() -> Parts:
    home = data_folder()
    file = None if home is None else coursera_digits_in(home)
    if file is not None:
        return load_coursera_digits(file)
    where = "ANABRANCH_DATA is not set" if home is None else f"there is no ex4data1.mat in {home}"
    raise UsageError(
        f"coursera-digits cannot be downloaded, since the course's file has no licensed mirror, and {where}: "
        "set ANABRANCH_DATA to a folder with coursera_digits/ex4data1.mat."
    )


def coursera_digits_in(home: Path) -> Path | None:
    """The course's file in or under `home`; None where it is not there."""
    folders, names = (home / "coursera_digits", home), ("ex4data1_u8.mat", "ex4data1.mat")
    return next((file for folder in folders for name in names if (file := folder / name).is_file()), None)


SOURCES: dict[str, Callable[[], Parts]] = {
    "digits": _digits,
    "mnist": _mnist,
    "coursera-digits": _coursera_digits,
}
FORMATS: dict[str, Reader] = {".npz": load_npz, ".npy": load_npy, ".mat": load_mat}

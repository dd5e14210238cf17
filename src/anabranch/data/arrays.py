"""NumPy files: `.npz` with features and labels, and `.npy` with features, which may be too large for the memory."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anabranch.data.parts import Parts, from_arrays
from anabranch.data.tensors import Array
from anabranch.errors import DataError

MAP_ABOVE_BYTES = 256 << 20

_ALIASES = {
    "x": ("x", "x_train", "xtrain"),
    "y": ("y", "y_train", "ytrain"),
    "x_test": ("x_test", "xtest"),
    "y_test": ("y_test", "ytest"),
}
_DAMAGE = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError)


def load_npz(path: Path, *, regression: bool = False) -> Parts:
    """Features `x` and labels `y` (optional), and optionally `x_test` and `y_test`; capitals count as small letters.

    `regression` as for `from_arrays`.

    Raises:
        DataError: the file is damaged, or has no such arrays.
    """
    try:
        # numpy leaves a file that it opened itself open where the content is damaged.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path} holds a single array: rename it to .npy.")
            found: dict[str, Any] = {name: archive[name] for name in archive.files}
    except _DAMAGE as error:
        raise DataError(_damaged(path, error)) from error
    arrays = {name: each for name, each in found.items() if isinstance(each, np.ndarray)}  # not some other file's bytes
    return named_arrays(arrays, path, regression=regression)


def named_arrays(arrays: Mapping[str, Array], path: Path, *, regression: bool = False) -> Parts:
    """Parts from arrays by their names: x, y, x_test, y_test and the usual variants of these.

    `regression` as for `from_arrays`.

    Raises:
        DataError: there are no features, or two arrays claim the same role.
    """
    found: dict[str, Array] = {}
    for role, aliases in _ALIASES.items():
        names = [name for name in arrays if name.lower() in aliases]
        if len(names) > 1:
            raise DataError(f"{path} holds both '{names[0]}' and '{names[1]}': keep only one of them.")
        if names:
            found[role] = arrays[names[0]]
    if "x" not in found:
        names = sorted(arrays)
        raise DataError(f"{path} holds no features 'x' (found: {', '.join(names) or 'nothing'}): name that array 'x'.")
    x, y, x_test, y_test = (found.get(role) for role in _ALIASES)
    assert x is not None  # for the type checker
    return from_arrays(x, y, x_test, y_test, str(path), regression=regression)


def load_npy(path: Path, map_above_bytes: int = MAP_ABOVE_BYTES, *, regression: bool = False) -> Parts:
    """Features [n, ...] from NAME.npy, with labels [n] from NAME.labels.npy beside it if that exists.

    A file of more than `map_above_bytes` stays on the disk and is mapped into memory; rows are read as they are used.
    (Saved in Fortran order, or of a type that torch cannot use, it must be read whole all the same.)
    `regression` as for `from_arrays`.

    Raises:
        DataError: a file is damaged.
    """
    mapped = path.stat().st_size > map_above_bytes
    sibling = path.with_suffix(".labels.npy")
    labels = _read_npy(sibling, mapped=False) if sibling.is_file() else None
    return from_arrays(_read_npy(path, mapped), labels, None, None, str(path), mapped=mapped, regression=regression)


def _read_npy(path: Path, mapped: bool) -> Array:
    try:
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                raise DataError(f"{path} is an archive of several arrays: rename it to .npz.")
            file.seek(0)
            # Copy-on-write: torch warns about read-only memory, and a stray write must not reach the user's file.
            array: Array = (
                np.load(path, mmap_mode="c", allow_pickle=False) if mapped else np.load(file, allow_pickle=False)
            )
    except _DAMAGE as error:
        raise DataError(_damaged(path, error)) from error
    return array


def _damaged(path: Path, error: Exception) -> str:
    reason = str(error).strip().rstrip(".").splitlines() or [type(error).__name__]
    if "allow_pickle" in reason[0] or "pickled" in reason[0]:
        return f"{path} is no NumPy file of numbers (it is damaged, or holds Python objects): save it again as numbers."
    return f"{path} is damaged ({reason[0]}): save or fetch it again."

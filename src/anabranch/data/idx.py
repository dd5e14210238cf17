"""The IDX format of MNIST: two zero bytes, a type, the number of dimensions, their sizes, then the values (big-endian).

http://yann.lecun.com/exdb/mnist/ describes it. Files may be compressed with gzip (`.gz`).
"""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anabranch.errors import DataError, UsageError

Array = npt.NDArray[Any]

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
# The usual names are these four stems, then "-idx3-ubyte" or ".idx3-ubyte" (idx1 for labels), then perhaps ".gz".
_STEMS = (("train-images", 3), ("train-labels", 1), ("t10k-images", 3), ("t10k-labels", 1))


def read_idx(path: Path) -> Array:
    """The array in one IDX file, in native byte order.

    Raises:
        UsageError: there is no such file.
        DataError: the file is empty, damaged, cut off, too long, or no IDX file.
    """
    content = _content(path)
    if not content:
        raise DataError(f"{path} is empty: expected an IDX file; fetch it again.")
    if len(content) < 4:
        raise DataError(f"{path} is cut off: an IDX header has at least 4 bytes, found {len(content)}.")
    if content[:2] != b"\0\0" or content[2] not in _TYPES:
        known = ", ".join(f"0000{code:02x}" for code in _TYPES)
        raise DataError(
            f"{path} is no IDX file: expected the magic number {known} in its first three bytes, "
            f"found {content[:3].hex()}."
        )
    return _values(content, path)


def _values(content: bytes, path: Path) -> Array:
    dtype, ndim = np.dtype(_TYPES[content[2]]), content[3]
    start = 4 + 4 * ndim
    if ndim == 0 or len(content) < start:
        raise DataError(
            f"{path} is cut off: a header of {ndim} dimensions (at least 1) takes {max(start, 8)} bytes, "
            f"found {len(content)}."
        )
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    expected, found = math.prod(shape) * dtype.itemsize, len(content) - start
    if found != expected:
        fault = "is cut off" if found < expected else "has trailing bytes"
        raise DataError(
            f"{path} {fault}: its dimensions {shape} need {expected} bytes of values, found {found}; fetch it again."
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise UsageError(f"there is no file {path}: give the path of an IDX file.")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    if path.suffix != ".gz" or not raw:
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} is no whole gzip file ({error}): fetch it again.") from error


def has_idx_files(folder: Path) -> bool:
    """Whether any of the four usual files lies in this folder."""
    return any(_find(folder, stem, dims) is not None for stem, dims in _STEMS)


def load_idx_folder(path: Path) -> tuple[Array, Array, Array, Array]:
    """The four files of the usual names: x_train [n, h, w], y_train [n], x_test [m, h, w], y_test [m].

    Raises:
        UsageError: there is no such folder, or one of the files is missing.
        DataError: a file is damaged, or the files do not fit together.
    """
    if not path.is_dir():
        raise UsageError(f"there is no folder {path}: give the path of a folder with the four IDX files.")
    found = {stem: _find(path, stem, dims) for stem, dims in _STEMS}
    missing = [f"{stem}-idx{dims}-ubyte" for stem, dims in _STEMS if found[stem] is None]
    if missing:
        raise UsageError(
            f"the folder {path} has no {', '.join(missing)} (with or without .gz): put the missing file there."
        )
    files = [file for file in found.values() if file is not None]
    x_train, y_train, x_test, y_test = (read_idx(file) for file in files)
    _check_pair(x_train, y_train, files[0], files[1])
    _check_pair(x_test, y_test, files[2], files[3])
    return x_train, y_train, x_test, y_test


def _find(folder: Path, stem: str, dims: int) -> Path | None:
    names = (f"{stem}{separator}idx{dims}-ubyte{suffix}" for separator in "-." for suffix in (".gz", ""))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _check_pair(images: Array, labels: Array, image_file: Path, label_file: Path) -> None:
    if images.ndim < 2 or labels.ndim != 1:
        raise DataError(
            f"{image_file} and {label_file} have {images.ndim} and {labels.ndim} dimensions: "
            "images need 2 or more, labels 1."
        )
    if len(images) != len(labels):
        raise DataError(
            f"{image_file} has {len(images)} images but {label_file} has {len(labels)} labels: "
            "use two files that belong together."
        )

"""Arrays as they come from files, turned into tensors of features [n, features] and labels [n]."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anabranch.errors import DataError

Array = npt.NDArray[Any]
ImageShape = tuple[int, int] | None

_LARGE = 2.0**62  # numbers of classes are counted in 63 bits
# torch has no arithmetic for these; the wider type holds every value.
_WIDER: dict[str, type] = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64, "longdouble": np.float64}


def feature_tensor(array: Array, what: str) -> tuple[Tensor, ImageShape]:
    """Features [n, ...] flattened to [n, features], and the image shape of [n, h, w] or [n, 1, h, w].

    A memory-mapped array in C order stays mapped, unless torch cannot use its type.

    Raises:
        DataError: not real numbers, or fewer than two dimensions.
    """
    _check_real(array, what)
    if array.ndim < 2:
        raise DataError(f"{what} has shape {list(array.shape)}: features must be [n, features] or [n, height, width].")
    pixels = array.shape[2:] if array.ndim == 4 and array.shape[1] == 1 else array.shape[1:]
    image_shape = (int(pixels[0]), int(pixels[1])) if len(pixels) == 2 else None
    # The width is computed since numpy cannot infer it for zero rows.
    flat = array.reshape(array.shape[0], int(np.prod(array.shape[1:], dtype=np.int64)))
    return _tensor(flat, what), image_shape


def number_classes(array: Array) -> bool:
    """Whether targets of a regression are as classes are stored: integers, one for each row, and none below zero."""
    lone = array.ndim == 1 or (array.ndim == 2 and 1 in array.shape)
    return lone and array.dtype.kind in "biu" and not (array < 0).any()


def label_tensor(array: Array, what: str) -> Tensor:
    """Labels [n], [n, 1] or [1, n] of any real type that hold whole numbers, as [n] int64.

    Raises:
        DataError: another shape, not numbers, or not whole; names the first bad row.
    """
    _check_real(array, what)
    if array.ndim == 0 or array.ndim > 2 or (array.ndim == 2 and 1 not in array.shape):
        raise DataError(f"{what} has shape {list(array.shape)}: labels must be [n], one whole number for each row.")
    flat = array.reshape(-1)
    if flat.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(flat) | (flat != np.round(flat)))
        if bad.size:
            raise DataError(f"row {bad[0]} of {what} has the label {flat[bad[0]]}: labels must be whole numbers.")
    if (large := np.flatnonzero(np.abs(flat.astype(np.float64)) >= _LARGE)).size:
        raise DataError(f"row {large[0]} of {what} has the label {flat[large[0]]}: number the classes from 0.")
    return torch.from_numpy(flat.astype(np.int64))


def target_tensor(array: Array, what: str) -> Tensor:
    """Targets of a regression [n, ...], as floating point numbers.

    Raises:
        DataError: not numbers, or none for each row.
    """
    _check_real(array, what)
    if array.ndim == 0:
        raise DataError(f"{what} is a single number: targets must be [n] or [n, ...], one entry for each row.")
    tensor = _tensor(array, what)
    return tensor if tensor.is_floating_point() else tensor.float()


def _check_real(array: Array, what: str) -> None:
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} holds values of type {array.dtype}: it must hold real numbers.")


def _tensor(array: Array, what: str) -> Tensor:
    if array.dtype.name == "uint64" and array.size and array.max() > np.iinfo(np.int64).max:
        raise DataError(f"{what} holds the value {array.max()}: integers must be below 2^63.")
    name = "longdouble" if array.dtype == np.longdouble and array.dtype.itemsize > 8 else array.dtype.name
    native = array.astype(_WIDER.get(name, array.dtype.newbyteorder("=")), copy=False)
    # torch warns about memory that it may not write to, and refuses negative strides.
    usable = np.require(native, requirements=["C", "W"])
    return torch.from_numpy(usable)

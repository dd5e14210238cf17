"""Rows of bytes as numbers: gathered, converted and scaled in one pass."""

import numpy as np

from anabranch.kernels.memory import Array
from anabranch.kernels.scalar import compiled, store


@compiled
def gather_scaled(features: Array, index: Array, scale: Array, shift: Array, out: Array) -> None:
    """`out` [rows, features] = `features` [index] * scale + shift; `scale`, `shift` [features] float32, or float64 for
    float64 results.

    A quarter of the memory of float32 is read, which counts where rows lie far apart.

    Raises:
        IndexError: an index is negative or too large.
    """
    for i in range(len(index)):
        if not 0 <= index[i] < len(features):
            raise IndexError("index out of range")
        row = features[index[i]]
        for j in range(len(row)):
            out[i, j] = store(np.float32(row[j]) * scale[j] + shift[j], out)

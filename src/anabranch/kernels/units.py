"""What the units of an RBM do to their input, in one pass each.

`x` [rows, units] is the input from the other layer (float32, float64, or bfloat16 as uint16) and is overwritten;
`bias` and `total` [units] are of the weights' type.
"""

from typing import Any

import numpy as np

from anabranch.kernels.memory import Array
from anabranch.kernels.noise import quarter, sfc64
from anabranch.kernels.scalar import compiled, load, sigmoid, store

_WORDS = np.float32(65536)
_MIDDLE = np.float32(0.5)


@compiled
def sample_hidden(x: Array, bias: Array, noise: Array, scale: float, states: Array, total: Array) -> None:
    """With p = σ(x + bias): `states` [rows, units] are drawn from p; x = scale · p; `total` += its sum over the rows.

    A state is 1 where the next 16-bit word of the stream `noise` [4], plus a half, is less than 2^16 p; else it is 0.
    """
    row = np.empty(quarter(x.shape[1]), np.uint64)
    words = row.view(np.uint16)
    for i in range(x.shape[0]):
        sfc64(noise, row)
        for j in range(x.shape[1]):
            p = sigmoid(load(x[i, j]) + bias[j])
            states[i, j] = store(np.float32(np.float32(words[j]) + _MIDDLE < p * _WORDS), states)
            x[i, j] = store(scale * p, x)
            total[j] += load(x[i, j])


@compiled
def hidden_mean(x: Array, bias: Array, scale: float, total: Array) -> None:
    """X = scale · σ(x + bias); its sum over the rows is added to `total`."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] = store(scale * sigmoid(load(x[i, j]) + bias[j]), x)
            total[j] += load(x[i, j])


@compiled
def mean_difference(x: Array, y: Array, total: Array) -> None:
    """`total` [units] is the mean of x over its rows, less that of y."""
    other = np.zeros_like(total)
    total[:] = 0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total[j] += load(x[i, j])
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            other[j] += load(y[i, j])
    # Divided at the end, for sums of zeros and ones are exact.
    for j in range(len(total)):
        total[j] = total[j] / x.shape[0] - other[j] / y.shape[0]


@compiled
def visible_mean(x: Array, bias: Array, linear: bool) -> None:
    """X = σ(x + bias), or x + bias where the units are `linear` (Gaussian)."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y = load(x[i, j]) + bias[j]
            x[i, j] = store(y if linear else sigmoid(y), x)


@compiled
def reconstruct(x: Array, bias: Array, linear: bool, v: Array, scale: float, total: Array) -> float:
    """As `visible_mean`; scale · Σ (x - v) over the rows is added to `total`; returns Σ (v - x)² over everything."""
    squares = 0.0
    for i in range(x.shape[0]):
        row: Any = np.float32(0)  # a Python zero would make all of it float64
        for j in range(x.shape[1]):
            y = load(x[i, j]) + bias[j]
            mean = y if linear else sigmoid(y)
            x[i, j] = store(mean, x)
            difference = mean - load(v[i, j])
            total[j] += scale * difference
            row += difference * difference
        squares += row
    return squares

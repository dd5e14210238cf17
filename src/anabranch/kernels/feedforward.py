"""What the units of a feed-forward network do between the matrix products, forward and backward, in one pass each.

Inverted dropout (Srivastava et al. 2014, section 10): a hidden unit's activity is o = σ/keep, or 0 where it is left
out. keep · o is σ again for the others, and where o is 0 nothing flows back in either case; so nothing else need be
remembered for the way back.
"""

import math

import numpy as np

from anabranch.kernels.memory import Array
from anabranch.kernels.noise import quarter, sfc64
from anabranch.kernels.scalar import compiled, load, sigmoid, store

_MIDDLE, _ONE = np.float32(0.5), np.float32(1)  # a Python number would turn float32 into float64


@compiled
def activate(x: Array, bias: Array, noise: Array, keep: float) -> None:
    """X [rows, units] = σ(x + bias) / keep for the units that are kept, else 0; each is kept with probability `keep`.

    `noise` [4] is the state of a stream (`Noise.state`); it is not used where all are kept.
    """
    row = np.empty(quarter(x.shape[1]), np.uint64)
    words = row.view(np.uint16)
    threshold, scale = np.float32(65536 * keep), _ONE / keep
    for i in range(x.shape[0]):
        if keep < 1:
            sfc64(noise, row)
            for j in range(x.shape[1]):
                kept = np.float32(words[j]) + _MIDDLE < threshold
                x[i, j] = store(sigmoid(load(x[i, j]) + bias[j]) * (scale if kept else scale - scale), x)
        else:
            for j in range(x.shape[1]):
                x[i, j] = store(sigmoid(load(x[i, j]) + bias[j]), x)


@compiled
def delta(g: Array, o: Array, keep: float, total: Array) -> None:
    """From the gradient by activities to that by inputs: g = g · o · (1 - keep · o); `total` [units] += its row sum."""
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            activity = load(o[i, j])
            g[i, j] = store(load(g[i, j]) * activity * (_ONE - keep * activity), g)
            total[j] += load(g[i, j])


@compiled
def softmax_delta(x: Array, bias: Array, labels: Array, total: Array) -> float:
    """X [rows, classes] = (softmax(x + bias) - target) / rows, added up in `total`; the mean cross-entropy, in nats.

    Raises:
        IndexError: a label is no class.
    """
    rows = x.shape[0]
    logits = np.empty(x.shape[1], np.float64)
    loss: float = 0.0
    for i in range(rows):
        for j in range(x.shape[1]):
            logits[j] = load(x[i, j]) + bias[j]
        largest = logits.max()
        normaliser = 0.0
        for j in range(x.shape[1]):
            normaliser += math.exp(logits[j] - largest)
        if not 0 <= labels[i] < len(logits):
            raise IndexError("label out of range")
        loss += math.log(normaliser) + largest - logits[labels[i]]
        for j in range(x.shape[1]):
            p = math.exp(logits[j] - largest) / normaliser
            x[i, j] = store((p - (j == labels[i])) / rows, x)
            total[j] += load(x[i, j])
    return float(loss / rows)

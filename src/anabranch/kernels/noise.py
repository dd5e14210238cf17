"""Cheap noise: 64 random bits serve four binary units.

SFC64, the small fast chaotic generator of Chris Doty-Humphrey's PractRand (64-bit words, period at least 2^64), with
NumPy's seeding: the words are those of `numpy.random.SFC64(seed)`. Sixteen bits decide a unit's state, so that its
probability is rounded to a multiple of 2^-16.
"""

from typing import Any

import numpy as np
import torch
from numba.extending import register_jitable
from torch import Tensor

from anabranch.kernels.memory import Array
from anabranch.kernels.scalar import compiled


class Noise:
    """An explicit stream of random words.

    Args:
        seed: of the stream; not negative.

    Attributes:
        state: [4] uint64; kernels that draw from the stream move it on.
    """

    def __init__(self, seed: int) -> None:
        self.state: Array = np.zeros(4, np.uint64)
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start the stream of `seed`."""
        state: dict[str, Any] = dict(np.random.SFC64(seed).state)
        self.state[:] = state["state"]["state"]

    def words(self, rows: int, columns: int) -> Array:
        """The next [rows, columns] 16-bit words; a row takes whole 64-bit words."""
        words = np.empty((rows, quarter(columns)), np.uint64)
        _draw(self.state, words)
        return words.view(np.uint16)[:, :columns]


@register_jitable
def quarter(columns: int) -> int:
    """How many 64-bit words hold `columns` 16-bit words."""
    return (columns + 3) // 4


def threshold_states(probability: Tensor, noise: Noise) -> Tensor:
    """Binary states of `probability` [rows, columns], in its dtype: 1 where (word + ½) / 2^16 < probability.

    The plain form of what `sample_hidden` does in passing, with the same words.
    """
    rows, columns = probability.shape
    words = torch.from_numpy(noise.words(rows, columns).astype(np.int32))
    return ((words + 0.5) < probability * 65536).to(probability.dtype)


@compiled
def _draw(state: Array, words: Array) -> None:
    for i in range(len(words)):
        sfc64(state, words[i])


@register_jitable
def sfc64(state: Array, words: Array) -> None:
    """Fill `words` [n] uint64 from the stream of `state`; for use inside kernels."""
    a, b, c, counter = state[0], state[1], state[2], state[3]
    for i in range(len(words)):
        word = a + b + counter
        a = b ^ (b >> np.uint64(11))
        b = c + (c << np.uint64(3))
        c = ((c << np.uint64(24)) | (c >> np.uint64(40))) + word
        counter += np.uint64(1)
        words[i] = word
    state[0], state[1], state[2], state[3] = a, b, c, counter

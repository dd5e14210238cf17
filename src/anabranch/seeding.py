"""Seeds made from parts, such as (seed, epoch, rank), so that every use of chance has a stream of its own."""

import numpy as np
import torch

_UINT64 = 1 << 64


def derive_seed(*parts: int) -> int:
    """A seed in [0, 2^63) that depends on every part and on their order; the same parts always give the same seed.

    Parts are taken modulo 2^64, so negative numbers are allowed. Their number counts too: (1,) and (1, 0) differ.
    """
    # SeedSequence treats trailing zeros as absent, and needs nonnegative words: hence the count and the modulus.
    entropy = [len(parts), *(int(part) % _UINT64 for part in parts)]
    words = [word for value in entropy for word in (value & 0xFFFFFFFF, value >> 32)]
    state = np.random.SeedSequence(words).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def generator(*parts: int) -> torch.Generator:
    """A CPU generator seeded with `derive_seed(*parts)`."""
    return torch.Generator().manual_seed(derive_seed(*parts))


def numpy_generator(*parts: int) -> np.random.Generator:
    """As `generator`, of NumPy: ten times as fast where single numbers are drawn."""
    return np.random.Generator(np.random.SFC64(derive_seed(*parts)))

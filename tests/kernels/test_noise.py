import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anabranch.kernels import Array, Noise, threshold_states

SEEDS = [0, 1, 2**40 + 3]
N = 2**20


@pytest.fixture(scope="module", params=SEEDS)
def words(request: pytest.FixtureRequest) -> Array:
    """A million 16-bit words [N] as numbers."""
    return Noise(request.param).words(1, N).reshape(-1).astype(np.float64)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("columns", [1, 4, 6, 13])
def test_words_are_those_of_numpys_generator(seed: int, columns: int) -> None:
    whole = -(-columns // 4)  # 64-bit words a row: what is left of the last one is skipped
    raw = np.random.SFC64(seed).random_raw(10 * whole).reshape(10, whole)
    expected = np.stack([raw >> np.uint64(16 * part) & np.uint64(0xFFFF) for part in range(4)], axis=2)
    noise = Noise(seed)
    found = np.concatenate([noise.words(7, columns), noise.words(3, columns)])  # the second call goes on
    assert np.array_equal(found, expected.reshape(10, 4 * whole)[:, :columns])


def test_a_seed_repeats_and_seeds_differ() -> None:
    noise = Noise(5)
    first = noise.words(3, 8)
    assert not np.array_equal(noise.words(3, 8), first)
    noise.seed(5)
    assert np.array_equal(noise.words(3, 8), first)
    assert not np.array_equal(Noise(6).words(3, 8), first)


def test_words_have_the_mean_and_the_variance_of_a_uniform_distribution(words: Array) -> None:
    variance = (65536**2 - 1) / 12
    assert abs(words.mean() - 65535 / 2) < 5 * math.sqrt(variance / N)
    # The fourth central moment of a uniform variable is 9/5 of its squared variance.
    assert abs(words.var() - variance) < 5 * variance * math.sqrt((9 / 5 - 1) / N)


@pytest.mark.parametrize("shift", [0, 8], ids=["low bytes", "high bytes"])
def test_bytes_are_uniform(words: Array, shift: int) -> None:
    counts = np.bincount(words.astype(np.int64) >> shift & 0xFF, minlength=256)
    # Neither too uneven nor too even: a probability of 3e-7 on either side is five standard deviations.
    assert 3e-7 < stats.chisquare(counts).pvalue < 1 - 3e-7


@pytest.mark.parametrize("lag", [*range(1, 9), 784])
def test_words_do_not_remember_earlier_ones(words: Array, lag: int) -> None:
    centred = words - words.mean()
    correlation = (centred[lag:] * centred[:-lag]).mean() / centred.var()
    assert abs(correlation) < 5 / math.sqrt(N - lag)


def test_streams_of_neighbouring_seeds_are_independent() -> None:
    a, b = (Noise(seed).words(1, N).reshape(-1).astype(np.float64) for seed in (0, 1))
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(N)


@pytest.mark.parametrize("p", [1e-3, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_states_are_as_frequent_as_their_probability(p: float, dtype: torch.dtype) -> None:
    states = threshold_states(torch.full((1024, 1024), p, dtype=dtype), Noise(3))
    assert states.dtype == dtype
    assert bool(((states == 0) | (states == 1)).all())
    assert abs(float(states.double().mean()) - p) < 5 * math.sqrt(p * (1 - p) / N)


def test_certain_states_are_certain() -> None:
    assert float(threshold_states(torch.zeros(1024, 1024), Noise(0)).sum()) == 0
    assert float(threshold_states(torch.ones(1024, 1024), Noise(0)).sum()) == N


class EveryWord(Noise):
    """All 16-bit words, once each."""

    def words(self, rows: int, columns: int) -> Array:
        return np.arange(65536, dtype=np.uint16).reshape(rows, columns)


def on_for(p: float, dtype: torch.dtype = torch.float64) -> int:
    """Of all 65536 words, how many switch a unit of probability `p` on."""
    return int(threshold_states(torch.full((256, 256), p, dtype=dtype), EveryWord(0)).double().sum())


@given(st.floats(0, 1))
def test_a_probability_is_rounded_to_the_nearest_multiple_of_65536ths(p: float) -> None:
    assert abs(on_for(p) - 65536 * p) <= 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("p", "words"),
    [(0, 0), (2**-17, 0), (1.5 * 2**-17, 1), (2**-16, 1), (0.5, 32768), (1 - 2**-16, 65535), (1, 65536)],
)
def test_words_that_switch_a_unit_on_by_hand(p: float, words: int, dtype: torch.dtype) -> None:
    assert on_for(p, dtype) == words

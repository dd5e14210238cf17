"""Fused passes over activities and weights, compiled by Numba: what stands between the matrix products of a step.

A pass over memory that is out of the cache costs as much as its arithmetic many times over, and a call of torch some
10 µs where products of a millisecond have emptied the caches; so whatever happens to the same numbers happens in one
pass.
"""

from anabranch.kernels.feedforward import activate, delta, softmax_delta
from anabranch.kernels.gather import gather_scaled
from anabranch.kernels.memory import Array, Memory
from anabranch.kernels.noise import Noise, threshold_states
from anabranch.kernels.units import hidden_mean, mean_difference, reconstruct, sample_hidden, visible_mean
from anabranch.kernels.update import momentum_step, momentum_step_after

__all__ = [
    "Array",
    "Memory",
    "Noise",
    "activate",
    "delta",
    "gather_scaled",
    "hidden_mean",
    "mean_difference",
    "momentum_step",
    "momentum_step_after",
    "reconstruct",
    "sample_hidden",
    "softmax_delta",
    "threshold_states",
    "visible_mean",
]

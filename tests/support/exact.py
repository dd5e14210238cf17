"""Exact quantities of tiny RBMs by enumeration, written from the energies alone."""

import itertools

import torch
from torch import Tensor

from anabranch.models import RBM


def states(units: int) -> Tensor:
    """All binary vectors: [2^units, units]."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=units)), dtype=torch.float64)


def energy(rbm: RBM, v: Tensor, h: Tensor) -> float:
    """E(v, h) of one pair, term by term."""
    coupling = sum(float(h[j] * rbm.weight[j, i] * v[i]) for j in range(rbm.hidden) for i in range(rbm.visible))
    hidden = sum(float(rbm.hidden_bias[j] * h[j]) for j in range(rbm.hidden))
    if rbm.units == "bernoulli":
        visible = -sum(float(rbm.visible_bias[i] * v[i]) for i in range(rbm.visible))
    else:
        visible = sum(float(v[i] - rbm.visible_bias[i]) ** 2 / 2 for i in range(rbm.visible))
    return visible - hidden - coupling


def free_energy(rbm: RBM, v: Tensor) -> Tensor:
    """-log Σ_h exp(-E(v, h)) of one v."""
    energies = torch.tensor([-energy(rbm, v, h) for h in states(rbm.hidden)], dtype=torch.float64)
    return -torch.logsumexp(energies, 0)


def visible_probabilities(rbm: RBM) -> Tensor:
    """p(v) of every binary v, in the order of `states`."""
    return torch.softmax(torch.stack([-free_energy(rbm, v) for v in states(rbm.visible)]), 0)


def tiny_rbm(visible: int = 3, hidden: int = 2, units: str = "bernoulli", seed: int = 0) -> RBM:
    """An RBM in double precision with weights and biases of order one."""
    generator = torch.Generator().manual_seed(seed)
    rbm = RBM(
        visible,
        hidden,
        units="gaussian" if units == "gaussian" else "bernoulli",
        std=1.0,
        generator=generator,
        dtype=torch.float64,
    )
    rbm.visible_bias.normal_(0, 0.5, generator=generator)
    rbm.hidden_bias.normal_(0, 0.5, generator=generator)
    return rbm

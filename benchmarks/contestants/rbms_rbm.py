"""rbms' Bernoulli RBM: the steps of its own training loop with `--training_type cd --no_center`, of either version.

Left out are its files, its progress bar, and (0.5.0, where it is no option) the gradient's normalisation to length 1.
"""

from types import SimpleNamespace

import numpy as np
import torch
from rbms.bernoulli_bernoulli.classes import BBRBM

from harness.worker import Settings, Train, Trained, serve


def prepare(settings: Settings) -> Train:
    torch.set_num_threads(settings.threads)
    x = torch.from_numpy(np.load(settings.data))
    importance = torch.ones(len(x))
    steps = len(x) // settings.batch_size

    def train(epochs: int) -> Trained:
        torch.manual_seed(settings.seed)
        params = BBRBM.init_parameters(
            num_hiddens=settings.sizes[1], dataset=SimpleNamespace(data=x), device="cpu", dtype=torch.float32
        )
        params.init_grad()
        optimizer = torch.optim.SGD(
            params.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_cost,
            maximize=True,
        )
        with torch.no_grad():
            for _ in range(epochs * steps):
                drawn = torch.randperm(len(x))[: settings.batch_size]
                update(params, x[drawn], importance[drawn], optimizer)
        parameters = {"weight": params.weight_matrix.t(), "visible_bias": params.vbias, "hidden_bias": params.hbias}
        return Trained(epochs * steps * settings.batch_size, {k: v.contiguous().numpy() for k, v in parameters.items()})

    return train


def update(params: BBRBM, v: torch.Tensor, importance: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
    """One step: the data, a chain that starts there, and the difference of their statistics."""
    optimizer.zero_grad(set_to_none=False)
    data = params.init_chains(num_samples=len(v), weights=importance, start_v=v)
    chains = params.init_chains(num_samples=len(v), weights=importance, start_v=v)
    chains = params.sample_state(chains=chains, n_steps=1)
    params.compute_gradient(data=data, chains=chains, centered=False)
    optimizer.step()


if __name__ == "__main__":
    serve(prepare)

"""learnergy's RBM, by its `fit`, on tensors in memory (its examples convert an image for each example)."""

import numpy as np
import torch
from learnergy.models.bernoulli import RBM
from torch.utils.data import TensorDataset

from harness.worker import Settings, Train, Trained, serve


def prepare(settings: Settings) -> Train:
    torch.set_num_threads(settings.threads)
    x = torch.from_numpy(np.load(settings.data))
    dataset = TensorDataset(x, torch.zeros(len(x)))  # fit wants labels, and ignores them

    def train(epochs: int) -> Trained:
        torch.manual_seed(settings.seed)
        rbm = RBM(
            n_visible=settings.sizes[0],
            n_hidden=settings.sizes[1],
            steps=1,
            learning_rate=settings.learning_rate,
            momentum=settings.momentum,
            decay=settings.weight_cost,
        )
        rbm.fit(dataset, batch_size=settings.batch_size, epochs=epochs)
        parameters = {"weight": rbm.W.t(), "visible_bias": rbm.a, "hidden_bias": rbm.b}
        return Trained(epochs * len(x), {k: v.detach().contiguous().numpy() for k, v in parameters.items()})

    return train


if __name__ == "__main__":
    serve(prepare)

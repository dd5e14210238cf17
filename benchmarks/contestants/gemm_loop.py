"""The matrix products of training steps and nothing else: those of CD-1 for two sizes, else of back-propagation."""

import torch

from anabranch.limit import back_propagation, contrastive_divergence, step
from anabranch.objectives import Precision
from harness.worker import Settings, Train, Trained, serve


def prepare(settings: Settings) -> Train:
    torch.set_num_threads(settings.threads)
    sizes, batch = settings.sizes, settings.batch_size
    products = contrastive_divergence(sizes[0], sizes[1], k=1) if len(sizes) == 2 else back_propagation(sizes)
    precision: Precision = "bf16-mixed" if settings.precision == "bf16-mixed" else "float32"
    run, steps = step(products, batch, precision), settings.examples // batch

    def train(epochs: int) -> Trained:
        for _ in range(epochs * steps):
            run()
        return Trained(epochs * steps * batch)

    return train


if __name__ == "__main__":
    serve(prepare)

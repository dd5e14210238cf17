"""Our BernoulliRBM, with scikit-learn's parameters; and with bfloat16 products, which scikit-learn's does not have."""

import torch

from anabranch import BernoulliRBM
from harness.estimator import training
from harness.worker import Settings, Train, serve


def prepare(settings: Settings) -> Train:
    torch.set_num_threads(settings.threads)

    def make(epochs: int) -> BernoulliRBM:
        return BernoulliRBM(
            n_components=settings.sizes[1],
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            n_iter=epochs,
            random_state=settings.seed,
            shuffle=settings.shuffle,
            dtype="bf16-mixed" if settings.precision == "bf16-mixed" else "input",
        )

    return training(settings, make)


if __name__ == "__main__":
    serve(prepare)

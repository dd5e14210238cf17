"""scikit-learn's BernoulliRBM. `fit` is its own loop over batches; `partial_fit` would check every batch anew."""

import numpy as np
from sklearn.neural_network import BernoulliRBM

from harness.worker import Settings, Train, Trained, serve


def prepare(settings: Settings) -> Train:
    data = np.load(settings.data)

    def train(epochs: int) -> Trained:
        rbm = BernoulliRBM(
            n_components=settings.sizes[1],
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            n_iter=epochs,
            random_state=settings.seed,
        ).fit(data)
        parameters = {
            "weight": rbm.components_,
            "visible_bias": rbm.intercept_visible_,
            "hidden_bias": rbm.intercept_hidden_,
        }
        return Trained(epochs * len(data), {k: np.asarray(v, np.float32) for k, v in parameters.items()})

    return train


if __name__ == "__main__":
    serve(prepare)

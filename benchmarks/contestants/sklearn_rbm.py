"""scikit-learn's BernoulliRBM. `fit` is its own loop over batches; `partial_fit` would check every batch anew."""

from sklearn.neural_network import BernoulliRBM

from harness.estimator import training
from harness.worker import Settings, Train, serve


def prepare(settings: Settings) -> Train:
    def make(epochs: int) -> BernoulliRBM:
        return BernoulliRBM(
            n_components=settings.sizes[1],
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            n_iter=epochs,
            random_state=settings.seed,
        )

    return training(settings, make)


if __name__ == "__main__":
    serve(prepare)

"""Contestants that have scikit-learn's interface: `fit`, and the same attributes afterwards."""

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.worker import Settings, Train, Trained


def training(settings: Settings, make: Callable[[int], Any]) -> Train:
    """Train what `make` gives for a number of epochs, with data of the type that the precision says."""
    dtype = np.float64 if settings.precision == "float64" else np.float32
    data = np.load(settings.data).astype(dtype, copy=False)

    def train(epochs: int) -> Trained:
        rbm = make(epochs).fit(data)
        parameters = {
            "weight": rbm.components_,
            "visible_bias": rbm.intercept_visible_,
            "hidden_bias": rbm.intercept_hidden_,
        }
        return Trained(epochs * len(data), {k: np.asarray(v, np.float32) for k, v in parameters.items()})

    return train

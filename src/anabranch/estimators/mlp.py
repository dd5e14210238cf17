"""`MLPClassifier`: a multilayer perceptron, trained by back-propagation."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from anabranch.build import build_network
from anabranch.comm.base import Communicator
from anabranch.config import Config, ModelOptions, TrainingOptions
from anabranch.estimators.classifier import Auto, NetworkClassifier
from anabranch.estimators.notes import Notes
from anabranch.estimators.parameters import (
    Arithmetic,
    RandomState,
    choice,
    precision,
    real,
    real_or_none,
    seed_of,
    whole,
)
from anabranch.models import Activation
from anabranch.objectives.base import weight_dtype
from anabranch.optim import RuleName, Schedule
from anabranch.plans import TRAINING, check_momentum, training_plan
from anabranch.strategies import Strategy
from anabranch.strategies.shard import Rows


class MLPClassifier(NetworkClassifier):
    """A multilayer perceptron with a softmax layer: what `anabranch train --model mlp` trains.

    The names are scikit-learn's where the meaning is; one parameter `learning_rate` takes the place of its two.

    Args:
        hidden_layer_sizes: units of each hidden layer.
        activation: of the hidden units; sigmoid ones train fastest here.
        solver: update rule. An adaptive one (adagrad, adam, adamw) wants a learning rate of about 0.001.
        learning_rate: at the start.
        schedule: course of the learning rate over `max_iter` epochs.
        momentum: of sgd, the only solver that it goes with; None: 0.9, or 0 under the strategies that are plain in
            their papers (downpour and others).
        alpha: L2 penalty, divided by the examples of a minibatch, as in scikit-learn.
        batch_size: examples of a minibatch on each worker; auto: 100, or less where the data are few.
        max_iter: epochs.
        tol: end before that, once the RMS error has not fallen by this fraction of itself for three epochs.
        strategy: how workers learn together: a name of `anabranch train --strategy`, or an object such as
            `Averaging(every=16)`, which gets its update rule from the parameters here.
        workers: simulated workers, all in this process: what MPI would give, bit for bit where they go in step.
        dtype: of the arithmetic; bf16-mixed: bfloat16 products; input: that of X.
        verbose: whether to print a line an epoch.
        random_state: a whole number makes every fit the same, bit for bit; it is the seed of `anabranch train --seed`.

    Attributes:
        classes_: the labels, in the order of the outputs.
        coefs_: weights of the layers, each [units below, units above].
        intercepts_: their biases, each [units above].
        loss_curve_: mean cross-entropy of each epoch, as the minibatches met it.
        loss_: the last of them.
        n_iter_: their number.
        n_features_in_: features seen by `fit`.
        feature_names_in_: their names, if X has names.
    """

    _TASK = TRAINING
    _RATES = ("learning_rate",)
    _SUPERVISION = staticmethod(training_plan)

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        *,
        activation: Activation = "relu",
        solver: RuleName = "sgd",
        learning_rate: float = 0.1,
        schedule: Schedule = "constant",
        momentum: float | None = None,
        alpha: float = 0.0,
        batch_size: int | Auto = "auto",
        max_iter: int = 20,
        tol: float | None = None,
        strategy: str | Strategy = "averaging",
        workers: int = 1,
        dtype: Arithmetic = "float32",
        verbose: int = 0,
        random_state: RandomState = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.alpha = alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.strategy = strategy
        self.workers = workers
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    def _config(self, x: Any, schedule: Schedule) -> Config:
        tol = real_or_none(self, "tol")
        training = TrainingOptions(
            epochs=whole(self, "max_iter", 1),
            batch_size=self._batch(x.shape[0]),
            optimizer=choice(self, "solver", RuleName),
            learning_rate=real(self, "learning_rate", positive=True),
            momentum=real_or_none(self, "momentum", below=1),
            early_epochs=0,
            schedule=schedule,
            penalty=real(self, "alpha"),
            stop="epochs" if tol is None else "convergence",
            tolerance=tol or 0.0,
            seed=seed_of(self.random_state),
            dtype=precision(self.dtype, x.dtype),
        )
        check_momentum(training.momentum, training.optimizer)
        model = f"mlp:{self._sizes(x)}-{len(self.classes_)}"
        described = ModelOptions(model=model, activation=choice(self, "activation", Activation))
        return Config(model=described, parallel=self._parallel(), training=training)

    def _begin(self, config: Config, rows: Rows, comm: Communicator, notes: Notes) -> nn.Module:  # noqa: ARG002
        dtype = weight_dtype(config.training.precision)
        return build_network(config.model, config.training.seed, dtype)

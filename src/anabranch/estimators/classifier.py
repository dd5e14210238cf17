"""What `MLPClassifier` and `DBNClassifier` share: labels, epochs on simulated workers, predictions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.config import Config, ParallelOptions
from anabranch.errors import UsageError
from anabranch.estimators.notes import Notes
from anabranch.estimators.parameters import (
    Arithmetic,
    RandomState,
    accepted,
    choice,
    chosen,
    fitting,
    in_its_manner,
    strategy_name,
    whole,
)
from anabranch.estimators.persistence import Kept
from anabranch.estimators.rows import CHUNK, Matrix, as_tensor, rows_of
from anabranch.kernels import Array
from anabranch.models import Activation, mlp
from anabranch.objectives.base import weight_dtype
from anabranch.optim import RuleName, Schedule
from anabranch.plans import batch_size
from anabranch.strategies import EpochReport, FixedEpochs, Shard, Strategy, TaskState
from anabranch.strategies.shard import Rows
from anabranch.supervise import Supervision, supervise

Auto = Literal["auto"]
Begin = Callable[[Communicator, Notes], nn.Module]
"""Makes the network with which a worker begins."""

_UNITS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "tanh": torch.tanh,
}


class NetworkClassifier(ClassifierMixin, Kept, BaseEstimator, ABC):
    """A feed-forward network with a softmax layer on top. Its parameters are the options of a run (`Config`)."""

    _TASK: str
    _RATES: tuple[str, ...]  # parameters that may be too high
    _SUPERVISION: Callable[[Config], Supervision]

    hidden_layer_sizes: int | Sequence[int]
    activation: Activation
    dropout: float = 0.0
    solver: RuleName
    schedule: Schedule
    batch_size: int | Auto
    strategy: str | Strategy
    workers: int
    dtype: Arithmetic
    verbose: int
    random_state: RandomState

    @abstractmethod
    def _config(self, x: Any, schedule: Schedule) -> Config:
        """The parameters as options, for x [n, n_features]."""

    @abstractmethod
    def _begin(self, config: Config, rows: Rows, comm: Communicator, notes: Notes) -> nn.Module:
        """The network before that."""

    def fit(self, X: Matrix, y: Any) -> Self:
        """Train from the beginning on X [n, n_features], dense or CSR, and labels y [n] of any type.

        Raises:
            ValueError: a parameter, X or y is none that can be used, or the training diverged.
        """
        with in_its_manner(self, *self._RATES):
            x, y = self._checked(X, y, reset=True)
            self.classes_, labels = np.unique(y, return_inverse=True)
            config = self._config(x, choice(self, "schedule", Schedule))
            rows = rows_of(x, torch.from_numpy(labels))
            network, notes = self._train(config, self._plan(config), rows, partial(self._begin, config, rows))
        self._going_on: tuple[str, list[TaskState]] | None = None
        return self._take(network, notes[0].losses[self._TASK])

    def partial_fit(self, X: Matrix, y: Any, classes: Any = None) -> Self:
        """Go on with one epoch over X and y, at a constant learning rate. The first call needs all `classes`.

        Between calls of `partial_fit` momentum goes on, too: n of them, with the same data and whole `random_state`,
        give the bits of `fit` with `max_iter=n` and a constant schedule. Strategies at their own pace go on from the
        weights alone, and `post-local` must be told when to change, `PostLocal(local_after=…)`.

        Raises:
            ValueError: as `fit`; or y has a label that is no class.
        """
        first = not hasattr(self, "coefs_")
        with in_its_manner(self, *self._RATES):
            x, y = self._checked(X, y, reset=first)
            if first:
                self.classes_ = _all_classes(classes)
            elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
                raise UsageError(f"partial_fit was begun with other classes, {self.classes_.tolist()}: give the same.")
            config, rows = self._config(x, "constant"), rows_of(x, _numbers(y, self.classes_))
            return self._one_epoch(config, rows, first=first)

    def predict(self, X: Matrix) -> Array:
        """The likeliest class of each row of X: [n, n_features] to [n]."""
        best = self._logits(X).argmax(1).numpy()
        labels: Array = self.classes_[best]
        return labels

    def predict_proba(self, X: Matrix) -> Array:
        """The probability of each class, in the order of `classes_`: [n, n_features] to [n, classes]."""
        return self._logits(X).softmax(1).numpy()

    def predict_log_proba(self, X: Matrix) -> Array:
        """Its logarithm."""
        return self._logits(X).log_softmax(1).numpy()

    def _one_epoch(self, config: Config, rows: Rows, *, first: bool) -> Self:
        plan = self._plan(config)
        under = f"{type(plan.strategy).__name__}, {self.solver}, {self.workers}"
        known, states = self._going_on if not first and self._going_on else ("", [])
        states = states if known == under else []
        made = len(states[0].errors) if states else 0
        plan = replace(plan, stopping=FixedEpochs(made + 1), by_error=False)
        begin: Begin = partial(self._begin, config, rows) if first else lambda _comm, _notes: self._same()
        network, notes = self._train(config, plan, rows, begin, states, keep=True)
        own = notes[0].states[self._TASK]
        self._going_on = under, [each.states.get(self._TASK, replace(own, tensors={})) for each in notes]
        losses = [] if first else self.loss_curve_
        return self._take(network, [*losses, *notes[0].losses[self._TASK]])

    def _train(
        self,
        config: Config,
        plan: Supervision,
        rows: Rows,
        begin: Begin,
        states: Sequence[TaskState] = (),
        *,
        keep: bool = False,
    ) -> tuple[nn.Module, list[Notes]]:
        """The network as the first worker has it in the end, and what all noted."""
        batch, dtype = batch_size(config, len(rows)), weight_dtype(plan.precision)

        def program(comm: Communicator) -> tuple[nn.Module, Notes]:
            restored = {self._TASK: states[comm.rank]} if states else None
            notes = Notes(restored=restored, keep=keep, say=self._say if self.verbose and not comm.rank else None)
            network = begin(comm, notes)
            shard = Shard.of(rows, comm, batch, config.training.seed, dtype)
            supervise(network, shard, plan, comm, notes, self._TASK)
            return network, notes

        results = SimulatedWorld(config.parallel.workers).run(program)
        return results[0][0], [notes for _, notes in results]

    def _take(self, network: nn.Module, losses: list[float]) -> Self:
        linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
        self.coefs_ = [layer.weight.detach().t().contiguous().numpy() for layer in linear]
        self.intercepts_ = [layer.bias.detach().clone().numpy() for layer in linear]
        self.loss_curve_, self.loss_, self.n_iter_ = losses, losses[-1], len(losses)
        return self

    def _plan(self, config: Config) -> Supervision:
        """How the network is trained."""
        plan = type(self)._SUPERVISION(config)
        return replace(plan, strategy=chosen(self.strategy, plan.strategy))

    def _same(self) -> nn.Module:
        """The network that the attributes describe."""
        sizes = [*(len(weights) for weights in self.coefs_), len(self.classes_)]
        dtype, chance = as_tensor(self.intercepts_[0]).dtype, torch.Generator()
        network = mlp(sizes, activation=self.activation, dropout=self.dropout, generator=chance, dtype=dtype)
        linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for layer, weights, biases in zip(linear, self.coefs_, self.intercepts_, strict=True):
                layer.weight.copy_(as_tensor(weights).t())
                layer.bias.copy_(as_tensor(biases))
        return network

    @torch.no_grad()
    def _logits(self, X: Matrix) -> Tensor:
        check_is_fitted(self, "coefs_")
        x = validate_data(self, X, accept_sparse="csr", dtype=[self.coefs_[0].dtype], reset=False)
        layers = [(as_tensor(w), as_tensor(b)) for w, b in zip(self.coefs_, self.intercepts_, strict=True)]
        parts = []
        for batch in rows_of(x).chunks(CHUNK, layers[0][0].dtype):
            o = batch.x
            for number, (weights, biases) in enumerate(layers):
                o = torch.addmm(biases, _UNITS[self.activation](o) if number else o, weights)
            parts.append(o)
        return torch.cat(parts)

    def _checked(self, X: Matrix, y: Any, *, reset: bool) -> Any:
        kinds = accepted(choice(self, "dtype", Arithmetic)) if reset else [self.coefs_[0].dtype]
        x, labels = validate_data(self, X, y, accept_sparse="csr", dtype=kinds, reset=reset)
        check_classification_targets(labels)
        return x, labels

    def _parallel(self) -> ParallelOptions:
        return ParallelOptions(strategy=strategy_name(self.strategy), workers=whole(self, "workers", 1))

    def _batch(self, examples: int) -> int | None:
        asked = None if self.batch_size == "auto" else whole(self, "batch_size", 1)
        return None if asked is None else fitting(asked, examples, whole(self, "workers", 1))

    def _sizes(self, x: Any) -> str:
        """Of all layers but the last, as in `mlp:784-500-10`.

        Raises:
            UsageError: they are no sizes.
        """
        hidden: Any = self.hidden_layer_sizes
        sizes = list(hidden) if np.iterable(hidden) else [hidden]
        if not all(isinstance(size, Integral) and int(size) > 0 for size in sizes):
            raise UsageError(f"hidden_layer_sizes must be whole numbers of 1 or more, not {hidden!r}.")
        return "-".join(str(int(size)) for size in (x.shape[1], *sizes))

    def _say(self, report: EpochReport, seconds: float) -> None:
        what = f"{report.task}, epoch {report.epoch + 1}: {report.quantity} {report.error:.4g}"
        print(f"[{type(self).__name__}] {what}, {seconds:.2f} s", flush=True)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _all_classes(classes: Any) -> Array:
    if classes is None:
        raise UsageError("the first call of partial_fit needs classes, all labels that will ever come.")
    return np.unique(classes)


def _numbers(y: Array, classes: Array) -> Tensor:
    unknown = np.setdiff1d(y, classes)
    if unknown.size:
        raise UsageError(f"y has the label {unknown.tolist()[0]!r}, which is none of the classes {classes.tolist()}.")
    return torch.from_numpy(np.searchsorted(classes, y))

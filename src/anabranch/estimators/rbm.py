"""`BernoulliRBM`: takes the place of scikit-learn's."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from anabranch.errors import UsageError
from anabranch.estimators.boltzmann import Learner
from anabranch.estimators.parameters import (
    Arithmetic,
    RandomState,
    accepted,
    choice,
    chosen,
    draw_seed,
    fitting,
    in_its_manner,
    precision,
    real,
    strategy_name,
    whole,
)
from anabranch.estimators.persistence import Kept
from anabranch.estimators.rows import CHUNK, Matrix, as_tensor, rows_of
from anabranch.kernels import Array
from anabranch.models import RBM
from anabranch.optim import Rule
from anabranch.strategies import EpochReport, SampledAveraging, Strategy, strategy
from anabranch.strategies.catalogue import Options

Algorithm = Literal["pcd", "cd"]
INITIAL_STD = 0.01  # of weights, as in scikit-learn


class BernoulliRBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Kept, BaseEstimator):
    """A restricted Boltzmann machine with binary units, in the place of `sklearn.neural_network.BernoulliRBM`.

    The parameters up to `random_state` and all attributes are scikit-learn's. So is the algorithm where the others are
    left alone: persistent contrastive divergence (Tieleman 2008) with `batch_size` chains, each of which takes one
    Gibbs step for a minibatch; plain gradient descent; initial weights that are the same for the same `random_state`.
    It differs in that examples are shuffled in each epoch, unless `shuffle` is False, and that minibatches of an epoch
    differ in size by one at most. Values outside [0, 1] are taken as they come, but mean nothing to a binary unit.

    Args:
        n_components: hidden units.
        learning_rate: of plain gradient descent, on the mean over a minibatch.
        batch_size: examples of a minibatch on each worker, and persistent chains; the smallest shard, if that is less.
        n_iter: epochs of `fit`; 0 leaves the initial weights.
        verbose: whether `fit` prints the pseudo-likelihood after each epoch.
        random_state: a whole number makes every fit the same, bit for bit.
        algorithm: pcd: persistent chains. cd: contrastive divergence as in Hinton's guide (2010), on probabilities.
        gibbs_steps: of each update (k of CD-k).
        momentum: of gradient descent.
        weight_cost: L2 penalty's factor on the weights.
        shuffle: whether each epoch has an order of its own; scikit-learn takes the examples as they come.
        dtype: of the arithmetic. input: float32 where X is of that type, else float64, as scikit-learn has it. float32:
            about twice as fast as float64. bf16-mixed: bfloat16 products, faster where the processor has them.
        strategy: how workers learn together: a name of `anabranch train --strategy`, or an object such as
            `Averaging(every=16)`, which gets its update rule from the parameters here.
        workers: simulated workers of `fit`, all in this process: what MPI would give, bit for bit where they go in
            step.

    Attributes:
        components_: weights [n_components, n_features].
        intercept_hidden_: biases of the hidden units [n_components].
        intercept_visible_: biases of the visible units [n_features].
        h_samples_: binary hidden states of the persistent chains [batch_size, n_components], the first worker's; no
            rows under cd.
        n_features_in_: features seen by `fit`.
        feature_names_in_: their names, if X has names.
    """

    _velocity: Array | None = None  # of momentum, between two calls of `partial_fit`

    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: float = 0.1,
        batch_size: int = 10,
        n_iter: int = 10,
        verbose: int = 0,
        random_state: RandomState = None,
        algorithm: Algorithm = "pcd",
        gibbs_steps: int = 1,
        momentum: float = 0.0,
        weight_cost: float = 0.0,
        shuffle: bool = True,
        dtype: Arithmetic = "input",
        strategy: str | Strategy = "averaging",
        workers: int = 1,
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.verbose = verbose
        self.random_state = random_state
        self.algorithm = algorithm
        self.gibbs_steps = gibbs_steps
        self.momentum = momentum
        self.weight_cost = weight_cost
        self.shuffle = shuffle
        self.dtype = dtype
        self.strategy = strategy
        self.workers = workers

    def fit(self, X: Matrix, y: object = None) -> Self:  # noqa: ARG002 - for pipelines
        """Train from the beginning on X [n, n_features], dense or CSR; sparse rows are made dense batch by batch.

        Raises:
            ValueError: a parameter or X is none that can be used, or the training diverged.
        """
        with in_its_manner(self, "learning_rate"):
            x = self._checked(X, accepted(choice(self, "dtype", Arithmetic)), reset=True)
            learner, epochs = self._learner(x.shape[0], x.dtype), whole(self, "n_iter", 0)
            chance = check_random_state(self.random_state)
            rbm = self._initial(chance, x)
            states = learner.silent(rbm)
            if epochs:
                say = partial(self._announce, x) if self.verbose else None
                rbm, states = learner.fit(rbm, rows_of(x), epochs, draw_seed(chance), say)
        return self._take(rbm, states, None)

    def partial_fit(self, X: Matrix, y: object = None) -> Self:  # noqa: ARG002
        """Go on with one step, of one worker: all of X is one minibatch.

        Raises:
            ValueError: as `fit`.
        """
        first = not hasattr(self, "components_")
        with in_its_manner(self, "learning_rate"):
            kinds = accepted(choice(self, "dtype", Arithmetic)) if first else [self.components_.dtype]
            x = self._checked(X, kinds, reset=first)
            learner, chance = self._learner(x.shape[0], x.dtype), self._stream()
            rbm = self._initial(chance, x) if first else self._machine(x.dtype)
            states = learner.silent(rbm) if first else as_tensor(self.h_samples_)
            if bool(len(states)) != bool(learner.chains):  # the algorithm is another one than before
                states = learner.silent(rbm)
            velocity = None if first or self._velocity is None else as_tensor(self._velocity)
            (batch,) = rows_of(x).chunks(x.shape[0], rbm.weight.dtype)
            learner = replace(learner, chains=len(states))
            states, velocity = learner.step(rbm, batch, states, velocity, draw_seed(chance))
        return self._take(rbm, states, velocity)

    def transform(self, X: Matrix) -> Array:
        """The hidden units' probabilities, P(h = 1 | v = X): [n, n_features] to [n, n_components]."""
        x = self._given(X)
        return _pass(self._machine(x.dtype), x)

    def gibbs(self, v: Matrix) -> Array:
        """Visible states, bool, after one Gibbs step from `v` [n, n_features] or [n_features].

        Random numbers are drawn as scikit-learn draws them, from one stream for all calls.
        """
        one = np.ndim(v) == 1
        x = self._given(np.reshape(v, (1, -1)) if one else v)
        rbm, chance = self._machine(x.dtype), self._stream()
        h = _draw(_pass(rbm, x), chance).astype(x.dtype)
        states = _draw(_pass(rbm.visible_mean, h), chance)
        return states[0] if one else states

    def free_energy(self, X: Matrix) -> Array:
        """F(v) = -log Σ_h exp(-E(v, h)) of each row: [n, n_features] to [n]."""
        x = self._given(X)
        return _pass(self._machine(x.dtype).free_energy, x)

    def score_samples(self, X: Matrix) -> Array:
        """Pseudo-likelihood of each row of X [n, n_features], which should be binary: [n], in nats.

        As in scikit-learn one random unit of each row is flipped, the same ones for the same `random_state`.
        """
        x = self._given(X)
        return self._scores(self._machine(x.dtype), x)

    @classmethod
    def _of(cls, rbm: RBM, learning_rate: float) -> Self:
        """A fitted estimator with the weights of `rbm`, which are shared, and chains that are silent."""
        estimator = cls(rbm.hidden, learning_rate=learning_rate)
        estimator.n_features_in_ = rbm.visible
        states = torch.zeros(estimator.batch_size, rbm.hidden, dtype=rbm.weight.dtype)
        return estimator._take(rbm, states, None)

    def _scores(self, rbm: RBM, x: Any) -> Array:
        units = torch.from_numpy(check_random_state(self.random_state).randint(0, x.shape[1], x.shape[0]))
        parts = zip(rows_of(x).chunks(CHUNK, rbm.weight.dtype), torch.split(units, CHUNK), strict=True)
        return torch.cat([rbm.pseudo_likelihood_at(batch.x, unit) for batch, unit in parts]).numpy()

    def _announce(self, x: Any, rbm: RBM, report: EpochReport, seconds: float) -> None:
        score = float(self._scores(rbm, x).mean())
        name = type(self).__name__
        print(f"[{name}] Iteration {report.epoch + 1}, pseudo-likelihood = {score:.2f}, time = {seconds:.2f}s")

    def _learner(self, examples: int, dtype: np.dtype[Any]) -> Learner:
        name, workers, batch = strategy_name(self.strategy), whole(self, "workers", 1), whole(self, "batch_size", 1)
        rule = Rule("sgd", real(self, "learning_rate", positive=True), real(self, "momentum", below=1))
        named = strategy(name, rule, Options())
        if isinstance(named, SampledAveraging):
            raise UsageError(f"{name} goes down a loss, and contrastive divergence has none: use another strategy.")
        return Learner(
            strategy=chosen(self.strategy, named),
            rule=rule,
            workers=workers,
            batch_size=fitting(batch, examples, workers),
            k=whole(self, "gibbs_steps", 1),
            chains=batch if choice(self, "algorithm", Algorithm) == "pcd" else 0,
            weight_cost=real(self, "weight_cost"),
            precision=precision(self.dtype, dtype),
            shuffle=bool(self.shuffle),
        )

    def _initial(self, chance: np.random.RandomState, x: Any) -> RBM:
        """With weights as scikit-learn draws them."""
        hidden, visible = whole(self, "n_components", 1), x.shape[1]
        weights = chance.normal(0, INITIAL_STD, (hidden, visible)).astype(x.dtype)
        return RBM.of(torch.from_numpy(weights), *(torch.zeros(n, dtype=_torch(x.dtype)) for n in (visible, hidden)))

    def _take(self, rbm: RBM, states: Tensor, velocity: Tensor | None) -> Self:
        self.components_, self.intercept_visible_, self.intercept_hidden_ = (p.numpy() for p in rbm.parameters())
        self.h_samples_ = states.numpy()
        self._velocity = None if velocity is None else velocity.numpy()
        return self

    def _machine(self, dtype: np.dtype[Any]) -> RBM:
        """The model that the attributes describe."""
        kept = (self.components_, self.intercept_visible_, self.intercept_hidden_)
        return RBM.of(*(as_tensor(np.asarray(array, dtype)) for array in kept))

    def _given(self, X: Matrix) -> Any:
        """X, checked, in its own type or that of the weights, whichever is wider."""
        check_is_fitted(self, "components_")
        x = self._checked(X, [np.float64, np.float32], reset=False)
        return x.astype(np.result_type(x.dtype, self.components_.dtype), copy=False)

    def _checked(self, X: Matrix, kinds: list[Any], *, reset: bool) -> Any:
        return validate_data(self, X, accept_sparse="csr", dtype=kinds, reset=reset)

    def _stream(self) -> np.random.RandomState:
        if not hasattr(self, "random_state_"):
            self.random_state_: np.random.RandomState = check_random_state(self.random_state)
        return self.random_state_

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64"] if self.dtype == "float64" else ["float64", "float32"]
        return tags


@torch.no_grad()
def _pass(function: Callable[[Tensor], Tensor], x: Any) -> Array:
    """`function` of all rows of x, some at a time."""
    return torch.cat([function(batch.x) for batch in rows_of(x).chunks(CHUNK, _torch(x.dtype))]).numpy()


def _draw(probability: Array, chance: np.random.RandomState) -> Array:
    return chance.uniform(size=probability.shape) < probability


def _torch(dtype: np.dtype[Any]) -> torch.dtype:
    return torch.float32 if dtype == np.float32 else torch.float64

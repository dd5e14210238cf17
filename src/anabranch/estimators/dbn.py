"""`DBNClassifier`: a deep belief network, pretrained layer by layer and fine-tuned with labels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from anabranch.build import build_network, with_classes
from anabranch.comm.base import Communicator
from anabranch.config import Config, FineTuningOptions, ModelOptions, TrainingOptions
from anabranch.errors import UsageError
from anabranch.estimators.classifier import Auto, NetworkClassifier
from anabranch.estimators.notes import Notes
from anabranch.estimators.parameters import (
    Arithmetic,
    RandomState,
    choice,
    chosen,
    precision,
    real,
    real_or_none,
    seed_of,
    whole,
)
from anabranch.estimators.rbm import BernoulliRBM
from anabranch.models import DBN, Activation
from anabranch.objectives.base import pattern_dtype, weight_dtype
from anabranch.optim import RuleName, Schedule
from anabranch.plans import FINE_TUNING, batch_size, check_momentum, finetuning_plan, pretraining_plan
from anabranch.pretrain import pretrain
from anabranch.strategies import Shard, Strategy
from anabranch.strategies.shard import Rows


class DBNClassifier(NetworkClassifier):
    """A deep belief network with a softmax layer: what `anabranch train --model dbn` trains.

    Restricted Boltzmann machines with binary units learn one after another, each from the hidden activities of the one
    below (Hinton, Osindero & Teh 2006); then back-propagation fine-tunes them all, with a softmax layer on top. X
    should lie in [0, 1]; other values are taken as they come.

    Args:
        hidden_layer_sizes: units of each layer.
        pretrain_iter: epochs of each layer; 0: no pretraining, for comparison.
        pretrain_learning_rate: of contrastive divergence.
        pretrain_momentum: None: 0.9, or 0 under the strategies that are plain in their papers; at most 0.5 in the first
            five epochs.
        weight_cost: L2 penalty's factor on the weights, in pretraining.
        gibbs_steps: of contrastive divergence (k of CD-k).
        persistent: whether its chains go on from one minibatch to the next.
        max_iter: epochs of fine-tuning.
        solver: update rule of fine-tuning.
        learning_rate: at the start of fine-tuning.
        schedule: course of that rate over `max_iter` epochs.
        momentum: of fine-tuning by sgd, the only solver that it goes with; None as for `pretrain_momentum`.
        dropout: probability with which a hidden unit is left out of a step of fine-tuning.
        tol: end fine-tuning before `max_iter`, once the RMS error has not fallen by this fraction of itself for three
            epochs.
        batch_size: examples of a minibatch on each worker; auto: 100, or less where the data are few.
        strategy: as of `MLPClassifier`, for all of the training.
        workers: likewise.
        dtype: likewise.
        verbose: likewise.
        random_state: likewise.

    Attributes:
        rbms_: the pretrained machines, lowest first, before fine-tuning: each a fitted `BernoulliRBM`.
        pretrain_curves_: reconstruction error of each epoch, for each layer.
        classes_: as of `MLPClassifier`, and so are all others.
    """

    activation: Activation = "sigmoid"
    _TASK = FINE_TUNING
    _RATES = ("pretrain_learning_rate", "learning_rate")
    _SUPERVISION = staticmethod(finetuning_plan)

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (500, 500, 2000),
        *,
        pretrain_iter: int = 20,
        pretrain_learning_rate: float = 0.1,
        pretrain_momentum: float | None = None,
        weight_cost: float = 0.0002,
        gibbs_steps: int = 1,
        persistent: bool = False,
        max_iter: int = 20,
        solver: RuleName = "sgd",
        learning_rate: float = 0.5,
        schedule: Schedule = "cosine",
        momentum: float | None = None,
        dropout: float = 0.0,
        tol: float | None = None,
        batch_size: int | Auto = "auto",
        strategy: str | Strategy = "averaging",
        workers: int = 1,
        dtype: Arithmetic = "float32",
        verbose: int = 0,
        random_state: RandomState = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.pretrain_iter = pretrain_iter
        self.pretrain_learning_rate = pretrain_learning_rate
        self.pretrain_momentum = pretrain_momentum
        self.weight_cost = weight_cost
        self.gibbs_steps = gibbs_steps
        self.persistent = persistent
        self.max_iter = max_iter
        self.solver = solver
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.dropout = dropout
        self.tol = tol
        self.batch_size = batch_size
        self.strategy = strategy
        self.workers = workers
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    def _config(self, x: Any, schedule: Schedule) -> Config:
        momentum = real_or_none(self, "pretrain_momentum", below=1)
        pretraining = TrainingOptions(
            epochs=whole(self, "pretrain_iter", 0),
            batch_size=self._batch(x.shape[0]),
            learning_rate=real(self, "pretrain_learning_rate", positive=True),
            momentum=momentum,
            early_momentum=None if momentum is None else min(momentum, 0.5),
            weight_cost=real(self, "weight_cost"),
            gibbs_steps=whole(self, "gibbs_steps", 1),
            persistent=bool(self.persistent),
            seed=seed_of(self.random_state),
            dtype=precision(self.dtype, x.dtype),
        )
        if np.size(self.hidden_layer_sizes) == 0:
            raise UsageError("a DBN needs at least one hidden layer: give its units, as in hidden_layer_sizes=(500,).")
        model = ModelOptions(model=f"dbn:{self._sizes(x)}")
        return Config(
            model=model, parallel=self._parallel(), training=pretraining, finetuning=self._fine_tuning(x, schedule)
        )

    def _fine_tuning(self, x: Any, schedule: Schedule) -> FineTuningOptions:
        tol = real_or_none(self, "tol")
        options = FineTuningOptions(
            finetune_epochs=whole(self, "max_iter", 1),
            finetune_batch_size=self._batch(x.shape[0]),
            finetune_optimizer=choice(self, "solver", RuleName),
            finetune_learning_rate=real(self, "learning_rate", positive=True),
            finetune_momentum=real_or_none(self, "momentum", below=1),
            finetune_schedule=schedule,
            finetune_dropout=real(self, "dropout", below=1),
            finetune_stop="epochs" if tol is None else "convergence",
            finetune_tolerance=tol or 0.0,
        )
        check_momentum(options.finetune_momentum, options.finetune_optimizer)
        return options

    def _begin(self, config: Config, rows: Rows, comm: Communicator, notes: Notes) -> nn.Module:
        options = config.training
        dbn = build_network(config.model, options.seed, weight_dtype(options.precision))
        assert isinstance(dbn, DBN)
        if options.epochs:
            batch = batch_size(config, len(rows))
            plan = pretraining_plan(config, batch)
            plan = replace(plan, strategy=chosen(self.strategy, plan.strategy))
            shard = Shard.of(rows, comm, batch, options.seed, pattern_dtype(options.precision))
            pretrain(dbn, shard, plan, comm, notes)
        if comm.rank == 0:
            self.rbms_ = [BernoulliRBM._of(rbm, options.learning_rate) for rbm in dbn.layers]
            self.pretrain_curves_ = list(notes.losses.values())
        return with_classes(dbn, len(self.classes_), config.finetuning.finetune_dropout, options.seed)

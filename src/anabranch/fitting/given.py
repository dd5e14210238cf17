"""What a Python program gives to `fit`, and the options that a run makes of it."""

import copy
import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anabranch.build import Build, try_out
from anabranch.cluster import Cluster, load_cluster, to_toml
from anabranch.config import Config, ModelOptions, read_toml, updated
from anabranch.data import Dataset, Scale, Source, as_dataset
from anabranch.environment import environment
from anabranch.errors import UsageError
from anabranch.files import write_json, write_text
from anabranch.models import DBN
from anabranch.objectives import Loss
from anabranch.objectives.base import weight_dtype
from anabranch.optim import Rule
from anabranch.plans import check_momentum
from anabranch.progress import Display
from anabranch.runfolder import PROGRAM, RunFolder
from anabranch.session import fitted
from anabranch.strategies import Strategy
from anabranch.strategies.catalogue import entry_of, lent, registered
from anabranch.trainer import Parts

StrategyLike = str | Strategy | type[Strategy]
"""A name; an object, with its own update rule; or a class, which gets the rule that `fit` is told of."""


@dataclass(frozen=True)
class Given:
    """A model, data and a loss, as they were given.

    Attributes:
        model: a module, or the name of one.
        data: to train on.
        test: to be tested on.
        loss: in place of the cross-entropy.
        test_fraction: as for `anabranch.data.load`.
        scale: as for `anabranch.data.load`.
    """

    model: nn.Module | str
    data: Source
    test: Source | None = None
    loss: Loss | None = None
    test_fraction: float = 0.2
    scale: Scale = "auto"

    def __post_init__(self) -> None:
        if self.loss is not None and isinstance(self.model, str | DBN):
            raise UsageError("a loss goes with a module of your own: what has a name, or is a DBN, has its own loss.")
        if self.loss is not None and not callable(self.loss):
            raise UsageError(f"the loss is {self.loss!r}: give a function, such as torch.nn.functional.mse_loss.")
        if not isinstance(self.model, str | nn.Module):
            raise UsageError(
                f"a {type(self.model).__name__} is no model: give a torch.nn.Module, or a name: 'mlp:784-500-10'."
            )

    def options(self) -> dict[str, dict[str, Any]]:
        """What the run's options say of them."""
        data = self.data if isinstance(self.data, str) else f"{PROGRAM}{type(self.data).__name__}"
        model: dict[str, Any] = {"model": self.model}
        if isinstance(self.model, DBN):
            sizes = [self.model.layers[0].visible, *(layer.hidden for layer in self.model.layers)]
            model = {"model": f"dbn:{'-'.join(map(str, sizes))}", "units": self.model.layers[0].units}
        elif isinstance(self.model, nn.Module):
            model = {"model": f"{PROGRAM}{type(self.model).__name__}"}
        return {
            "data": {"data": data, "test_fraction": self.test_fraction, "scale": self.scale},
            "model": model,
        }

    def load(self, config: Config) -> tuple[Dataset, Parts]:
        """The data, and what the trainer needs of the rest.

        Raises:
            UsageError, DataError: they do not fit together.
        """
        dataset, shape = as_dataset(
            self.data,
            self.test,
            regression=self.loss is not None,
            seed=config.training.seed,
            test_fraction=self.test_fraction,
            scale=self.scale,
        )
        if isinstance(self.model, str):
            return dataset, Parts()
        build = _copies(self.model, shape)
        if isinstance(self.model, DBN):
            return dataset, Parts(build=build)
        dtype = weight_dtype("float32" if config.training.dtype == "auto" else config.training.dtype)
        tried = build(config.model, dataset, config.training.seed, dtype)
        name = type(self.model).__name__
        return dataset, Parts(build, self.loss, try_out(name, tried, dataset, dtype, self.loss))


def _copies(module: nn.Module, shape: tuple[int, ...] | None) -> Build:
    """Makes each rank's model, a copy of `module`; it is given examples in their `shape`, if they have one."""

    def build(_options: ModelOptions, _dataset: Dataset, _seed: int, dtype: torch.dtype) -> nn.Module:
        try:
            copied = copy.deepcopy(module).to(dtype)
        except Exception as error:  # a user's code may raise anything
            raise UsageError(
                f"{type(module).__name__} cannot be copied for a worker ({error}): make it one that deepcopy takes."
            ) from error
        if shape is not None:
            copied.register_forward_pre_hook(_in_shape(shape))
        return copied

    return build


def _in_shape(shape: tuple[int, ...]) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
    return lambda _module, inputs: (inputs[0].reshape(-1, *shape), *inputs[1:])


@contextmanager
def named_strategy(strategy: StrategyLike, rule: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The options of `strategy`, which is found by them for a while, and of its update rule.

    Args:
        strategy: as `fit` has it.
        rule: what was said of the update rule.

    Raises:
        UsageError: it is no strategy, or an object with a rule of its own, beside which another was given.
    """
    if isinstance(strategy, str):
        yield {"strategy": strategy}, rule
        return
    if isinstance(strategy, type):
        with registered(name := f"{PROGRAM}{strategy.__name__}", entry_of(strategy, strategy.__name__)):
            yield {"strategy": name}, rule
        return
    given = [option for option, value in rule.items() if value is not None]
    if given:
        raise UsageError(
            f"{' and '.join(given)} would be overlooked, for a strategy that is an object has its own rule: "
            f"{type(strategy).__name__}(Rule('sgd', learning_rate=0.1)), or give the class."
        )
    with registered(name := f"{PROGRAM}{_described(strategy)}", entry := lent(strategy)):
        hosting = {"server": str(getattr(strategy, "hosting", None))} if entry.hosted else {}
        yield {"strategy": name} | hosting, _options_of(getattr(strategy, "rule", None))


def _described(strategy: object) -> str:
    """Its class, with those of its fields that are not as usual; its rule has options of its own."""
    name = type(strategy).__name__
    if not dataclasses.is_dataclass(strategy):
        return name
    fields = [(f.name, _text(getattr(strategy, f.name)), _usual(f)) for f in dataclasses.fields(strategy)]
    told = [f"{field}={text}" for field, text, usual in fields if field != "rule" and text != usual]
    told += _unsaid(getattr(strategy, "rule", None))
    return f"{name}({', '.join(told)})" if told else name


def _unsaid(rule: object) -> list[str]:
    """What no option can say of an update rule."""
    if not isinstance(rule, Rule):
        return []
    length = [f"rule.epochs={rule.epochs}"] if rule.schedule != "constant" else []
    return [*length, *(["rule.nesterov=True"] if rule.nesterov else [])]


def _usual(field: dataclasses.Field[Any]) -> str:
    made = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return _text(made)


def _text(value: object) -> str:
    """The same in every process: without addresses in its memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _options_of(rule: object) -> dict[str, Any]:
    """What options would say of the update rule of a strategy that is an object, for the record of the run."""
    if not isinstance(rule, Rule):
        return {}
    said: dict[str, Any] = {"optimizer": rule.name, "learning_rate": rule.learning_rate, "schedule": rule.schedule}
    if rule.name != "sgd":
        return said
    early = {"early_momentum": rule.early_momentum, "early_epochs": rule.early_epochs}
    return said | {"momentum": rule.momentum} | early


def as_config(given: Given, groups: dict[str, dict[str, Any]]) -> Config:
    """All options of a run, their types checked; those that are None keep their defaults.

    Raises:
        UsageError: a value has the wrong type, or a momentum goes with no such update rule.
    """
    tables = given.options() | groups
    said = {name: {k: v for k, v in table.items() if v is not None} for name, table in tables.items()}
    config = updated(Config(), said, "fit")
    check_momentum(config.training.momentum, config.training.optimizer)
    return config


def prepare(config: Config, given: Given, own_cores: int, display: Display) -> tuple[Config, Dataset, Parts]:
    """The data, what was given beside them, and all options, checked.

    Raises:
        UsageError, DataError: they are wrong, or do not fit together.
    """
    dataset, parts = given.load(config)
    return fitted(config, dataset, own_cores, display, parts.build), dataset, parts


def as_cluster(given: object) -> Cluster | None:
    """The cluster, by its name or file or as it is.

    Raises:
        UsageError: as `load_cluster`; or it is of another kind.
    """
    if given is None or isinstance(given, Cluster):
        return given
    if not isinstance(given, str | Path):
        kind = type(given).__name__
        raise UsageError(f"a {kind} is no cluster: give a name ('ethernet-1g'), a file (.toml), or a Cluster.")
    return load_cluster(str(given))


def as_decided(config: Config) -> Config:
    """`config`, of a run that goes on, with what was decided when it began: a measurement may come out otherwise now.

    Raises:
        UsageError: its file was damaged.
    """
    saved = RunFolder(Path(config.run.out)).config if config.run.out else None
    if saved is None or not saved.is_file():
        return config
    then = read_toml(saved, Config())
    parallel, training = config.parallel, config.training
    if parallel.threads is None:
        parallel = dataclasses.replace(parallel, threads=then.parallel.threads)
    if parallel.server == "auto":
        parallel = dataclasses.replace(parallel, server=then.parallel.server)
    if training.dtype == "auto":
        training = dataclasses.replace(training, dtype=then.training.dtype)
    return dataclasses.replace(config, parallel=parallel, training=training)


def run_folder(config: Config, cluster: Cluster | None = None, *, resume: bool) -> RunFolder | None:
    """The run's folder, made or found; None where nothing is to be written.

    Args:
        config: all options, resolved.
        cluster: in whose virtual time the run is; it is noted there.
        resume: whether the run in the folder may go on.

    Raises:
        UsageError: there is another run in it, or one on another cluster.
    """
    if config.run.out is None:
        if resume:
            raise UsageError("a run goes on where its folder is: give out, too.")
        return None
    folder = RunFolder(Path(config.run.out))
    if resume and folder.config.is_file():
        folder.check_same(config)
        _check_cluster(folder, cluster)
    else:
        folder.create(config)
        write_json(folder.environment, environment())
        if cluster:
            write_text(folder.cluster, to_toml(cluster))
    return folder


def _check_cluster(folder: RunFolder, cluster: Cluster | None) -> None:
    then = folder.cluster.read_text(encoding="utf-8") if folder.cluster.exists() else None
    if then != (to_toml(cluster) if cluster else None):
        there = "on no cluster" if then is None else f"on another cluster (see {folder.cluster})"
        raise UsageError(f"the run in {folder.path} is {there}: give cluster as it was then, or another --out.")


@torch.no_grad()
def load_into(given: nn.Module | str, model: nn.Module, network: nn.Module | None) -> nn.Module:
    """What the caller of `fit` gets: the module that was given, with the weights of `model`, or what its name made."""
    if isinstance(given, nn.Module):
        given.load_state_dict(model.state_dict())
        for mine, trained in zip(given.buffers(), model.buffers(), strict=True):
            mine.copy_(trained)  # those that are not persistent are in no state dict
        if not isinstance(given, DBN):
            return given
    return network if network is not None else given if isinstance(given, nn.Module) else model

"""Parameters of estimators, checked when `fit` begins, for `__init__` only stores; errors in scikit-learn's manner."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from math import inf
from numbers import Integral, Real
from typing import Any, Literal, cast, get_args

import numpy as np
from sklearn.utils import check_random_state, check_scalar

from anabranch.errors import AnabranchError, DivergedError, UsageError, unknown_name
from anabranch.objectives import Precision
from anabranch.optim import Rule
from anabranch.strategies import CATALOGUE, Strategy
from anabranch.strategies.catalogue import name_of

Arithmetic = Literal["input", Precision]
"""input: that of X where it is float32 or float64, else float64; bf16-mixed: bfloat16 products, float32 weights."""


RandomState = int | np.random.RandomState | None
"""Where chance comes from: a seed, a stream, or NumPy's global stream."""


def whole(estimator: Any, name: str, least: int) -> int:
    """The parameter of this name, a whole number.

    Raises:
        TypeError: it is none.
        ValueError: it is less than `least`.
    """
    return int(check_scalar(getattr(estimator, name), name, Integral, min_val=least))


def real(estimator: Any, name: str, least: float = 0.0, below: float = inf, *, positive: bool = False) -> float:
    """The parameter of this name, in [least, below); or above `least`, where it must be `positive`.

    Raises:
        TypeError: it is no number.
        ValueError: it lies elsewhere.
    """
    bounds = "neither" if positive else "left"
    value = getattr(estimator, name)
    return float(check_scalar(value, name, Real, min_val=least, max_val=below, include_boundaries=bounds))


def real_or_none(estimator: Any, name: str, below: float = inf) -> float | None:
    """As `real`, of a parameter that may be None."""
    return None if getattr(estimator, name) is None else real(estimator, name, below=below)


def choice(estimator: Any, name: str, kind: Any) -> Any:
    """The parameter of this name, one of those in the literal type `kind`.

    Raises:
        UsageError: it is none of them.
    """
    value, known = getattr(estimator, name), get_args(kind)
    if value not in known:
        raise unknown_name(name, str(value), known)
    return value


def precision(arithmetic: Arithmetic, dtype: np.dtype[Any]) -> Precision:
    """What `arithmetic` means for data of this type.

    What goes on by `partial_fit` keeps the type of its weights, and so does X, if another is asked for meanwhile.
    """
    if arithmetic == "input" or dtype not in accepted(arithmetic):
        return "float32" if dtype == np.float32 else "float64"
    return arithmetic


def accepted(arithmetic: Arithmetic) -> list[type]:
    """The types which X may keep; another is converted to the first."""
    if arithmetic == "input":
        return [np.float64, np.float32]
    return [np.float64 if arithmetic == "float64" else np.float32]


def seed_of(random_state: Any) -> int:
    """A whole number is the seed itself, as of `anabranch train --seed`; else it is drawn."""
    chance = check_random_state(random_state)
    return int(random_state) if isinstance(random_state, Integral) else draw_seed(chance)


def draw_seed(chance: np.random.RandomState) -> int:
    """The next seed of a stream."""
    return int(chance.randint(np.iinfo(np.int32).max))


def fitting(batch: int, examples: int, workers: int) -> int:
    """`batch`, or as many examples as the smallest shard has."""
    return max(1, min(batch, examples // workers))


def strategy_name(strategy: Any) -> str:
    """Which entry of the catalogue says what goes with `strategy`.

    Raises:
        TypeError: it is neither a name nor a strategy.
    """
    if isinstance(strategy, str):
        return strategy
    if isinstance(strategy, type) or not callable(getattr(strategy, "run", None)):
        names = ", ".join(sorted(CATALOGUE))
        raise TypeError(f"strategy is {strategy!r}: use a name ({names}), or an object such as Averaging(every=16).")
    return name_of(strategy) or "averaging"


def chosen(strategy: Any, named: Strategy) -> Strategy:
    """`strategy` with the update rule of `named`, the strategy that the catalogue gave for the other parameters.

    Raises:
        UsageError: it brings a rule of its own, or wants ranks that serve.
    """
    if isinstance(strategy, str):
        return named
    result: Any = strategy
    if getattr(getattr(strategy, "hosting", None), "servers", 0):
        raise UsageError("ranks that serve are for `anabranch train`: leave hosting out of the strategy.")
    rule = getattr(strategy, "rule", None)
    if isinstance(rule, Rule) and is_dataclass(strategy):
        if rule not in [f.default for f in fields(strategy) if f.name == "rule"]:
            name = type(strategy).__name__
            raise UsageError(f"the update rule comes from the estimator's parameters: leave it out of {name}(…).")
        result = replace(cast(Any, strategy), rule=getattr(named, "rule", rule))
    return cast(Strategy, result)


@contextmanager
def in_its_manner(estimator: Any, *rates: str) -> Iterator[None]:
    """Raise our errors as ValueError, which scikit-learn's users expect; the parameters `rates` may be too high.

    What fails leaves the estimator as it was.
    """
    try:
        with _undone(estimator):
            yield
    except DivergedError as error:
        lower = " or ".join(f"{name} (now {getattr(estimator, name):g})" for name in rates)
        what = f"{type(estimator).__name__} diverged (its loss or weights became infinite or NaN)"
        raise ValueError(f"{what}: lower {lower}, or scale the features to [0, 1].") from error
    except AnabranchError as error:
        text = str(error).replace("--batch-size", "batch_size").replace("--sample", "sample")  # options of the command
        raise ValueError(text) from error


@contextmanager
def _undone(estimator: object) -> Iterator[None]:
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise

"""The catalogue: every strategy by its name on the command line; and those of a user's own, by their Python path."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from anabranch.errors import UsageError, unknown_name
from anabranch.imports import Named, imported, is_path, raised
from anabranch.optim import DEFAULT_RULE, Directions, Rule
from anabranch.strategies.allreduce import Allreduce
from anabranch.strategies.averaging import Averaging
from anabranch.strategies.base import Strategy
from anabranch.strategies.bmuf import BMUF
from anabranch.strategies.diloco import DiLoCo
from anabranch.strategies.downpour import Downpour
from anabranch.strategies.elastic import Elastic, ElasticSync
from anabranch.strategies.fetch_push import FetchAdd, FetchPut
from anabranch.strategies.hogwild import Hogwild
from anabranch.strategies.own_pace.hosting import Hosting
from anabranch.strategies.post_local import PostLocal
from anabranch.strategies.sampled_averaging import SampledAveraging
from anabranch.strategies.shard import Draws


@dataclass(frozen=True)
class Options:
    """What the command line may say to a strategy beside its update rule; None where it says nothing."""

    every: int | None = None
    fetch_every: int | None = None
    push_every: int | None = None
    overlap: bool | None = None
    warm_start: float | None = None
    elasticity: float | None = None
    outer_learning_rate: float | None = None
    outer_momentum: float | None = None
    local_after: int | None = None
    sample: float | None = None
    draws: Draws | None = None
    directions: Directions | None = None
    hosting: Hosting | None = None


@dataclass(frozen=True)
class Entry:
    """A strategy in the catalogue.

    Attributes:
        make: the strategy, from its update rule and the options that were given, under the strategy's own names.
        takes: which options it has, and what it calls them.
        hosted: whether its parameters may be on servers, or in windows.
        plain: whether momentum is 0 unless given: as in its paper, and since asynchrony acts like momentum.
        ruled: whether it has an update rule, and so a learning rate: a line search has none.
        counted: whether a step is known to be one gradient, whose matrix products are the limit of its speed.
        one_node: whether its workers need a memory that they share.
    """

    make: Callable[..., Strategy]
    takes: dict[str, str]
    hosted: bool = False
    plain: bool = False
    ruled: bool = True
    counted: bool = True
    one_node: bool = False


_BMUF = {"every": "every", "outer_learning_rate": "block_learning_rate", "outer_momentum": "block_momentum"}
_DILOCO = {name: name for name in ("every", "outer_learning_rate", "outer_momentum")}
_DOWNPOUR = {"fetch_every": "n_fetch", "push_every": "n_push", "overlap": "overlap", "warm_start": "warm_start"}
_ELASTIC = {"every": "every", "elasticity": "elasticity"}
_SAMPLED = {"every": "iterations", "sample": "sample", "draws": "draws", "directions": "directions"}
_HOSTED = {"hosting": "hosting"}


def _sampled_averaging(_rule: Rule, **options: Any) -> SampledAveraging:
    """Its line search takes the place of an update rule."""
    return SampledAveraging(**options)


CATALOGUE: dict[str, Entry] = {
    "allreduce": Entry(Allreduce, {}),
    "averaging": Entry(Averaging, {"every": "every"}),
    "bmuf": Entry(BMUF, _BMUF),
    "diloco": Entry(DiLoCo, _DILOCO),
    "downpour": Entry(Downpour, _DOWNPOUR | _HOSTED, hosted=True, plain=True),
    "easgd": Entry(Elastic, _ELASTIC | _HOSTED, hosted=True),
    "easgd-sync": Entry(ElasticSync, _ELASTIC),
    "fetch-add": Entry(FetchAdd, _HOSTED, hosted=True, plain=True),
    "fetch-put": Entry(FetchPut, _HOSTED, hosted=True, plain=True),
    "hogwild": Entry(Hogwild, {}, plain=True, one_node=True),
    "post-local": Entry(PostLocal, {"every": "every", "local_after": "local_after"}),
    "sampled-averaging": Entry(_sampled_averaging, _SAMPLED, plain=True, ruled=False, counted=False),
}


_NAMED = Named("--strategy", "class", "use a strategy of `anabranch train --help`, or a module in this folder.")


def find(name: str) -> Entry:
    """The entry called `name`, or of the class at that Python path.

    Raises:
        UsageError: there is none.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    if is_path(name):
        return entry_of(imported(name, _NAMED), name)
    raise unknown_name("strategy", name, CATALOGUE)


def entry_of(make: Callable[..., Strategy], name: str) -> Entry:
    """The entry of a strategy of a user's own, which `name` says where to find.

    It gets the update rule if it has a field `rule`, and those options whose names are fields of its own; its other
    fields keep their defaults.

    Raises:
        UsageError: nothing tells how it is made.
    """
    try:
        own = set(inspect.signature(make).parameters)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} is no strategy: that is a class with run(task, comm).") from error
    takes = {f.name: f.name for f in fields(Options) if f.name in own}

    def made(rule: Rule, **options: Any) -> Strategy:
        try:
            found = make(**options, **({"rule": rule} if "rule" in own else {}))
        except UsageError:
            raise
        except Exception as error:  # a user's code may raise anything
            raise raised(f"{name}()", error) from error
        return check_strategy_kind(found, name)

    plain = any(entry.make is make and entry.plain for entry in CATALOGUE.values())  # ours by its class, not its name
    return Entry(made, takes, hosted="hosting" in own, plain=plain, ruled="rule" in own, counted=False)


def check_strategy_kind(found: Any, name: str) -> Strategy:
    """Refuse what has no `run`.

    Raises:
        UsageError: naming its type.
    """
    if not callable(getattr(found, "run", None)):
        raise UsageError(f"{name} gives a {type(found).__name__} without run(task, comm): a strategy has that.")
    strategy: Strategy = found
    return strategy


def lent(given: Strategy) -> Entry:
    """The entry of an object: this very strategy, whatever the options of a run say beside it."""
    check_strategy_kind(given, type(given).__name__)
    hosting = getattr(given, "hosting", None)
    takes = {"hosting": "hosting"} if isinstance(hosting, Hosting) and hosting.kind != "shared" else {}
    return Entry(lambda _rule, **_: given, takes, hosted=bool(takes), counted=False)


@contextmanager
def registered(name: str, entry: Entry) -> Iterator[None]:
    """Have `entry` in the catalogue for a while."""
    before = CATALOGUE.get(name)
    CATALOGUE[name] = entry
    try:
        yield
    finally:
        if before is None:
            del CATALOGUE[name]
        else:
            CATALOGUE[name] = before


def name_of(strategy: Strategy) -> str | None:
    """What the catalogue calls strategies of this class; None of one that is not in it."""
    made = {name: entry.make(DEFAULT_RULE) for name, entry in CATALOGUE.items()}
    return next((name for name, one in made.items() if type(one) is type(strategy)), None)


def strategy(name: str, rule: Rule, options: Options) -> Strategy:
    """The strategy called `name`, with its update rule and options.

    Raises:
        UsageError: no such name, or an option that the strategy does not have.
    """
    entry, given = find(name), _given(options)
    for option, value in given.items():
        if option not in entry.takes:
            raise _foreign(option, value, name)
    return entry.make(rule, **{entry.takes[option]: value for option, value in given.items()})


def _given(options: Options) -> dict[str, Any]:
    values = {f.name: getattr(options, f.name) for f in fields(options)}
    return {name: value for name, value in values.items() if value is not None}


def _foreign(option: str, value: Any, name: str) -> UsageError:
    those = ", ".join(each for each, entry in sorted(CATALOGUE.items()) if option in entry.takes)
    if isinstance(value, Hosting):
        said = f"--server {value}"
    elif isinstance(value, bool):
        said = f"--{option}"
    else:
        said = f"--{option.replace('_', '-')} {value}"
    return UsageError(f"{said} does not go with --strategy {name}: it goes with {those}.")

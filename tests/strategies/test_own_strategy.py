"""A strategy of a user's own, by its Python path: `--strategy module:Class`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from anabranch.comm.base import Communicator
from anabranch.errors import UsageError
from anabranch.optim import Rule
from anabranch.strategies import CATALOGUE, Allreduce, Averaging, Strategy, strategy
from anabranch.strategies.catalogue import Options, find, lent, registered
from anabranch.strategies.task import Task
from anabranch.testing import check_strategy
from anabranch.types import Step

SOURCE = """\
from dataclasses import dataclass

from anabranch.strategies import Averaging


@dataclass(frozen=True)
class Rarely(Averaging):
    every: int = 40
    warmth: float = 1.5

    def __post_init__(self):
        if self.warmth > 2:
            raise ValueError("too warm")


class Plain:
    def run(self, task, comm):
        return iter(())


class Nothing:
    pass


class Demanding:
    def __init__(self, what):
        self.what = what
"""


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a module with strategies, in the current folder; another for each test, for modules stay imported."""
    module = "own_" + tmp_path.name.replace("-", "_")
    (tmp_path / f"{module}.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return module


def test_it_gets_the_rule_and_the_options_that_it_has(name: str) -> None:
    rule = Rule("adam", 0.01)
    found = strategy(f"{name}:Rarely", rule, Options())
    assert isinstance(found, Averaging)
    assert (found.rule, found.every) == (rule, 40)
    assert getattr(strategy(f"{name}:Rarely", rule, Options(every=3)), "every", None) == 3
    assert callable(strategy(f"{name}:Plain", rule, Options()).run)


@pytest.mark.parametrize(
    ("which", "options", "sentence"),
    [
        ("Nothing", Options(), r"own_\w+:Nothing gives a Nothing without run\(task, comm\): a strategy has that."),
        ("Missing", Options(), "has no class 'Missing': --strategy wants module:class."),
        ("Demanding", Options(), r"Demanding\(\) raised TypeError \(.*what"),
        ("Plain", Options(every=3), "--every 3 does not go with --strategy own_"),
    ],
)
def test_what_is_no_strategy_is_refused(name: str, which: str, options: Options, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        strategy(f"{name}:{which}", Rule(), options)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="cannot import 'nothing_there' for --strategy"):
        strategy("nothing_there:Gossip", Rule(), Options())
    with pytest.raises(UsageError, match="unknown strategy 'gossip'"):
        find("gossip")


def test_an_object_is_registered_for_a_while() -> None:
    given: Strategy = Averaging(Rule("adam", 0.01), every=7)
    with registered("python:Averaging", lent(given)):
        assert strategy("python:Averaging", Rule(), Options()) is given
        with registered("python:Averaging", lent(Allreduce())):
            assert strategy("python:Averaging", Rule(), Options()) == Allreduce()
        assert strategy("python:Averaging", Rule(), Options()) is given
    assert "python:Averaging" not in CATALOGUE


def test_what_is_no_strategy_is_not_lent() -> None:
    with pytest.raises(UsageError, match="int gives a int without run"):
        lent(3)  # type: ignore[arg-type]


class Undeclared:
    """Takes a rule, and is no dataclass: nobody could give it another rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        return Allreduce(self.rule).run(task, comm)


def test_a_class_of_any_kind_is_held_against_the_contract() -> None:
    check_strategy(Undeclared(Rule("sgd", 0.1)))

"""Who takes part, and how their runs are said on the command line."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from anabranch.cli.options import SimulateArguments, as_config, parse
from anabranch.compare.cells import final_cell, tuning_cell
from anabranch.compare.terms import ALONE, Contender, Terms, contenders
from anabranch.compare.words import check_own, shared_words
from anabranch.config import Config
from anabranch.errors import UsageError


def terms(**changes: Any) -> Terms:
    usual: dict[str, Any] = {
        "contenders": contenders("allreduce,averaging --every 8", 4),
        "world": "simulated",
        "place": ("--cluster", "ethernet-1g"),
        "options": ("--model", "mlp", "--threads", "1"),
        "epochs": 3,
        "rate": 0.1,
        "budget": 4,
        "validation": 0.1,
        "seeds": 2,
        "equal": "examples",
    }
    return Terms(**(usual | changes))


def test_one_process_comes_first_and_options_stay_with_their_strategy() -> None:
    assert contenders("allreduce, averaging --every 8", 4) == (
        Contender(ALONE, "averaging", 1),
        Contender("allreduce", "allreduce", 4),
        Contender("averaging --every 8", "averaging", 4, ("--every", "8")),
    )
    assert [one.slug for one in contenders("averaging --every 8", 4)] == ["one-process", "averaging-every-8"]


def test_line_searches_are_not_tuned() -> None:
    assert [one.tuned for one in contenders("sampled-averaging,bmuf", 2)] == [True, False, True]


def test_strategies_of_a_users_own_are_tuned_if_they_have_a_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tuned_or_not.py").write_text(
        "from anabranch.strategies import Averaging\n"
        "class Ruled(Averaging):\n    pass\n"
        "class Fixed:\n    def run(self, task, comm):\n        return Averaging().run(task, comm)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert [one.tuned for one in contenders("tuned_or_not:Ruled,tuned_or_not:Fixed", 2)] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'' is no list of strategies: write names with commas, as in allreduce,averaging."),
        ("bmuf,,easgd", "'bmuf,,easgd' is no list of strategies"),
        ("allreduc", "unknown strategy 'allreduc': did you mean 'allreduce'?"),
        ("bmuf,bmuf", "bmuf is named twice in --strategies"),
        ("averaging '--every", "cannot be read: No closing quotation"),
    ],
)
def test_wrong_lists(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        contenders(text, 2)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"budget": 0}, "--budget must be 1 or more, not 0."),
        ({"seeds": 0}, "--seeds must be 1 or more, not 0."),
        ({"epochs": 0}, "--epochs must be 1 or more, not 0."),
        ({"validation": 0.0}, "--validation-fraction is 0.0"),
    ],
)
def test_wrong_terms(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        terms(**change)


def test_cells_are_commands_of_ours() -> None:
    them = terms()
    cell = tuning_cell(them, them.contenders[2], 0.0316)
    assert cell.name == "averaging-every-8-rate-0.0316"
    assert cell.arguments[0] == "simulate"
    config = as_config(parse(cell.arguments[1:], "anabranch simulate", "", SimulateArguments))
    assert (config.parallel.strategy, config.parallel.every, config.parallel.workers) == ("averaging", 8, 4)
    assert (config.data.validation_fraction, config.training.learning_rate, config.training.epochs) == (0.1, 0.0316, 3)
    final = final_cell(them, them.contenders[1], 0.3, 7, 1.6)
    config = as_config(parse(final.arguments[1:], "anabranch simulate", "", SimulateArguments))
    assert (config.data.validation_fraction, config.training.seed, config.training.epochs) == (0.0, 7, 5)
    assert config.run.test_each_epoch
    assert cell.may_diverge


def test_a_line_search_is_told_of_no_update_rule() -> None:
    """A run refuses it; the others hear of it all the same."""
    shared = ("--model", "mlp:64-10", "--optimizer", "adam", "--test-fraction", "0.3", "--schedule", "cosine")
    them = terms(contenders=contenders("sampled-averaging,allreduce", 4), options=shared)
    searching, stepping = (tuning_cell(them, one, 0.1).arguments for one in them.contenders[1:])
    assert not {"--optimizer", "adam", "--schedule", "cosine", "--learning-rate"} & set(searching)
    assert searching[searching.index("--test-fraction") + 1] == "0.3"
    assert searching[searching.index("--model") + 1] == "mlp:64-10"
    assert {"--optimizer", "adam", "--schedule", "cosine", "--learning-rate"} <= set(stepping)


def test_on_mpi_nothing_runs_beside() -> None:
    them = terms(world="mpi", place=())
    alone, other = (final_cell(them, one, 0.1, 0, 3) for one in them.contenders[:2])
    assert alone.arguments[:3] == ("train", "--world", "single")
    assert other.arguments[:3] == ("train", "--world", "mpi")
    assert alone.alone
    assert other.alone


def test_options_beyond_the_defaults_come_back() -> None:
    config = Config()
    config = dataclasses.replace(
        config,
        training=dataclasses.replace(config.training, momentum=0.5, persistent=True, seed=9, learning_rate=0.7),
        parallel=dataclasses.replace(config.parallel, overlap=True, workers=8),
        data=dataclasses.replace(config.data, data="mnist"),
    )
    words = shared_words(config)
    assert words == ("--data", "mnist", "--overlap", "--momentum", "0.5", "--persistent")
    back = as_config(parse(words, "anabranch simulate", "", SimulateArguments))
    assert shared_words(back) == words
    assert shared_words(Config()) == ()


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        ("averaging --epochs 20", "--epochs"),
        ("allreduce --workers 16", "--workers"),
        ("allreduce --learning-rate=0.5", "--learning-rate"),
        ("averaging --every 4 --seed 7", "--seed"),
        ("averaging --data mnist", "--data"),
        ("averaging --cluster laptop", "--cluster"),
        ("averaging --no-test-each-epoch", "--no-test-each-epoch"),
    ],
)
def test_what_is_the_same_for_all_is_nobodys_own(words: str, flag: str) -> None:
    (_, one) = contenders(words, 4)
    with pytest.raises(UsageError) as caught:
        check_own(one.options, one.name)
    assert str(caught.value) == f"{flag} is the same for all: give it to anabranch compare, and not to {words} alone."


def test_ones_own_are_free() -> None:
    (_, one) = contenders(
        "downpour --push-every 4 --momentum 0.5 --batch-size 20 --server ranks:1 --optimizer adagrad", 4
    )
    check_own(one.options, one.name)

"""docs/estimators.md: its Python classifies well, and its names exist."""

import re

from markdown_pages import read
from running import Ran

from anabranch import BernoulliRBM
from anabranch.strategies import CATALOGUE

PAGE = "docs/estimators.md"


def test_its_python_classifies_well(ran: Ran) -> None:
    done = ran.of_python()
    assert len(done) >= 5
    printed = "".join(each.said for each in done)
    scores = [float(text) for text in re.findall(r"\b0\.\d\d\b", printed)]
    assert len(scores) == 4, printed
    assert min(scores) >= 0.9, printed  # two digits are printed
    assert (ran.folder / "digits.safetensors").exists()


def test_the_parameters_that_it_names_exist() -> None:
    section = read(PAGE).partition("There is more than scikit-learn has")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z_]+)`", section)) - {"free_energy"}
    assert named <= set(BernoulliRBM().get_params())
    assert {"gibbs_steps", "momentum", "weight_cost", "dtype"} <= named


def test_the_strategies_that_it_names_exist() -> None:
    for names in re.findall(r'"strategy": \[(.*?)\]', read(PAGE)):
        assert set(re.findall(r'"([a-z-]+)"', names)) <= set(CATALOGUE)

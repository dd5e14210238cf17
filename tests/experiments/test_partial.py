"""Of an experiment that was broken off, what lacks no run is there; of a whole one nothing is left out in silence."""

from collections.abc import Callable

import pytest
import test_alowaisheq2015
import test_degrazia2012
import test_ma2014

from anabranch.experiments.catalogue import PAPERS
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.findings import Findings
from anabranch.experiments.paper import Plan
from anabranch.experiments.partial import Known, NotYet, whole

MAKERS: dict[str, Callable[[Cell], Outcome]] = {
    "alowaisheq2015": test_alowaisheq2015.outcome_of,
    "degrazia2012": test_degrazia2012.outcome_of,
    "ma2014": lambda cell: test_ma2014.outcome_of(cell, ()),
}
QUICK = Plan(quick=True)


def outcomes_of(paper: str, without: str = "nothing") -> dict[str, Outcome]:
    """Of the quick form, but for cells whose names begin so."""
    cells = PAPERS[paper].cells(QUICK)
    return {cell.name: MAKERS[paper](cell) for cell in cells if not cell.name.startswith(without)}


def names(found: Findings) -> set[str]:
    return {table.name for table in found.tables} | {picture.name for picture in found.pictures}


def test_the_whole_of_what_is_known() -> None:
    known = Known({"a": 1, "b": 2})
    assert whole(lambda: [known["a"]], lambda: [known["c"], known["a"]], lambda: [known["b"], known["a"]]) == [1, 2, 1]
    with pytest.raises(NotYet, match="c"):
        _ = known["c"]
    with pytest.raises(KeyError):  # of what claims to be whole, a lack is a mistake
        whole(lambda: [{"a": 1}["c"]])


@pytest.mark.parametrize(
    ("paper", "without", "lost"),
    [
        (
            "degrazia2012",
            "recipe",
            {"Improved recipe, error", "Improved recipe, loss", "Improved recipe, time", "improved-recipe"},
        ),
        ("degrazia2012", "measured-2", {"Measured", "Two workers"}),
        (
            "degrazia2012",
            "first-layer",
            {"Follow-up, epochs", "Follow-up, error", "follow-up", "Exponents"},
        ),
        ("ma2014", "iterations-measured", {"Cores vs speed-up", "hundred-iterations"}),
        ("alowaisheq2015", "timed-1", {"Table 2", "figures-4-and-5"}),
        ("alowaisheq2015", "weights-from-0-to-1", {"Table 1, other readings"}),
    ],
)
def test_what_is_missing_takes_along_what_needs_it(paper: str, without: str, lost: set[str]) -> None:
    complete = PAPERS[paper].findings(outcomes_of(paper), QUICK)
    some = outcomes_of(paper, without)
    partial = PAPERS[paper].findings(Known(some), QUICK)
    assert lost <= names(complete)
    assert names(partial) == names(complete) - lost
    assert set(partial.tables) < set(complete.tables)
    with pytest.raises(KeyError):
        PAPERS[paper].findings(some, QUICK)


@pytest.mark.parametrize("paper", MAKERS)
def test_nothing_is_made_of_nothing(paper: str) -> None:
    found = PAPERS[paper].findings(Known[Outcome](), QUICK)
    assert (found.tables, found.pictures) == ((), ())


@pytest.mark.parametrize(
    ("paper", "tables", "pictures"), [("degrazia2012", 14, 5), ("ma2014", 7, 5), ("alowaisheq2015", 3, 2)]
)
def test_a_whole_experiment_has_all_of_its_figures(paper: str, tables: int, pictures: int) -> None:
    found = PAPERS[paper].findings(outcomes_of(paper), QUICK)
    assert (len(found.tables), len(found.pictures)) == (tables, pictures)

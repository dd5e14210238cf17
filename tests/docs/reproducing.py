"""`anabranch reproduce` of a page: its cells are listed and understood, and none is run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from unittest import mock

from understood import understood

from anabranch.cli.main import main
from anabranch.cli.reproduce import parse as parse_reproduce
from anabranch.experiments.catalogue import PAPERS
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.findings import Findings
from anabranch.experiments.paper import Paper, Plan, Repeats
from anabranch.objectives import Precision


@dataclass(frozen=True)
class WithoutCells:
    """A paper whose cells are looked at, and then left out: they take hours (tests/experiments runs cells)."""

    whole: Paper
    seen: list[Cell]

    @property
    def title(self) -> str:
        return self.whole.title

    @property
    def cuts(self) -> tuple[str, ...]:
        return self.whole.cuts

    @property
    def repeats(self) -> Repeats | None:
        return self.whole.repeats

    @property
    def fixed_dtype(self) -> Precision | None:
        return self.whole.fixed_dtype

    def cells(self, plan: Plan) -> list[Cell]:
        self.seen.extend(self.whole.cells(plan))
        return []

    def findings(self, outcomes: Mapping[str, Outcome], plan: Plan) -> Findings:
        return Findings((), (), ())


def reproduce(words: Sequence[str]) -> None:
    """The command with such a paper; the arguments of one cell of each kind are parsed."""
    name = parse_reproduce(words).paper
    paper = WithoutCells(PAPERS[name], [])
    with mock.patch.dict(PAPERS, {name: paper}):
        code = main(["reproduce", *words])
    assert code == 0, f"anabranch reproduce ended with exit code {code}"
    assert paper.seen
    kinds = {tuple(word for word in cell.arguments if word.startswith("--")): cell for cell in paper.seen}
    for cell in kinds.values():
        assert understood(cell.arguments)

"""What the file of a paper says: which runs make up its experiment, and what they come to."""

from collections.abc import Mapping
from typing import Protocol

from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.findings import Findings


class Paper(Protocol):
    """An experiment. Its cells are data, so that they can be listed, costed and resumed."""

    @property
    def title(self) -> str:
        """Authors, year and title."""
        ...

    @property
    def cuts(self) -> tuple[str, ...]:
        """What the quick form leaves out, in sentences."""
        ...

    def cells(self, *, quick: bool) -> list[Cell]:
        """All runs."""
        ...

    def findings(self, outcomes: Mapping[str, Outcome], *, quick: bool) -> Findings:
        """Tables and figures, from the outcomes of all cells by their names."""
        ...

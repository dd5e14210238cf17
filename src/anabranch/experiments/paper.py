"""What the file of a paper says: which runs make up its experiment, and what they come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.findings import Findings
from anabranch.objectives import Precision


@dataclass(frozen=True)
class Repeats:
    """How often an experiment does the same: `count` times, each with another of `what`, such as "networks"."""

    count: int
    what: str


@dataclass(frozen=True)
class Plan:
    """What a user asks of an experiment.

    Attributes:
        quick: the shorter form.
        repeats: of every figure; None for as many as that form has.
        dtype: of the training, where the paper does not fix it.
        measured: two workers are timed on this machine's MPI, too, beside all that is simulated.
    """

    quick: bool = False
    repeats: int | None = None
    dtype: Precision = "float32"
    measured: bool = True


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

    @property
    def repeats(self) -> Repeats | None:
        """Of the full form; None where nothing is repeated."""
        ...

    @property
    def fixed_dtype(self) -> Precision | None:
        """In which all its runs train; None where the plan's is followed."""
        ...

    def cells(self, plan: Plan) -> list[Cell]:
        """All runs."""
        ...

    def findings(self, outcomes: Mapping[str, Outcome], plan: Plan) -> Findings:
        """Tables and figures, from the outcomes of all cells of that `plan` by their names.

        Of `partial.Known` outcomes, those that lack none.
        """
        ...

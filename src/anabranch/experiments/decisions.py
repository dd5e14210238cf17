"""What a user leaves open, decided once and before any cell.

Left to the cells, two of one table were seen to differ in their arithmetic: `auto` is measured, and the machine was
busy.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from anabranch.autodtype import decided
from anabranch.config import Arithmetic
from anabranch.errors import UsageError
from anabranch.experiments.cell import Cell, dtype_begun
from anabranch.experiments.mpi_trial import try_mpi
from anabranch.experiments.paper import Paper, Plan
from anabranch.launch import cores
from anabranch.objectives import Precision

World = Literal["auto", "simulated", "mpi"]


def why_unmeasured(world: World) -> str:
    """Why nothing is to be measured on MPI; empty where it is.

    Raises:
        UsageError: `world` is mpi, and MPI cannot be used.
    """
    if world == "simulated":
        return "--world simulated"
    if world == "auto" and cores() < 2:
        return "one core cannot show what two workers gain"
    try:
        try_mpi()
    except UsageError as error:
        if world == "mpi":
            raise
        return str(error).rstrip(".")
    return ""


def with_dtype(plan: Plan, asked: Arithmetic, paper: Paper, folder: Path, say: Callable[[str], None]) -> Plan:
    """`plan` with `asked`; or, where that is auto, with what the cells in `folder` have, else what suits this machine.

    Raises:
        CheckpointError, UsageError: a cell that is there cannot be read.
    """
    if asked != "auto":
        return replace(plan, dtype=asked)
    if kept := _dtype_in(folder, paper, plan):
        say(f"dtype auto: {kept}, as in the runs that are there")
        return replace(plan, dtype=kept)
    torch.set_num_threads(1)  # as every cell has
    return replace(plan, dtype=decided(asked, say))


def _dtype_in(folder: Path, paper: Paper, plan: Plan) -> Precision | None:
    """What the first run in `folder` that follows a plan's dtype was begun with."""
    return next((dtype for cell in _following(paper, plan) if (dtype := dtype_begun(cell, folder))), None)


def _following(paper: Paper, plan: Plan) -> list[Cell]:
    one, other = (paper.cells(replace(plan, dtype=dtype)) for dtype in ("float32", "float64"))
    return [cell for cell, changed in zip(one, other, strict=True) if cell != changed]

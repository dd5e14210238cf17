"""An experiment of two short runs and a simulation, and a program that reproduces it."""

import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from anabranch.experiments import catalogue
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.course import Course
from anabranch.experiments.findings import Comparison, Entry, Findings, Line, Panel, Picture
from anabranch.experiments.paper import Plan, Repeats
from anabranch.experiments.partial import whole
from anabranch.experiments.runner import Runner
from anabranch.objectives import Precision
from anabranch.signals import StopFlag

OPTIONS = ("--data", "digits", "--threads", "1", "--batch-size", "50", "--seed", "1", "--checkpoint-seconds", "0")
SHORT = ("--epochs", "2", "--model", "mlp")
EPOCHS = 20
TRIES = Repeats(2, "tries")
LONG = ("--epochs", str(EPOCHS), "--model", "slow_net:net")  # found where this file is


def cells(*, long: bool = False, dtype: Precision = "float32", measured: bool = True) -> list[Cell]:
    alone = ("train", "--world", "single", "--dtype", dtype, *OPTIONS, "--test-each-epoch")
    found = [Cell("short", (*alone, *SHORT), 1), Cell("other", (*alone, *(LONG if long else SHORT)), 5)]
    if measured:  # none is, but this one runs alone as if it were
        many = ("simulate", "--workers", "1,2", "--trace", "0", *OPTIONS, *SHORT)
        found.append(Cell("many", many, 3, alone=True))
    return found


@dataclass(frozen=True)
class Tiny:
    title: str = "Nobody 1999, A tiny paper"
    cuts: tuple[str, ...] = ("nearly everything",)
    repeats: Repeats | None = TRIES
    fixed_dtype: Precision | None = None

    def cells(self, plan: Plan) -> list[Cell]:
        found = cells(long=not plan.quick, dtype=plan.dtype, measured=plan.measured)
        return [cell for cell in found if plan.repeats != 1 or cell.name != "other"]

    def findings(self, outcomes: Mapping[str, Outcome], plan: Plan) -> Findings:
        errors = whole(lambda: [100 * line["test_error"] for line in outcomes["short"].epochs["1"]])
        if not errors:
            return Findings((), ())
        table = Comparison("Table 1", "Errors", "%", (Entry("all", "ours", 9.0, tuple(errors), "measured"),))
        line = Line("ours", (1.0, 2.0), tuple(errors))
        return Findings(
            (table,), (Picture("figure-1", "Errors", (Panel("epoch", "error, %", (line,)),)),), ("A note.",)
        )


@dataclass(frozen=True)
class Finished:
    """The cells of the quick form, run once: where they are, what they found, and what was shown meanwhile."""

    folder: Path
    outcomes: Mapping[str, Outcome]
    said: str


def run_quick(folder: Path) -> Finished:
    run, said = runner(folder)
    return Finished(folder, run.run(cells()), said.getvalue())


def runner(folder: Path, flag: StopFlag | None = None) -> tuple[Runner, io.StringIO]:
    said = io.StringIO()
    return Runner(folder, 2, Course(Console(file=said, width=200)), flag or StopFlag()), said


catalogue.PAPERS["tiny"] = Tiny()

if __name__ == "__main__":
    from anabranch.cli.main import main

    sys.exit(main(["reproduce", *sys.argv[1:]]))

"""An experiment of two short runs and a simulation, and a program that reproduces it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from anabranch.experiments import catalogue
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.findings import Comparison, Entry, Findings, Line, Panel, Picture

OPTIONS = ("--data", "digits", "--threads", "1", "--batch-size", "50", "--seed", "1", "--checkpoint-seconds", "0")
SHORT, LONG = ("--epochs", "2"), ("--epochs", "120")


def cells(*, long: bool = False) -> list[Cell]:
    mlp = ("--model", "mlp", "--test-each-epoch")
    return [
        Cell("short", ("train", "--world", "single", *OPTIONS, *SHORT, *mlp), 1),
        Cell("other", ("train", "--world", "single", *OPTIONS, *(LONG if long else SHORT), *mlp), 5),
        Cell(
            "many", ("simulate", "--workers", "1,2", "--trace", "0", *OPTIONS, *SHORT, "--model", "mlp"), 3, alone=True
        ),
    ]


@dataclass(frozen=True)
class Tiny:
    title: str = "Nobody 1999, A tiny paper"
    cuts: tuple[str, ...] = ("nearly everything",)

    def cells(self, *, quick: bool) -> list[Cell]:
        return cells(long=not quick)

    def findings(self, outcomes: Mapping[str, Outcome], *, quick: bool) -> Findings:
        errors = tuple(100 * line["test_error"] for line in outcomes["short"].epochs["1"])
        table = Comparison("Table 1", "Errors", "%", (Entry("all", "ours", 9.0, errors, "measured"),))
        line = Line("ours", (1.0, 2.0), errors)
        return Findings(
            (table,), (Picture("figure-1", "Errors", (Panel("epoch", "error, %", (line,)),)),), ("A note.",)
        )


catalogue.PAPERS["tiny"] = Tiny()

if __name__ == "__main__":
    from anabranch.cli.main import main

    sys.exit(main(["reproduce", *sys.argv[1:]]))

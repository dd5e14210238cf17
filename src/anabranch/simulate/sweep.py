"""The same training on several numbers of simulated workers: which, and a table of what they learn."""

import dataclasses
from collections.abc import Sequence

from rich.table import Table

from anabranch.config import Config
from anabranch.errors import UsageError
from anabranch.simulate.relative import Row, held_out

DRAWN = 64  # workers of a time line that people can read


def parse_counts(text: str) -> list[int]:
    """Numbers of workers from a list such as '1,2,4'.

    Raises:
        UsageError: no list of positive whole numbers.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise UsageError(f"'{text}' is no list of worker counts: write positive numbers with commas, as in 1,2,4,8.")
    return list(dict.fromkeys(int(part) for part in parts))


def traced_count(counts: Sequence[int], asked: int | None) -> int:
    """The number of workers whose run gets a time line: as asked, or the largest that can be read; 0 for none.

    Raises:
        UsageError: it is not among `counts`.
    """
    if asked is None:
        return max((count for count in counts if count <= DRAWN), default=0)
    if asked not in (0, *counts):
        listed = ", ".join(str(count) for count in counts)
        raise UsageError(f"--trace {asked} is none of the numbers of workers ({listed}): name one of them, or 0.")
    return asked


def with_workers(config: Config, workers: int, out: str) -> Config:
    """`config` on so many simulated workers, with a folder of its own."""
    parallel = dataclasses.replace(config.parallel, workers=workers, world="simulated")
    return dataclasses.replace(config, parallel=parallel, run=dataclasses.replace(config.run, out=out))


def learning_table(rows: Sequence[Row]) -> Table:
    """What the runs have learnt, for a terminal."""
    result = Table(title="error against workers")
    error = f"{held_out(rows)} error"
    for name in ("workers", error, "reconstruction error of each layer", "epochs", "seconds of this machine"):
        result.add_column(name, justify="right")
    for r in rows:
        error = "" if r["test_error"] is None else f"{100 * r['test_error']:.2f} %"
        layers = "  ".join(f"{value:.3f}" for value in r["layer_errors"])
        epochs = " ".join(str(value) for value in r["epochs"])
        result.add_row(str(r["workers"]), error, layers, epochs, f"{r['seconds']:.1f}")
    return result

"""The same training on several numbers of simulated workers: one run folder each, one table."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from anabranch.config import Config
from anabranch.errors import UsageError

Row = dict[str, Any]


def parse_counts(text: str) -> list[int]:
    """Numbers of workers from a list such as '1,2,4'.

    Raises:
        UsageError: no list of positive whole numbers.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise UsageError(f"'{text}' is no list of worker counts: write positive numbers with commas, as in 1,2,4,8.")
    return list(dict.fromkeys(int(part) for part in parts))


def with_workers(config: Config, workers: int, out: str) -> Config:
    """`config` on so many simulated workers, with a folder of its own."""
    parallel = dataclasses.replace(config.parallel, workers=workers, world="simulated")
    return dataclasses.replace(config, parallel=parallel, run=dataclasses.replace(config.run, out=out))


def sweep(counts: Sequence[int], run: Callable[[int], dict[str, Any]]) -> list[Row]:
    """Run each count; return a row of figures each."""
    return [row(run(workers)) for workers in counts]


def row(summary: dict[str, Any]) -> Row:
    """What the table shows of one run."""
    layers = [task for task in summary["tasks"] if task["task"].startswith("layer")]
    return {
        "workers": summary["workers"],
        "test_error": summary["test_error"],
        "layer_errors": [task["error"] for task in layers],
        "epochs": [task["epochs"] for task in summary["tasks"]],
        "seconds": summary["seconds"],
        "weights_sha256": summary["weights_sha256"],
    }


def table(rows: Sequence[Row]) -> Table:
    """The rows for a terminal."""
    result = Table(title="error against workers")
    for name in ("workers", "test error", "reconstruction error of each layer", "epochs", "seconds of this machine"):
        result.add_column(name, justify="right")
    for r in rows:
        error = "" if r["test_error"] is None else f"{100 * r['test_error']:.2f} %"
        layers = "  ".join(f"{value:.3f}" for value in r["layer_errors"])
        epochs = " ".join(str(value) for value in r["epochs"])
        result.add_row(str(r["workers"]), error, layers, epochs, f"{r['seconds']:.1f}")
    return result

"""How the error of one run fell, over its time and over its epochs; read from the outcome of its cell."""

from dataclasses import dataclass
from typing import Any

from anabranch.experiments.cell import Outcome


@dataclass(frozen=True)
class Run:
    """What one run of a contender came to.

    Attributes:
        seconds: at the end of each epoch with labels, from the start of the run; virtual in the simulated world.
        errors: the held-out error (a fraction) then.
        epochs: of all tasks.
        whole: seconds of the whole run.
        final: the error of what it ends in.
        bytes_per_worker: sent; None where it was not counted.
        waiting: part of the time in which a worker neither computed nor communicated; None where it was not measured.
        staleness: versions that a push came late, on average; None where there were none.
        diverged: it ended so; its error is 1, and it has no time.
    """

    seconds: tuple[float, ...]
    errors: tuple[float, ...]
    epochs: int
    whole: float
    final: float
    bytes_per_worker: float | None = None
    waiting: float | None = None
    staleness: float | None = None
    diverged: bool = False

    def seconds_to(self, target: float) -> float | None:
        """Until the error first was `target` or less; None: never."""
        return next((at for at, error in self._points if error <= target), None)

    def epoch_before(self, target: float) -> float:
        """Seconds from the measurement before to the first with an error of `target` or less; 0 where none had it."""
        before = 0.0
        for at, error in self._points:
            if error <= target:
                return at - before
            before = at
        return 0.0

    def error_at(self, seconds: float) -> float | None:
        """Of the last epoch that had ended by then; None: none had."""
        return next((error for at, error in reversed(self._points) if at <= seconds), None)

    @property
    def _points(self) -> list[tuple[float, float]]:
        """The last one is what the run ends in: workers at their own pace have more to apply after their last epoch."""
        if self.diverged:
            return []
        return [*zip(self.seconds[:-1], self.errors[:-1], strict=True), (self.whole, self.final)]


def read_run(outcome: Outcome) -> Run:
    """The run that `outcome` tells of."""
    if outcome.diverged:
        return Run((), (), 0, 0.0, 1.0, diverged=True)
    (lines,) = outcome.epochs.values()
    return _simulated(outcome.rows[0], lines) if outcome.rows else _real(outcome.summary, lines)


def _simulated(row: dict[str, Any], lines: list[dict[str, Any]]) -> Run:
    labelled = [line for line in lines if line.get("test_error") is not None]
    return Run(
        tuple(line["virtual_clock"] for line in labelled),
        tuple(line["test_error"] for line in labelled),
        len(lines),
        row["virtual_seconds"],
        row["test_error"],
        row["bytes_per_worker"],
        row["waiting"],
        row.get("mean_staleness"),
    )


def _real(summary: dict[str, Any], lines: list[dict[str, Any]]) -> Run:
    before = _starts(summary)
    labelled = [line for line in lines if line.get("test_error") is not None]
    books = [task["traffic"] for task in summary["tasks"] if task.get("traffic")]
    last = books[-1] if books else {}
    return Run(
        tuple(before[line["task"]] + line["seconds"] for line in labelled),
        tuple(line["test_error"] for line in labelled),
        len(lines),
        summary["seconds"],
        summary["test_error"],
        None,
        last.get("waiting"),
        last.get("mean_staleness"),
    )


def _starts(summary: dict[str, Any]) -> dict[str, float]:
    """Seconds before each task: the record counts from its own start."""
    found, so_far = {}, 0.0
    for task in summary["tasks"]:
        found[task["task"]] = so_far
        so_far += task["seconds"]
    return found

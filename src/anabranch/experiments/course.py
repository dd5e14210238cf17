"""What a person sees while an experiment goes: its cells, the last one's figure, and the time left."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from anabranch.experiments.cell import Cell, Outcome
from anabranch.wording import counted


class Course:
    """A bar where there is a terminal, a line for each cell elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("cells"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("cells", total=None, left="")
        self._began, self._done, self._all = time.monotonic(), 0.0, 0.0
        self._ended, self._count, self._before = 0, 0, 0

    def begin(self, cells: Sequence[Cell], before: int) -> None:
        """`cells` are to be run; so many were finished `before`."""
        self._began, self._all = time.monotonic(), sum(cell.cost for cell in cells)
        self._count, self._before = len(cells) + before, before
        self._bar.start()
        self._bar.update(self._task, total=self._count, completed=before)
        if before:
            self._say(f"{counted(before, 'cell')} finished before, {len(cells)} to run")

    def waits(self, cell: Cell) -> None:
        """A cell cannot begin yet."""
        self._say(f"{cell.name}: another process is training there still; waiting until it has stopped …")

    def ended(self, cell: Cell, outcome: Outcome) -> None:
        """A cell has been finished."""
        self._done += cell.cost
        self._ended += 1
        left = (time.monotonic() - self._began) / self._done * (self._all - self._done)
        rest = f"about {in_words(left)} left" if self._done < self._all else "all done"
        self._bar.update(self._task, advance=1, left=rest)
        number = f"{self._before + self._ended}/{self._count}"
        self._say(f"{number} {cell.name}{_figure(cell, outcome)}, {in_words(outcome.seconds)}; {rest}")

    def end(self) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    def _say(self, text: str) -> None:
        self._bar.console.print(text, highlight=False, soft_wrap=True, markup=False)
        self._console.file.flush()


def in_words(seconds: float) -> str:
    """For example '48 s', '12 min', '3 h 05 min'."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def _figure(cell: Cell, outcome: Outcome) -> str:
    part = "validation" if "--validation-fraction" in cell.arguments else "test"
    rows = [outcome.summary, *outcome.rows]
    errors = [float(row["test_error"]) for row in rows if row.get("test_error") is not None]
    return f": {part} error {100 * errors[-1]:.2f} %" if len(errors) == 1 else ""

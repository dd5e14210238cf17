"""What a person sees while a run goes: a bar a task on a terminal, plain lines elsewhere. Rank 0 alone shows it."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from anabranch.lasting import lasting_stdout
from anabranch.launch import TERMINAL, started_ranks
from anabranch.rankview import rank_lines
from anabranch.strategies import EpochReport, Throughput
from anabranch.types import Step
from anabranch.wording import counted

PLAIN_SECONDS = 5.0  # least time between two plain lines
FIRST_SECONDS = 2.0  # before the first, of work that may be short

T = TypeVar("T")


def told(items: Iterable[T], total: int, what: str, say: Callable[[str], None]) -> Iterator[T]:
    """Pass on `items`, of which there are `total`, and say now and then how many are done and how long the rest takes.

    Nothing is said of what takes less than two seconds.
    """
    began = time.monotonic()
    due = began + FIRST_SECONDS
    for number, item in enumerate(items):
        if number and (now := time.monotonic()) >= due:
            left = (now - began) / number * (total - number)
            say(f"{what}: {number:,} of {total:,}, {left:.0f} s left")
            due = now + PLAIN_SECONDS
        yield item


class Display(Protocol):
    """Shows the course of tasks."""

    def start(self, task: str, epochs: int, steps: int, done: int) -> None:
        """A task of at most `epochs` epochs of `steps` steps begins; `done` epochs were made before."""
        ...

    def on_step(self, step: Step) -> None:
        """An update was made."""
        ...

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch has ended."""
        ...

    def on_ranks(self, each: Sequence[Throughput]) -> None:
        """What each rank did in the epoch of which `on_epoch` tells next."""
        ...

    def say(self, text: str) -> None:
        """Show one line."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class Silence:
    """Shows nothing: for the other ranks, and for tests."""

    def start(self, task: str, epochs: int, steps: int, done: int) -> None:
        """Nothing."""

    def on_step(self, step: Step) -> None:
        """Nothing."""

    def on_epoch(self, report: EpochReport) -> None:
        """Nothing."""

    def on_ranks(self, each: Sequence[Throughput]) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Rate:
    """Examples a second of the running task, all ranks together, from the epochs that have ended."""

    def __init__(self) -> None:
        self._began, self._examples = time.monotonic(), 0

    def update(self, examples: int) -> float:
        """Count `examples` more; return the rate."""
        self._examples += examples
        return self._examples / max(time.monotonic() - self._began, 1e-9)


class Plain:
    """A line an epoch, at most one every few seconds, and one at the end of each task."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0
        self._epochs, self._done, self._began = 0, 0, 0.0
        self._rate = Rate()
        self._ranks: Sequence[Throughput] = ()

    def start(self, task: str, epochs: int, steps: int, done: int) -> None:
        """Announce the task."""
        size = f"{counted(epochs, 'epoch')} of {counted(steps, 'step')}"
        self.say(f"{task}: up to {size}" + (f", {done} done before" if done else ""))
        self._epochs, self._done, self._began = epochs, done, time.monotonic()
        self._rate, self._next = Rate(), time.monotonic() + PLAIN_SECONDS

    def on_step(self, step: Step) -> None:
        """Steps are too many for lines."""

    def on_epoch(self, report: EpochReport) -> None:
        """A line, if it is time for one."""
        rate = self._rate.update(report.examples)
        now = time.monotonic()
        if now < self._next and not report.last:
            return
        self._next = now + PLAIN_SECONDS
        made = report.epoch + 1
        left = (now - self._began) / (made - self._done) * (self._epochs - made)
        ending = "done" if report.last else f"{left:.0f} s left"
        self.say(
            f"{report.task}: epoch {made}/{self._epochs}, {report.quantity} {report.error:.4g}, "
            f"{rate:,.0f} samples/s, {ending}"
        )
        for line in rank_lines(self._ranks):
            self.say(line)

    def on_ranks(self, each: Sequence[Throughput]) -> None:
        """Keep it for the epoch's line."""
        self._ranks = each

    def say(self, text: str) -> None:
        """Print a line at once."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)
        self._console.file.flush()

    def close(self) -> None:
        """Nothing to leave."""


class _WithRanks(Progress):
    """Bars with lines about the ranks below them."""

    ranks: Sequence[str] = ()

    def get_renderables(self) -> Iterator[RenderableType]:
        """What rich draws."""
        yield self.make_tasks_table(self.tasks)
        for line in self.ranks:
            yield Text(line, no_wrap=True, overflow="crop")


class Bars:
    """A bar a task, with epochs, error, rate and time left."""

    def __init__(self, console: Console) -> None:
        columns = (
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[epoch]}"),
            TextColumn("{task.fields[error]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        self._progress = _WithRanks(*columns, console=console, expand=True)
        self._bar: TaskID | None = None
        self._epochs, self._rate = 0, Rate()

    def start(self, task: str, epochs: int, steps: int, done: int) -> None:
        """Add a bar."""
        self._progress.start()
        self._epochs, self._rate = epochs, Rate()
        made = f"epoch {done}/{epochs}"
        self._bar = self._progress.add_task(
            task, total=epochs * steps, completed=done * steps, epoch=made, error="", rate=""
        )

    def on_step(self, _step: Step) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._progress.advance(self._bar)

    def on_epoch(self, report: EpochReport) -> None:
        """Fill in the figures."""
        if self._bar is None:
            return
        made = report.epoch + 1
        self._progress.update(
            self._bar,
            epoch=f"epoch {made}/{self._epochs}",
            error=f"{report.quantity.split()[-1]} {report.error:.4g}",  # 80 columns have room for one word
            rate=f"{self._rate.update(report.examples):,.0f}/s",
        )
        if report.last:  # convergence may come before the last epoch
            self._progress.update(self._bar, total=report.steps, completed=report.steps)

    def on_ranks(self, each: Sequence[Throughput]) -> None:
        """Show it below the bars."""
        self._progress.ranks = rank_lines(each)

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def close(self) -> None:
        """Stop drawing."""
        self._progress.stop()


def make_display() -> Display:
    """Bars where standard output is a terminal, else plain lines.

    Under mpirun every rank sees a terminal of mpirun's making; there the launcher says whether a real one is behind it.
    """
    width = os.environ.get(TERMINAL)
    stream = lasting_stdout()
    if width and width.isdigit():
        return Bars(Console(file=stream, force_terminal=True, width=int(width)))
    console = Console(file=stream)
    return Bars(console) if stream.isatty() and not started_ranks() else Plain(console)

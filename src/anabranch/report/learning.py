"""Learning curves: what the tasks of one run, or of several, watched from epoch to epoch, and against time."""

from collections.abc import Sequence

from anabranch.report.charts import Axis, Series, lines
from anabranch.report.page import Chart, Section
from anabranch.report.records import Json, Run

FEW_EPOCHS = 12  # that all have a number on the axis
TEST_ERROR = Axis("test error, %", from_zero=True)


def learning_section(runs: Sequence[Run]) -> Section:
    """How the runs learnt."""
    charts = [*epoch_charts(runs), *test_error_charts(runs), *step_charts(runs)]
    text = () if charts else ("No epoch has ended yet.",)
    return Section("learning", "How it learnt", text, tuple(charts))


def epoch_charts(runs: Sequence[Run]) -> list[Chart]:
    """What the tasks watched: a chart for each quantity, with a line for each task; of several runs, for each task."""
    charts = []
    for number, (title, part) in enumerate(parts(runs).items(), 1):
        series = [Series(name, places(found), [line["error"] for line in found]) for name, found in part]
        quantity = part[0][1][0]["quantity"]
        heading = f"{title[:1].upper()}{title[1:]} after each epoch"
        axes = epoch_axis(series), Axis(quantity)
        charts.append(lines(f"curve-{number}", heading, NOTES.get(quantity, ""), series, *axes))
    return charts


def parts(runs: Sequence[Run]) -> dict[str, list[tuple[str, list[Json]]]]:
    """By the titles of charts: the names of their lines, and the epochs of each."""
    found: dict[str, list[tuple[str, list[Json]]]] = {}
    for run in runs:
        for task in run.tasks:
            if course := run.course(task):
                quantity = course[0]["quantity"]
                title = quantity if len(runs) == 1 else f"{quantity} of {short(task)}"
                found.setdefault(title, []).append((task if len(runs) == 1 else run.name, course))
    return found


def test_error_charts(runs: Sequence[Run]) -> list[Chart]:
    """The test error after each epoch, where it was watched."""
    series = [
        Series(task if len(runs) == 1 else run.name, places(found), percent(found))
        for run in runs
        for task in run.tasks
        if (found := [line for line in run.course(task) if "test_error" in line])
    ]
    if not series:
        return []
    note = "The part of the test examples that were taken for another class."
    return [lines("test-error", "Test error after each epoch", note, series, epoch_axis(series), TEST_ERROR)]


def time_charts(runs: Sequence[Run]) -> list[Chart]:
    """The error against time: the test error where all have watched it, else what their last tasks watched."""
    tested = all(any("test_error" in line for line in run.epochs) for run in runs)
    watched = [
        (run, [e for e in run.epochs if ("test_error" in e) or (not tested and last_task(run, e))]) for run in runs
    ]
    virtual = all("virtual_clock" in line for run in runs for line in run.epochs)
    series = [
        Series(run.name, times(run, found, virtual=virtual), percent(found) if tested else [e["error"] for e in found])
        for run, found in watched
        if found
    ]
    if not any(len(one.x) > 1 for one in series):
        return []
    quantity = "test error" if tested else watched[0][0].epochs[-1]["quantity"]
    clock = Axis("virtual seconds" if virtual else "seconds of training")
    note = "Time of the simulated cluster since the run began." if virtual else "Wall-clock time since training began."
    title = f"{quantity[:1].upper()}{quantity[1:]} against time"
    return [lines("against-time", title, note, series, clock, TEST_ERROR if tested else Axis(quantity))]


def step_charts(runs: Sequence[Run]) -> list[Chart]:
    """The loss of the updates of one run, within its epochs."""
    if len(runs) != 1 or not runs[0].steps:
        return []
    series = [
        Series(task, [at for at, _ in points], [loss for _, loss in points], straight=True)
        for task, points in runs[0].steps.items()
    ]
    note = "Of the updates that the first rank made, as means of up to a hundred parts of each task."
    steps = Axis("update of the task")
    return [lines("steps", "Loss of the minibatches", note, series, steps, Axis("loss", log=positive(series)))]


NOTES = {
    "reconstruction error": "Squared error of a minibatch's reconstruction, summed over the visible units, mean over "
    "the epoch's examples: contrastive divergence, a line for each layer.",
    "loss": "Cross-entropy of the minibatches, mean over the epoch's examples.",
    "RMS error": "Root of the mean squared difference between outputs and targets, over all training examples.",
}


def epoch_axis(series: Sequence[Series]) -> Axis:
    """The axis of the epochs, without halves of them."""
    last = max(int(place) for one in series for place in one.x)
    return Axis("epoch", ticks=tuple(range(1, last + 1)) if last <= FEW_EPOCHS else ())


def short(task: str) -> str:
    """The name of a task without the sizes, which differ from run to run."""
    return task.partition(" (")[0]


def places(epochs: Sequence[Json]) -> list[float]:
    """Their numbers, from 1."""
    return [line["epoch"] + 1 for line in epochs]


def last_task(run: Run, line: Json) -> bool:
    """Whether an epoch is of the last task of its run."""
    return bool(line["task"] == run.epochs[-1]["task"])


def times(run: Run, epochs: Sequence[Json], *, virtual: bool) -> list[float]:
    """When the epochs ended: virtual seconds, or seconds of training, those of the tasks before included."""
    if virtual:
        return [line["virtual_clock"] for line in epochs]
    before, total = dict[str, float](), 0.0
    for task in run.tasks:
        before[task] = total
        total += next((line["seconds"] for line in reversed(run.course(task))), 0.0)
    return [before[line["task"]] + line["seconds"] for line in epochs]


def percent(epochs: Sequence[Json]) -> list[float]:
    """Their test errors."""
    return [100 * line["test_error"] for line in epochs]


def positive(series: Sequence[Series]) -> bool:
    """Whether all values can stand on a logarithmic axis, and are worth one."""
    values = [value for one in series for value in one.y if value is not None]
    return bool(values) and min(values) > 0 and max(values) > 20 * min(values)

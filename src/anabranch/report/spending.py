"""What the time went to: seconds and speed of the tasks, and the shares of computing, waiting and communicating."""

from collections.abc import Sequence

from anabranch.report.charts import Axis, Series, bars, shown
from anabranch.report.learning import time_charts
from anabranch.report.page import Chart, Section, Table
from anabranch.report.records import Json, Run
from anabranch.wording import digits, seconds_text

KINDS = ("computing", "communicating", "waiting")  # blue, vermillion, green


def time_section(run: Run) -> Section:
    """Where the seconds of a run went."""
    if not run.summary:
        text = ("The run has not ended: the times of its tasks are not known yet.",)
        return Section("time", "Where the time went", text, tuple(time_charts([run])))
    tasks = run.summary["tasks"]
    charts: list[Chart | Table] = [task_seconds(run.summary), *time_charts([run])]
    if run.row:
        charts.append(share_chart([run.row]))
    return Section("time", "Where the time went", (), (*charts, task_table(tasks)))


def task_seconds(summary: Json) -> Chart:
    """The seconds of each task, and of what else the process did."""
    names = [task["task"] for task in summary["tasks"]]
    seconds: list[float | None] = [round(task["seconds"], 3) for task in summary["tasks"]]
    earlier = summary.get("earlier_seconds", 0.0)
    rest = summary.get("process_seconds", 0.0) + earlier - sum(task["seconds"] for task in summary["tasks"])
    if rest > 0:
        names, seconds = [*names, "beside training"], [*seconds, round(rest, 3)]
    note = "Beside training are the set-up, evaluation, and files; loading the data is not counted."
    note += " The run was resumed: this is of its last process." if earlier else ""
    series = [Series("seconds", names, seconds)]
    return bars("task-seconds", "Seconds of each task", note, series, Axis("task"), Axis("seconds", from_zero=True))


def task_table(tasks: Sequence[Json]) -> Table:
    """What each task did, and how fast."""
    heads = ("task", "epochs", "error at the end", "time", "examples/s", "GFLOP/s", "of the matrix products' limit")
    rows = [
        (
            task["task"],
            str(task["epochs"]),
            f"{task['quantity']} {shown(task['error'])}",
            seconds_text(task["seconds"]),
            shown(task["samples_per_second"] and round(task["samples_per_second"])),
            shown(task.get("gflop_per_second")),
            _share(task.get("fraction_of_limit")),
        )
        for task in tasks
    ]
    return Table("The tasks of the run", heads, tuple(rows))


def share_chart(rows: Sequence[Json]) -> Chart:
    """What the simulated workers' time went to, for each number of workers."""
    places = [str(row["workers"]) for row in rows]
    series = [Series(kind, places, [round(100 * (row[kind] or 0.0), 1) for row in rows]) for kind in KINDS]
    note = "Of all workers together. Waiting is for others or in a queue, communicating for bytes under way."
    axes = Axis("workers"), Axis("share of the time, %", from_zero=True)
    return bars("shares", "What the workers' time went to", note, series, *axes, stacked=True)


def _share(fraction: float | None) -> str:
    return "–" if fraction is None else f"{digits(100 * fraction)} %"

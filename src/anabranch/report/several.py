"""The page of several runs: their curves together, and a row for each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anabranch.errors import UsageError
from anabranch.report.asynchrony import staleness_charts
from anabranch.report.charts import Axis, Series, bars, shown
from anabranch.report.learning import learning_section, short, time_charts
from anabranch.report.page import Chart, Page, Section, Table, Tile
from anabranch.report.records import Run, is_run, read_run
from anabranch.report.setup import written
from anabranch.report.simulation import is_simulation
from anabranch.wording import counted, seconds_text

UNIMPORTANT = {("run", "out"), ("run", "checkpoint_seconds")}


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs in `folders`; a simulation's are all of its own.

    Raises:
        UsageError: a folder has none.
        CheckpointError: a file is damaged.
    """
    found: list[Path] = []
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        inner = sorted(path.parent for path in folder.glob("workers-*/config.toml"))
        if is_run(folder):
            found.append(folder)
        elif is_simulation(folder) and inner:
            found += sorted(inner, key=lambda path: int(path.name.partition("-")[2]))
        else:
            raise UsageError(
                f"there is no run in {folder}: a page of several folders compares runs of anabranch train."
            )
    return [read_run(path, name, steps=False) for path, name in zip(found, names(found), strict=True)]


def names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        ends = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(ends)) == len(ends):
            return ends
    return [str(path) for path in paths]


def several_page(runs: Sequence[Run]) -> Page:
    """The page of several runs."""
    learning = learning_section(runs)
    found: list[Section | None] = [
        results_section(runs),
        learning,
        _section("time", "Where the time went", [*time_charts(runs), *seconds_chart(runs)]),
        staleness_section(runs),
        differences_section(runs),
    ]
    headline = verdict(runs)
    lede = f"{', '.join(run.name for run in runs[:-1])} and {runs[-1].name}." if len(runs) > 1 else runs[0].name
    return Page("Comparison", headline, headline, lede, tiles(runs), tuple(section for section in found if section))


def verdict(runs: Sequence[Run]) -> str:
    """Which is the best."""
    tested = [run for run in runs if error(run) is not None]
    if not tested:
        return counted(len(runs), "run")
    best = min(tested, key=lambda run: error(run) or 0.0)
    return f"{100 * (error(best) or 0.0):.2f} % is the least test error: {best.name}"


def tiles(runs: Sequence[Run]) -> tuple[Tile, ...]:
    """The key figures."""
    done = [run for run in runs if run.summary]
    found = [Tile("Runs", str(len(runs)), f"{len(done)} finished")]
    errors = sorted((100 * value, run.name) for run in done if (value := error(run)) is not None)
    if errors:
        found.append(Tile("Least test error", f"{errors[0][0]:.2f} %", errors[0][1]))
        found.append(Tile("Largest test error", f"{errors[-1][0]:.2f} %", errors[-1][1]))
    fastest = min(((run.summary["seconds"], run.name) for run in done if run.summary), default=None)
    if fastest:
        found.append(Tile("Shortest training", seconds_text(fastest[0]), fastest[1]))
    return tuple(found)


def error(run: Run) -> float | None:
    """The test error, a fraction; None where it is not known."""
    value: float | None = run.summary["test_error"] if run.summary else None
    return value


def results_section(runs: Sequence[Run]) -> Section:
    """A row for each run."""
    charts = []
    tested = [run for run in runs if error(run) is not None]
    if tested:
        series = [Series("test error", [run.name for run in tested], [100 * (error(run) or 0.0) for run in tested])]
        axes = Axis("run"), Axis("test error, %", from_zero=True)
        charts.append(bars("test-errors", "Test error of each run", "", series, *axes))
    return Section("results", "What came out", (), (*charts, results_table(runs)))


def results_table(runs: Sequence[Run]) -> Table:
    """What each run was, and what came out."""
    heads = ("run", "model", "data", "strategy", "workers", "world", "test error", "training", "examples/s")
    return Table("The runs", heads, tuple(_row(run) for run in runs))


def _row(run: Run) -> tuple[str, ...]:
    summary, parallel = run.summary, run.config["parallel"]
    value = error(run)
    return (
        run.name,
        run.config["model"]["model"],
        run.config["data"]["data"],
        parallel["strategy"],
        str(summary["workers"] if summary else parallel["workers"]),
        parallel["world"],
        "–" if value is None else f"{100 * value:.2f} %",
        seconds_text(summary["seconds"]) if summary else "not finished",
        shown(summary["samples_per_second"] and round(summary["samples_per_second"])) if summary else "–",
    )


def seconds_chart(runs: Sequence[Run]) -> list[Chart]:
    """The seconds of each task of each run."""
    done = [(run.name, run.summary) for run in runs if run.summary]
    if not done:
        return []
    tasks = list(dict.fromkeys(short(task["task"]) for _, summary in done for task in summary["tasks"]))
    places = [name for name, _ in done]
    series = [
        Series(task, places, [sum(t["seconds"] for t in s["tasks"] if short(t["task"]) == task) for _, s in done])
        for task in tasks
    ]
    axes = Axis("run"), Axis("seconds", from_zero=True)
    return [bars("seconds", "Seconds of training", "", series, *axes, stacked=True)]


def staleness_section(runs: Sequence[Run]) -> Section | None:
    """How late pushes came, in the last task of each run."""
    last = {run.name: list(run.traffic.values())[-1]["staleness"] for run in runs if run.traffic}
    return _section("staleness", "How stale it was", staleness_charts(last))


def differences_section(runs: Sequence[Run]) -> Section:
    """The options in which the runs differ."""
    flat: list[Mapping[tuple[str, str], Any]] = [
        {(group, name): value for group, options in run.config.items() for name, value in options.items()}
        for run in runs
    ]
    keys = [key for key in dict.fromkeys(key for one in flat for key in one) if key not in UNIMPORTANT]
    differing = [key for key in keys if len({repr(one.get(key)) for one in flat}) > 1]
    if not differing:
        return Section("options", "In what they differ", ("The runs have the same options.",))
    heads = ("option", *(run.name for run in runs))
    rows = [
        (f"--{name.replace('_', '-')}", *(written(one.get((group, name), "–")) for one in flat))
        for group, name in differing
    ]
    return Section("options", "In what they differ", (), (Table("Options that differ", heads, tuple(rows)),))


def _section(name: str, title: str, charts: Sequence[Chart]) -> Section | None:
    return Section(name, title, (), tuple(charts)) if charts else None

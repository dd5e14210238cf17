"""The page of a comparison: strategies on equal terms, as `anabranch compare` has found them."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from anabranch.report.charts import Axis, Series, apart, bars, lines
from anabranch.report.page import Chart, Page, Section, Table, Tile
from anabranch.report.records import Json, read_json
from anabranch.report.setup import environment_table, pairs
from anabranch.wording import counted

ERROR = "test error, %"
FASTER = "times as fast"


def is_comparison(folder: Path) -> bool:
    """Whether there is a finished comparison in `folder`."""
    return (folder / "comparison.json").is_file()


def comparison_page(folder: Path) -> Page:
    """The page of the comparison in `folder`.

    Raises:
        CheckpointError: a file is damaged.
    """
    found: Json = read_json(folder / "comparison.json")
    environment = folder / "environment.json"
    sections = [
        Section("ranking", "Ranking", (), (*map(sheet, found["tables"]), *times_as_fast(found["tables"][0]))),
        Section("curves", "How they learnt", (), tuple(curves(found))),
        rates_section(found["trials"]),
        Section("notes", "What to know", tuple(found["notes"])),
        setup_section(found["terms"], read_json(environment) if environment.is_file() else None),
    ]
    verdict = found["verdict"].rstrip(".")
    filled = tuple(section for section in sections if section.text or section.parts)
    title = f"{verdict} · {folder.resolve().name}"
    return Page("Comparison", title, verdict, f"{found['heading']}.", tiles(found), filled)


def tiles(found: Json) -> tuple[Tile, ...]:
    """The key figures."""
    first = [place["name"] for place in found["ranking"] if place["place"] == found["ranking"][0]["place"]]
    runs = sum(len(result["runs"]) for result in found["results"].values())
    return (
        Tile("First place", ", ".join(first), "shared" if len(first) > 1 else ""),
        Tile("Target", f"{100 * found['target_error']:.2f} %", ERROR.partition(",")[0]),
        Tile("Contenders", str(len(found["results"]))),
        Tile("Runs that count", str(runs), f"{counted(found['terms']['seeds'], 'seed')} each"),
    )


def times_as_fast(ranking: Json) -> list[Chart]:
    """A bar for each contender that always reached the target, from the ranking's own column."""
    heads = ranking["heads"]
    column = heads.index(FASTER) if FASTER in heads else 0
    known = [(row[0], float(row[column])) for row in ranking["rows"] if column and row[column]]
    if not known:
        return []
    series = Series(FASTER, [name for name, _ in known], [times for _, times in known])
    note = "To the target; geometric mean over the seeds. Those that do not always reach it are left out."
    return [
        bars("faster", "Times as fast as one process", note, [series], Axis("contender"), Axis(FASTER, from_zero=True))
    ]


def curves(found: Json) -> list[Chart]:
    """The error against time and against epochs, means over the seeds."""
    virtual = found["terms"]["world"] == "simulated"
    by_time, by_epoch = [], []
    for name, result in found["results"].items():
        runs = [run for run in result["runs"] if run["errors"]]
        if not runs:
            continue
        length = min(len(run["errors"]) for run in runs)
        errors = [[100 * run["errors"][n] for run in runs] for n in range(length)]
        means, spread = list(map(mean, errors)), [stdev(group) if len(group) > 1 else 0.0 for group in errors]
        by_time.append(Series(name, [mean(run["seconds"][n] for run in runs) for n in range(length)], means, spread))
        by_epoch.append(Series(name, list(range(1, length + 1)), means, spread))
    if not by_time:
        return []
    note = "Means over the seeds, with their standard deviation."
    error, clock = Axis(ERROR, from_zero=True), Axis("virtual seconds" if virtual else "seconds", log=True)
    return [
        lines("against-time", "Test error against time", note, by_time, clock, error),
        lines("against-epochs", "Test error against epochs", note, by_epoch, Axis("epoch with labels"), error),
    ]


def rates_section(trials: Json) -> Section:
    """How the learning rates were found; empty where nobody had one to choose."""
    series = [
        Series(name, [one["learning_rate"] for one in known], [100 * one["error"] for one in known])
        for name, found in trials.items()
        if (known := sorted((o for o in found if o["error"] is not None), key=lambda o: float(o["learning_rate"])))
    ]
    if not series:
        return Section("rates", "Learning rates")
    note = "On the examples that were held out from training, with one seed. A rate that diverged has no point."
    rates = sorted({float(rate) for one in series for rate in one.x})
    axes = Axis("learning rate", log=True, ticks=apart(rates)), Axis("validation error, %", from_zero=True)
    chart = lines("rates-tried", "Error of each learning rate that was tried", note, series, *axes)
    return Section("rates", "How the learning rates were found", (), (chart,))


def sheet(table: Json) -> Table:
    """One of the comparison's own tables."""
    heads: Sequence[str] = table["heads"]
    rows = tuple(tuple(cell or "–" for cell in row) for row in table["rows"])
    return Table(table["title"], (heads[0] or "contender", *heads[1:]), rows)


def setup_section(terms: Json, environment: Json | None) -> Section:
    """The terms that were equal, and the machine."""
    tables = [pairs("Terms", "what", {name: _in_words(value) for name, value in terms.items()})]
    if environment:
        tables.append(environment_table(environment))
    return Section("setup", "How it was set up", (), tuple(tables), dense=True)


def _in_words(value: object) -> object:
    """A list of words as a person would type it."""
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return " ".join(value)
    return value

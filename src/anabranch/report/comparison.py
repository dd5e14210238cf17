"""The page of a comparison: who was first, whether one can tell, and at what cost."""

from math import fsum
from pathlib import Path

from anabranch.report.charts import Axis, Series, bars, lines
from anabranch.report.page import Chart, Page, Section, Table, Tile
from anabranch.report.records import Json, read_json
from anabranch.report.reproduction import panel_chart
from anabranch.report.setup import environment_table

RECORD = "comparison.json"


def is_comparison(folder: Path) -> bool:
    """Whether there is a comparison in `folder`."""
    return (folder / RECORD).is_file()


def read_comparison(folder: Path) -> Json:
    """The comparison in `folder`, and the environment that it ran in.

    Raises:
        CheckpointError: a file is damaged.
    """
    content: Json = read_json(folder / RECORD)
    path = folder / "environment.json"
    return content | {"environment": read_json(path) if path.is_file() else {}}


def comparison_page(found: Json) -> Page:
    """The page of a comparison."""
    sections = (ranking_section(found), curves_section(found), costs_section(found), rates_section(found))
    setup = Section("setup", "How it was set up", tuple(found["notes"]), (environment_table(found["environment"]),))
    return Page(
        "Comparison",
        f"{found['heading']} · Anabranch",
        found["verdict"],
        f"{found['heading']}: {named(found)}.",
        tiles(found),
        (*sections, setup),
    )


def named(found: Json) -> str:
    """All contenders, in the order of their places."""
    return ", ".join(f"{place['place']}. {place['name']}" for place in found["ranking"])


def tiles(found: Json) -> tuple[Tile, ...]:
    """The key figures."""
    first = found["ranking"][0]["name"]
    terms = found["terms"]
    runs = sum(len(result["runs"]) for result in found["results"].values())
    tried = sum(len(trials) for trials in found["trials"].values())
    return (
        Tile("First", first, "shared" if sum(one["place"] == 1 for one in found["ranking"]) > 1 else "alone"),
        Tile("Target", f"{100 * found['target_error']:.2f} %", "test error"),
        Tile("Runs", str(runs), f"{terms['seeds']} seeds each; {tried} trials of learning rates before"),
    )


def ranking_section(found: Json) -> Section:
    """Places, and how many times as fast as one process."""
    text = (
        "A place is shared (=) where the runs cannot tell two apart; the time is until the error first was so low.",
    )
    table = sheet(found["tables"][0])
    column = found["tables"][0]["heads"].index("times as fast")
    rows = [(row[0], float(row[column])) for row in found["tables"][0]["rows"] if row[column]]
    chart = bars(
        "times-as-fast",
        "Times as fast as one process",
        "To the target error; geometric mean over the seeds. Those that do not always reach it are left out.",
        [Series("times as fast", [name for name, _ in rows], [times for _, times in rows])],
        Axis("strategy"),
        Axis("times as fast", from_zero=True),
    )
    return Section("ranking", "Ranking", text, (table, chart) if rows else (table,))


def curves_section(found: Json) -> Section:
    """The error against time, and against epochs."""
    charts = [
        panel_chart(f"{picture['name']}-{number}", title, panel)
        for picture in found["pictures"]
        for number, (panel, title) in enumerate(zip(picture["panels"], TITLES, strict=True), 1)
    ]
    return Section("curves", "How the error fell", ("Means over the seeds, with standard deviations.",), tuple(charts))


TITLES = ("Test error against time", "Test error against epochs")


def costs_section(found: Json) -> Section:
    """What a run costs, and what it spends its time on."""
    waiting = {name: _mean([run["waiting"] for run in one["runs"]]) for name, one in found["results"].items()}
    known = {name: 100 * value for name, value in waiting.items() if value is not None}
    parts: list[Chart | Table] = [sheet(found["tables"][1])]
    if any(known.values()):
        note = "Part of the workers' time in which they neither computed nor communicated."
        series = [Series("waiting", list(known), list(known.values()))]
        parts.append(
            bars("waiting-part", "Waiting", note, series, Axis("strategy"), Axis("waiting, %", from_zero=True))
        )
    return Section("costs", "What it costs", (), tuple(parts))


def rates_section(found: Json) -> Section:
    """How the learning rates were found."""
    series = []
    for name, trials in found["trials"].items():
        points = sorted((one["learning_rate"], one["error"]) for one in trials if one["error"] is not None)
        if len(points) > 1:
            series.append(Series(name, [rate for rate, _ in points], [100 * error for _, error in points]))
    x, y = Axis("learning rate", log=True), Axis("validation error, %", log=True)
    note = "Each had as many trials as the others. Rates that diverged are in the table."
    charts = (lines("rate-trials", "Validation error against the learning rate", note, series, x, y),) if series else ()
    return Section("rates", "Learning rates", (), (*charts, sheet(found["tables"][2])))


def sheet(found: Json) -> Table:
    """A table as the comparison holds it."""
    heads = [head or "strategy" for head in found["heads"]]
    return Table(found["title"], tuple(heads), tuple(tuple(cell or "–" for cell in row) for row in found["rows"]))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if known else None

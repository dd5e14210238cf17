"""The page of a simulation: one training on several numbers of workers, in the virtual time of a cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anabranch.report.asynchrony import staleness_charts
from anabranch.report.charts import Axis, Series, apart, lines, shown
from anabranch.report.images import size_of
from anabranch.report.learning import epoch_charts, test_error_charts, time_charts
from anabranch.report.page import Chart, Page, Picture, Section, Table, Tile
from anabranch.report.records import Json, Run, held_out, read_json, read_run, read_toml
from anabranch.report.setup import pairs, setup_section
from anabranch.report.spending import share_chart
from anabranch.simulate.relative import FINISHED, Row, base_workers, captions
from anabranch.wording import counted, digits, seconds_text

WIDEST = 1072  # CSS pixels of the page
WIDE = 8  # the ratio of the largest to the smallest number of workers from which an axis is logarithmic


@dataclass(frozen=True)
class Sweep:
    """What a simulation's folder holds.

    Attributes:
        folder: of the simulation.
        rows: the figures of each number of workers, the least first.
        runs: those with the mathematics, as far as they are there.
        config: the options of all runs.
        cluster: its description.
        target: the test error (a fraction) to which times were measured.
        environment: versions and machine.
    """

    folder: Path
    rows: list[Row]
    runs: list[Run]
    config: Json
    cluster: Json
    target: float | None
    environment: Json | None


def is_simulation(folder: Path) -> bool:
    """Whether there is a simulation in `folder`."""
    return (folder / "sweep.json").is_file()


def read_sweep(folder: Path) -> Sweep:
    """Read the simulation in `folder`.

    Raises:
        CheckpointError: a file is damaged.
    """
    rows = sorted(read_json(folder / "sweep.json"), key=lambda row: int(row["workers"]))
    runs = runs_of(folder)
    config = runs[0].config if runs else read_toml(folder / "options.toml")
    own = {"workers", "out"}  # what differs from run to run
    shared = {group: {k: v for k, v in options.items() if k not in own} for group, options in config.items()}
    kept = read_json(folder / "simulation.json") or {}
    environment = read_json(folder / "environment.json") or next((run.environment for run in runs), None)
    cluster = read_toml(folder / "cluster.toml")
    return Sweep(folder, rows, runs, shared, cluster, kept.get("target_error"), environment)


def runs_of(folder: Path) -> list[Run]:
    """The runs of a simulation, the least number of workers first."""
    paths = sorted(folder.glob("workers-*/config.toml"), key=lambda path: int(path.parent.name.partition("-")[2]))
    return [read_run(path.parent, counted(int(path.parent.name[8:]), "worker"), steps=False) for path in paths]


def simulation_page(sweep: Sweep) -> Page:
    """The page of a simulation."""
    found: list[Section | None] = [
        scaling_section(sweep),
        time_section(sweep),
        learning_section(sweep),
        staleness_section(sweep.rows),
        cluster_section(sweep.cluster),
        setup_section(sweep.config, sweep.environment),
    ]
    headline = verdict(sweep.rows)
    title = f"{headline} · {sweep.folder.resolve().name}"
    return Page(
        "Simulation", title, headline, lede(sweep), tiles(sweep), tuple(section for section in found if section)
    )


def verdict(rows: Sequence[Row]) -> str:
    """What came out, in a few words."""
    timed = [row for row in rows if row["speed_up"]]
    base = base_workers(rows)
    if not timed or base is None:
        return "No run came to its end"
    last, best = timed[-1], max(timed, key=lambda row: float(row["speed_up"]))
    if last["workers"] == base:
        return f"{seconds_text(last['seconds_per_epoch'])} an epoch on {counted(last['workers'], 'worker')}"
    if best["workers"] == base:
        slower = f"{last['workers']:,} go at {digits(last['speed_up'] / base)} times its speed"
        return f"{counted(base, 'worker')} {'is' if base == 1 else 'are'} the fastest; {slower}"
    more = "" if best is last else f", {last['workers']:,} are {digits(last['speed_up'] / base)} times"
    return f"{best['workers']:,} workers are {digits(best['speed_up'] / base)} times as fast as {base:,}{more}"


def lede(sweep: Sweep) -> str:
    """What was done, in a sentence or two."""
    name = sweep.cluster.get("name", "a cluster")
    if not sweep.config:
        return f"Simulated workers in the virtual time of {name}."
    model, data = sweep.config["model"]["model"], sweep.config["data"]["data"]
    how = "" if sweep.runs else " Times alone: nothing was learnt."
    return f"{model} on {data} with {sweep.config['parallel']['strategy']}, in the virtual time of {name}.{how}"


def tiles(sweep: Sweep) -> tuple[Tile, ...]:
    """The key figures."""
    counts = ", ".join(str(row["workers"]) for row in sweep.rows)
    finished = sum(row["outcome"] == FINISHED for row in sweep.rows)
    found = [Tile("Numbers of workers", str(len(sweep.rows)), counts), Tile("Finished", str(finished), "of them")]
    timed = [row for row in sweep.rows if row["speed_up"]]
    if timed:
        last = timed[-1]
        on = f"on {counted(last['workers'], 'worker')}"
        found.append(Tile("Epoch", seconds_text(last["seconds_per_epoch"]), f"of virtual time {on}"))
        found.append(Tile("Efficiency", f"{100 * last['efficiency']:.0f} %", on))
    errors = [row["test_error"] for row in sweep.rows if row.get("test_error") is not None]
    if errors:
        largest = f"the least; the largest {100 * max(errors):.2f} %"
        part = held_out(sweep.runs).capitalize()
        found.append(Tile(f"{part} error", f"{100 * min(errors):.2f} %", largest))
    return tuple(found)


def scaling_section(sweep: Sweep) -> Section:
    """Time, speed-up and efficiency."""
    rows = sweep.rows
    speed_up = against_workers(rows, "speed_up", "reached")
    base = base_workers(rows)
    counts = [row["workers"] for row in rows]
    ideal = Series("ideal", counts, [float(n) for n in counts], reference=True)
    charts = [
        _chart("epoch-time", "Time of an epoch", rows, "seconds_per_epoch", "virtual seconds"),
        lines(
            "speed-up",
            "Speed-up",
            f"Against {counted(base, 'worker')}; the dashed line is the ideal." if base else "",
            [ideal, speed_up],
            workers_axis(rows),
            Axis("speed-up", log=is_wide(rows), ticks=apart(counts) if is_wide(rows) else ()),
        ),
        _chart("efficiency", "Efficiency", rows, "efficiency", "speed-up / workers, %", 100.0),
        _chart("traffic", "Traffic", rows, "bytes_per_worker", "MB sent by each worker", 1e-6),
    ]
    text = [f"{line[:1].upper()}{line[1:]}." for line in captions(rows, sweep.target)]
    return Section("scaling", "How it scales", tuple(text), (*charts, rows_table(sweep)))


def time_section(sweep: Sweep) -> Section:
    """What the time went to, and who did what when."""
    parts: list[Chart | Picture] = [share_chart(sweep.rows)]
    path = sweep.folder / "timeline.png"
    text = []
    if path.is_file():
        parts.append(time_line(path))
        text = ["trace.json in the same folder has the time line for https://ui.perfetto.dev."]
    return Section("time", "What the time went to", tuple(text), tuple(parts))


def time_line(path: Path) -> Picture:
    """The picture that the simulation drew."""
    note = "Of the run with the most workers that has one: computing blue, waiting yellow, communicating vermillion."
    alt = "Time line of the simulated ranks: what each of them does when, as coloured bars"
    png = path.read_bytes()
    width, height = size_of(png)
    shown = (min(width, WIDEST), round(height * min(1.0, WIDEST / width)))
    return Picture("What each rank does when", note, alt, png, shown, wide=True, smooth=True)


def learning_section(sweep: Sweep) -> Section | None:
    """Errors against workers, epochs and virtual time; None where nothing was learnt."""
    if not sweep.runs:
        return None
    charts, part = [], held_out(sweep.runs)
    if any(row.get("test_error") is not None for row in sweep.rows):
        charts.append(
            _chart("error", f"{part.capitalize()} error", sweep.rows, "test_error", f"{part} error, %", 100.0)
        )
    if any(row.get("seconds_to_target") is not None for row in sweep.rows):
        title = f"Time to a {part} error of {100 * (sweep.target or 0.0):.2f} %"
        charts.append(_chart("target", title, sweep.rows, "seconds_to_target", "virtual seconds"))
    charts += [*epoch_charts(sweep.runs), *test_error_charts(sweep.runs), *time_charts(sweep.runs)]
    return Section("learning", "How it learnt", (), tuple(charts))


def staleness_section(rows: Sequence[Row]) -> Section | None:
    """How late pushes came; None where the workers went in step."""
    histograms = {counted(row["workers"], "worker"): row["staleness"] for row in rows if "staleness" in row}
    charts = staleness_charts(histograms)
    return Section("staleness", "How stale it was", (), tuple(charts)) if charts else None


def cluster_section(cluster: Json) -> Section | None:
    """What the simulated cluster is made of; None where that is not known."""
    if not cluster:
        return None
    about = (cluster["about"],) if cluster.get("about") else ()
    groups: dict[str, Json] = {"cluster": {}}
    for name, value in cluster.items():
        if isinstance(value, dict):
            groups[name] = value
        elif name != "about":
            groups["cluster"][name] = value
    tables = [pairs(name, "what", values) for name, values in groups.items() if values]
    return Section("cluster", "The cluster", about, tuple(tables), dense=True)


def rows_table(sweep: Sweep) -> Table:
    """All figures of time."""
    columns: list[tuple[str, str, float]] = [
        ("epoch, s", "seconds_per_epoch", 1.0),
        ("speed-up", "speed_up", 1.0),
        ("efficiency, %", "efficiency", 100.0),
        ("MB/worker", "bytes_per_worker", 1e-6),
        ("computing, %", "computing", 100.0),
        ("waiting, %", "waiting", 100.0),
        ("communicating, %", "communicating", 100.0),
        ("error, %", "test_error", 100.0),
        ("s to target", "seconds_to_target", 1.0),
        ("mean staleness", "mean_staleness", 1.0),
    ]
    broken = any(row["outcome"] != FINISHED for row in sweep.rows)
    known = [column for column in columns if any(row.get(column[1]) is not None for row in sweep.rows)]
    rows = [
        (
            f"{row['workers']}{'*' if row['oversubscribed'] else ''}",
            *(shown(_scaled(row.get(key), scale)) for _, key, scale in known),
            *([row["outcome"]] if broken else []),
        )
        for row in sweep.rows
    ]
    heads = ("workers", *(head for head, _, _ in known), *(["outcome"] if broken else []))
    return Table("All numbers of workers", heads, tuple(rows))


def against_workers(rows: Sequence[Row], key: str, name: str, scale: float = 1.0) -> Series:
    """A figure of the rows."""
    return Series(name, [row["workers"] for row in rows], [_scaled(row.get(key), scale) for row in rows])


def workers_axis(rows: Sequence[Row]) -> Axis:
    """Numbers of workers: logarithmic where they span much."""
    counts = [row["workers"] for row in rows]
    return Axis("workers", log=is_wide(rows), ticks=apart(counts) if is_wide(rows) else tuple(counts))


def is_wide(rows: Sequence[Row]) -> bool:
    """Whether the numbers of workers span much."""
    return bool(rows[-1]["workers"] >= WIDE * rows[0]["workers"])


def _chart(name: str, title: str, rows: Sequence[Row], key: str, unit: str, scale: float = 1.0) -> Chart:
    values = against_workers(rows, key, unit.partition(",")[0], scale)
    log = key.startswith("seconds") and is_wide(rows) and all(value is None or value > 0 for value in values.y)
    return lines(name, title, "", [values], workers_axis(rows), Axis(unit, log=log, from_zero=True))


def _scaled(value: Any, scale: float) -> float | None:
    return None if value is None else scale * value

"""The page of a reproduction: a paper's tables and figures, its own numbers beside ours."""

from pathlib import Path

from anabranch.report.charts import Axis, Series, apart, lines, shown
from anabranch.report.page import Chart, Page, Section, Table, Tile
from anabranch.report.records import Json, read_json
from anabranch.report.setup import environment_table
from anabranch.wording import counted, seconds_text

FEW_PLACES = 8  # that are all named on the axis


def is_reproduction(folder: Path) -> bool:
    """Whether there is a reproduction in `folder`."""
    return (folder / "results.json").is_file()


def read_results(folder: Path) -> Json:
    """The results in `folder`.

    Raises:
        CheckpointError: the file is damaged.
    """
    content: Json = read_json(folder / "results.json")
    return content


def reproduction_page(results: Json) -> Page:
    """The page of a reproduction."""
    notes = Section("notes", "What to know", tuple(results["notes"]))
    sections = (figures_section(results), tables_section(results), notes, cells_section(results))
    shown_sections = tuple(section for section in sections if section.text or section.parts)
    return Page(
        "Reproduction",
        f"{results['paper']} · Anabranch",
        results["paper"],
        lede(results),
        tiles(results),
        shown_sections,
    )


def lede(results: Json) -> str:
    """What was done."""
    missing = f" Not finished: {counted(len(results['missing']), 'run')} to go." if results.get("missing") else ""
    if results["left_out"]:
        return f"The paper's experiment in a shorter form: {'; '.join(results['left_out'])}.{missing}"
    return f"The paper's experiment, run again: its own numbers beside ours.{missing}"


def tiles(results: Json) -> tuple[Tile, ...]:
    """The key figures."""
    entries = [entry for table in results["tables"] for entry in table["entries"]]
    both = sum(entry["difference"] is not None for entry in entries)
    seconds = sum(cell["seconds"] for cell in results["cells"])
    return (
        Tile("Figures of ours", str(sum(entry["ours"] is not None for entry in entries)), f"{both} beside the paper's"),
        Tile("Runs", str(len(results["cells"])), f"{seconds_text(seconds)} in all"),
        Tile("Tables and figures", str(len(results["tables"]) + len(results["pictures"]))),
    )


def figures_section(results: Json) -> Section:
    """The paper's figures, drawn again: a chart for each panel."""
    charts = [
        panel_chart(f"{picture['name']}-{number}", picture["title"], panel)
        for picture in results["pictures"]
        for number, panel in enumerate(picture["panels"], 1)
    ]
    text = ("Grey and open are the paper's own numbers, read from its figures and tables.",)
    paper = any(line["paper"] for p in results["pictures"] for panel in p["panels"] for line in panel["lines"])
    return Section("figures", "Figures", text if paper else (), tuple(charts))


def panel_chart(name: str, title: str, panel: Json) -> Chart:
    """One pair of axes of a figure."""
    series = [
        Series(line["name"], line["x"], line["y"], line["spread"] or (), reference=line["paper"])
        for line in panel["lines"]
    ]
    places = sorted({x for line in panel["lines"] for x in line["x"]})
    ticks = apart(places) if panel["log_x"] else places if len(places) <= FEW_PLACES else []
    x = Axis(panel["x"], log=panel["log_x"], ticks=tuple(ticks))
    y = Axis(panel["y"], log=panel["log_y"], from_zero=panel["from_zero"])
    alone = f", {series[0].name}" if len(series) == 1 else ""
    return lines(name, title, f"{panel['y'][:1].upper()}{panel['y'][1:]} against {panel['x']}{alone}.", series, x, y)


def tables_section(results: Json) -> Section:
    """The paper's tables, with ours."""
    return Section("tables", "Tables", (), tuple(comparison(table) for table in results["tables"]))


def comparison(table: Json) -> Table:
    """One table of the paper's, with ours."""
    unit = table["unit"]
    heads = ("", "series", f"paper, {unit}", f"ours, {unit}", "deviation", "runs", "difference", "how")
    rows = [
        (
            one["label"] or "all",
            one["series"],
            *(shown(one[key]) for key in ("paper", "ours", "deviation")),
            str(len(one["runs"])),
            "–" if one["difference"] is None else f"{one['difference']:+,.4g}",
            one["note"],
        )
        for one in table["entries"]
    ]
    used = [n for n in range(len(heads)) if n in (0, 3) or any(row[n] not in ("", "–") for row in rows)]
    return Table(
        f"{table['name']}. {table['title']}",
        tuple(heads[n] or "what" for n in used),
        tuple(tuple(row[n] for n in used) for row in rows),
    )


def cells_section(results: Json) -> Section:
    """The commands that were run, and where."""
    rows = tuple((cell["name"], cell["command"], seconds_text(cell["seconds"])) for cell in results["cells"])
    heads = ("run", "command", "time")
    commands = Table(counted(len(rows), "run"), heads, rows, words=True)
    return Section("setup", "How it was set up", (), (environment_table(results["environment"]), commands))

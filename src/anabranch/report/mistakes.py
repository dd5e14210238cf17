"""What the classifier took for what: the confusion matrix, and the examples about which it is most wrong."""

from collections.abc import Sequence
from pathlib import Path

from anabranch.report.charts import Axis, layout, shown
from anabranch.report.images import png
from anabranch.report.page import Chart, Figure, Section, Table, Tag, Tags
from anabranch.report.records import Json, Run, read_tensors

MOST_WRITTEN = 20  # classes of a matrix whose cells have room for their counts
SIDE = 440  # pixels


def mistakes_section(run: Run) -> Section:
    """The classifier's mistakes."""
    found = run.evaluation
    if found is None or "confusion" not in found:
        return Section("mistakes", "What it mistook", (reason(run),))
    parts: list[Chart | Tags] = []
    if found["confusion"]:
        parts.append(confusion_chart(found["confusion"]))
    parts += worst(run.folder, found["mistakes"], run.held_out)
    right = found["examples"] - found["wrong"]
    examples = f"{found['examples']:,} {run.held_out} examples"
    text = f"Of {examples}, {right:,} were classified rightly and {found['wrong']:,} were not."
    return Section("mistakes", "What it mistook", (text,), tuple(parts))


def reason(run: Run) -> str:
    """Why there is nothing to show."""
    if run.evaluation is not None:
        return "Nothing was classified: the run was unsupervised, or the data have no labels."
    if run.summary is None:
        return "The run has not ended: it will be evaluated then."
    return (
        "This run was made by an earlier version, which kept no evaluation.json: run it again to see its confusion "
        "matrix and its worst mistakes."
    )


def confusion_chart(confusion: Sequence[Sequence[int]]) -> Chart:
    """The counts [own class, predicted class]; the template has one scale for the mistakes, and grey for the rest."""
    classes = [str(n) for n in range(len(confusion))]
    wrong = [[None if i == j or not n else n for j, n in enumerate(row)] for i, row in enumerate(confusion)]
    right = [[n if i == j else None for j, n in enumerate(row)] for i, row in enumerate(confusion)]
    written = len(classes) <= MOST_WRITTEN
    shape = layout(Axis("taken for"), Axis("is")) | {"height": SIDE, "hovermode": "closest"}
    shape["xaxis"] |= {"type": "category", "showgrid": False, "side": "bottom", "constrain": "domain"}
    shape["yaxis"] |= {"type": "category", "showgrid": False, "autorange": "reversed", "constrain": "domain"}
    traces = [_cells("mistakes", wrong, classes, written), _cells("right", right, classes, written)]
    note = "Rows are what they are, columns what they were taken for. Colour shows mistakes; grey cells are right."
    rows = tuple((name, *map(str, row)) for name, row in zip(classes, confusion, strict=True))
    table = Table("Confusion matrix: rows are the classes, columns what they were taken for", ("is", *classes), rows)
    return Chart("confusion", "Confusion matrix", note, {"data": traces, "layout": shape}, table)


def worst(folder: Path, mistakes: Sequence[Json], part: str) -> list[Tags]:
    """The images of the worst mistakes in this `part` of the data; none where they are no images."""
    images = read_tensors(folder / "pictures.safetensors", ("mistakes",)).get("mistakes")
    if images is None or not len(images):
        return []
    tags = [
        Tag(
            f"a {one['label']} that was taken for a {one['predicted']}",
            png(image),
            (f"{one['label']} → {one['predicted']}", _chance(one["probability"])),
        )
        for one, image in zip(mistakes, images, strict=True)
    ]
    rows = [
        (str(one["row"]), str(one["label"]), str(one["predicted"]), *map(_chance, _probabilities(one)))
        for one in mistakes
    ]
    heads = (f"row of the {part} set", "is", "taken for", "with probability", "probability of its own class")
    note = "What it is → what it was taken for, and how sure the classifier was of that. The worst come first."
    table = Table("The worst mistakes", heads, tuple(rows))
    return [Tags("The worst mistakes", note, tuple(tags), table)]


def _cells(name: str, counts: Sequence[Sequence[int | None]], classes: Sequence[str], written: bool) -> Figure:
    text = {"text": [["" if n is None else shown(n) for n in row] for row in counts], "texttemplate": "%{text}"}
    return {
        "type": "heatmap",
        "name": name,
        "x": list(classes),
        "y": list(classes),
        "z": [list(row) for row in counts],
        "xgap": 1,
        "ygap": 1,
        "zmin": 0,
        "zmax": max((n for row in counts for n in row if n), default=1),
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": "is %{y}, taken for %{x}: %{z}<extra></extra>",
        **(text if written else {}),
    }


def _probabilities(one: Json) -> tuple[float, float]:
    return one["probability"], one["own_probability"]


def _chance(probability: float) -> str:
    return f"{100 * probability:.1f} %"

"""The files of a comparison: `comparison.json` with every figure, `comparison.md`, and its pictures."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anabranch.compare.ranking import answer
from anabranch.compare.study import Study
from anabranch.compare.tables import all_sheets, markdown
from anabranch.environment import environment
from anabranch.experiments.drawing import draw
from anabranch.experiments.findings import Line, Panel, Picture, averages
from anabranch.files import write_json, write_text


def write(study: Study, folder: Path) -> None:
    """Write all of them.

    Raises:
        StorageError: the folder is not writable, or full.
    """
    picture = curves(study)
    write_json(folder / "comparison.json", as_data(study))
    write_json(folder / "environment.json", environment())
    lines = [
        f"# {heading(study)}\n",
        f"{answer(study.places, study.target, study.equal_seconds)}\n",
        *map(markdown, all_sheets(study)),
    ]
    lines += [f"![{picture.title}]({picture.name}.svg)\n", *(f"- {note}" for note in notes(study))]
    write_text(folder / "comparison.md", "\n".join(lines) + "\n")
    draw(picture, folder)


def heading(study: Study) -> str:
    """What was compared."""
    workers = study.terms.contenders[-1].workers
    return f"{len(study.terms.contenders) - 1} strategies on {workers} workers, and one process"


def notes(study: Study) -> list[str]:
    """What one must know to judge the figures."""
    terms = study.terms
    where = "virtual, of the simulated cluster" if terms.world == "simulated" else "of this machine's clock, on MPI"
    equal = "examples" if terms.equal == "examples" else "time: as much as one process needs for its epochs"
    found = [
        f"Each has the same {equal}; the same initial weights and order of the data for the same seed.",
        f"Learning rates: the best of {terms.budget} each, on {100 * terms.validation:g} % of the training examples, "
        "held out, with one seed; the other tables' errors are the test part's.",
        f"Seconds are {where}. {terms.seeds} seeds each; ± is half of the mean's 95 % interval (Student's t).",
    ]
    if terms.seeds > 1:
        found.append(
            "Contenders share a place (=) if a paired comparison over the seeds with the first of that place, at 95 %, "
            "does not tell them apart. Several comparisons at 95 % each: one in twenty may be chance."
        )
    return found


def curves(study: Study) -> Picture:
    """The error against time and against epochs, means over the seeds."""
    by_time, by_epochs = [], []
    for name, result in study.results.items():
        runs = [run for run in result.runs if run.errors]
        if not runs:
            continue
        length = min(len(run.errors) for run in runs)
        groups = [[100 * run.errors[at] for run in runs] for at in range(length)]
        seconds = tuple(math.fsum(run.seconds[at] for run in runs) / len(runs) for at in range(length))
        means, spreads = averages(groups)
        by_time.append(Line(name, seconds, means, spreads))
        by_epochs.append(Line(name, tuple(range(1, length + 1)), means, spreads))
    unit = "virtual seconds" if study.terms.world == "simulated" else "seconds"
    panels = (
        Panel(unit, "test error, %", tuple(by_time), log_x=True, log_y=True),
        Panel("epochs with labels", "test error, %", tuple(by_epochs), log_y=True),
    )
    return Picture("curves", "Test error against time, and against epochs", panels)


def as_data(study: Study) -> dict[str, Any]:
    """Everything, as `comparison.json` holds it: two comparisons on one simulated cluster have the same bytes."""
    return {
        "heading": heading(study),
        "verdict": answer(study.places, study.target, study.equal_seconds),
        "target_error": study.target,
        "equal_seconds": study.equal_seconds,
        "terms": study.terms.as_data(),
        "ranking": [_place(place.number, place.result.contender.name) for place in study.places],
        "trials": {name: _trials(trials.errors) for name, trials in study.trials.items()},
        "results": {
            name: {"learning_rate": result.rate, "runs": [asdict(run) for run in result.runs]}
            for name, result in study.results.items()
        },
        "tables": [asdict(sheet) for sheet in all_sheets(study)],
        "notes": notes(study),
    }


def _place(number: int, name: str) -> dict[str, Any]:
    return {"place": number, "name": name}


def _trials(errors: dict[float, float]) -> Sequence[dict[str, Any]]:
    """JSON has no infinity: the error of a rate that diverged is null."""
    return [{"learning_rate": rate, "error": None if math.isinf(error) else error} for rate, error in errors.items()]

"""The files that an experiment ends in: `results.json`, `results.md`, and a picture of each figure twice."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anabranch.environment import environment
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.drawing import draw
from anabranch.experiments.findings import Findings, markdown
from anabranch.experiments.paper import Paper, Plan
from anabranch.files import write_json, write_text
from anabranch.wording import counted

NAME = "results.json"


def left_out(paper: Paper, plan: Plan) -> list[str]:
    """What of the full form, in sentences; nothing, of the full form itself."""
    if plan.quick:
        return list(paper.cuts)
    all_repeats = paper.repeats
    if all_repeats is None or plan.repeats in (None, all_repeats.count):
        return []
    return [f"{plan.repeats} instead of {all_repeats.count} {all_repeats.what}"]


def write_results(
    folder: Path, paper: Paper, plan: Plan, cells: Sequence[Cell], outcomes: Mapping[str, Outcome], found: Findings
) -> None:
    """Write what was `found` into `folder`; `cells` without an outcome are named as missing.

    Raises:
        StorageError: the files cannot be written.
    """
    cuts, missing = left_out(paper, plan), [cell.name for cell in cells if cell.name not in outcomes]
    done = [cell for cell in cells if cell.name in outcomes]
    if missing:
        lack = f"Not finished: {len(missing)} of {counted(len(cells), 'run')} are missing, and what needs them."
        found = dataclasses.replace(found, notes=(lack, *found.notes))
    content: dict[str, Any] = {
        "paper": paper.title,
        "quick": plan.quick,
        "repeats": plan.repeats,
        "measured": plan.measured,
        "left_out": cuts,
        "missing": missing,
        "environment": environment(),
        "notes": list(found.notes),
        "tables": [table.as_data() for table in found.tables],
        "pictures": [dataclasses.asdict(picture) for picture in found.pictures],
        "cells": [
            {"name": cell.name, "command": cell.command, "seconds": outcomes[cell.name].seconds} for cell in done
        ],
    }
    write_json(folder / NAME, json.loads(json.dumps(content)))
    text = [f"# {paper.title}\n"]
    text += [f"Shorter than the full form: {'; '.join(cuts)}.\n"] if cuts else []
    text += [markdown(table) for table in found.tables]
    text += [f"![{picture.title}]({picture.name}.svg)\n" for picture in found.pictures]
    text += [f"- {note}" for note in found.notes]
    write_text(folder / "results.md", "\n".join(text) + "\n")
    for picture in found.pictures:
        draw(picture, folder)


def has_whole_results(folder: Path) -> bool:
    """Whether an experiment has ended in `folder`, which later ones that were broken off leave alone."""
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return not content.get("missing")

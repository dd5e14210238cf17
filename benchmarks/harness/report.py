"""Results: medians against limits, the machine they belong to, a table for people and a JSON file for programs."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from anabranch import __version__
from harness.contestant import Contestant

Row = Mapping[str, Any]
Columns = dict[str, tuple[str, str]]
"""Keys of a row, each with its heading and its format."""

RATES: Columns = {
    "name": ("contestant", ""),
    "precision": ("precision", ""),
    "samples_per_second": ("samples/s", ",.0f"),
    "gflop_per_second": ("GFLOP/s", ".1f"),
    "of_float32_limit": ("of the float32 GEMM", ".2f"),
    "of_own_limit": ("of its own GEMM", ".2f"),
    "peak_memory_mb": ("peak memory, MB", ",.0f"),
}


def speed(contestant: Contestant) -> dict[str, Any]:
    """Who a contestant is, and the median rate of its rounds, if it has finished them."""
    entry, speeds = contestant.entry, contestant.rates
    found: dict[str, Any] = {
        "name": entry.name,
        "version": entry.version,
        "precision": entry.settings.precision,
        "note": entry.note,
        "failure": contestant.failure,
        "rounds": [round(rate, 1) for rate in speeds],
        "peak_memory_mb": contestant.peak_memory_mb or None,
    }
    if contestant.failure or not speeds:
        return found
    return found | {"samples_per_second": round(statistics.median(speeds), 1)}


def rates(contestant: Contestant, float32: Contestant, own: Contestant, flop: int) -> dict[str, Any]:
    """The speed of a contestant that all take as `flop` an example, against two limits.

    Rates are medians of the rounds; so are the fractions, each round's rate being divided by the limit's of that round.
    """
    found, speeds = speed(contestant), contestant.rates
    if "samples_per_second" not in found:
        return found
    return found | {
        "gflop_per_second": round(statistics.median(speeds) * flop / 1e9, 2),
        "of_float32_limit": median_ratio(speeds, float32.rates),
        "of_own_limit": median_ratio(speeds, own.rates),
    }


def median_ratio(values: Sequence[float], limits: Sequence[float]) -> float | None:
    """The median over the rounds of value / limit; None where the limit has not finished them."""
    if len(values) != len(limits):
        return None
    return round(statistics.median(value / limit for value, limit in zip(values, limits, strict=True)), 3)


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "anabranch": __version__,
    }


def machine_line(found: Mapping[str, Any]) -> str:
    """The same for people."""
    return (
        f"{found['cpu']} ({found['instructions']}), {found['cores']} cores; torch {found['torch']}, "
        f"Python {found['python']}, Anabranch {found['anabranch']}"
    )


def table(rows: Sequence[Row], columns: Columns) -> str:
    """A Markdown table; what a row does not have is a dash."""
    cells = [[title for title, _ in columns.values()]]
    cells += [[_cell(row.get(key), form) for key, (_, form) in columns.items()] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def notes(rows: Sequence[Row]) -> str:
    """What sets contestants apart, and why some have no figures."""
    lines = [f"- {row['name']} {row['version']}: {row['note']}." for row in rows if row.get("note")]
    lines += [f"- {row['name']} FAILED: {row['failure']}" for row in rows if row.get("failure")]
    return "\n".join(lines)


def write(folder: Path | None, name: str, content: Mapping[str, Any], text: str) -> None:
    """Print `text`, and keep it as NAME.md and `content` as NAME.json in `folder` if there is one."""
    print(f"\n{text}")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"\n{folder / name}.json and .md written")


def _cell(value: Any, form: str) -> str:
    return "–" if value is None else format(value, form)


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

"""De Filippo De Grazia, Stoianov & Zorzi 2012: from outcomes of runs to the quantities of the paper."""

import math
from collections.abc import Mapping, Sequence
from statistics import linear_regression
from typing import Any

from anabranch.experiments.cell import Outcome

LAYERS = ("layer 1 (784-500)", "layer 2 (500-500)", "layer 3 (500-2000)")


def percent_wrong(outcome: Outcome) -> float:
    """Per cent of the test part."""
    return 100 * float(outcome.summary["test_error"])


def epochs_of_layers(outcome: Outcome) -> tuple[int, ...]:
    """That a run has trained each layer."""
    return tuple(int(task["epochs"]) for task in _layers(outcome.summary))


def reconstruction_errors(outcome: Outcome) -> tuple[float, ...]:
    """Of each layer, at the end."""
    return tuple(float(task["error"]) for task in _layers(outcome.summary))


def wall_seconds(outcome: Outcome) -> float:
    """That one epoch of all layers has taken this machine."""
    return sum(float(task["seconds"]) / int(task["epochs"]) for task in _layers(outcome.summary))


def virtual_seconds(outcome: Outcome) -> dict[int, tuple[float, ...]]:
    """By the number of workers: what an epoch of each layer takes on the cluster."""
    return {
        int(row["workers"]): tuple(float(t["virtual_seconds"]) / int(t["epochs"]) for t in _layers(row))
        for row in outcome.rows
    }


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """The p of y = c · x^p, by least squares of the logarithms."""
    return linear_regression([math.log(value) for value in x], [math.log(value) for value in y]).slope


def _layers(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [task for task in content["tasks"] if task["task"].startswith("layer")]

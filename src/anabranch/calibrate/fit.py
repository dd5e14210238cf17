"""Speeds that explain measured steps: a sum of non-negative terms, fitted to relative errors."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anabranch.cluster import Load, Speed, step_seconds
from anabranch.objectives import Precision

PASSES = 10  # of reweighting
SMALL = 0.01  # a relative error that counts as none
DUST = 1e-9  # a part of the seconds that is nothing but rounding


@dataclass(frozen=True)
class Row:
    """A measured step: the mean `seconds` that it takes a core that is alone."""

    load: Load
    batch: int
    precision: Precision
    fused: bool
    seconds: float


@dataclass(frozen=True)
class Fit:
    """Speeds, and how well they explain the steps that they were fitted to.

    Attributes:
        speeds: one for each kind of objective in each precision.
        median_error: of the absolute relative errors of all rows.
        worst_error: the largest of them.
    """

    speeds: tuple[Speed, ...]
    median_error: float
    worst_error: float


def fit(rows: Sequence[Row]) -> Fit:
    """A speed for each kind and precision among `rows`, and the errors of them all."""
    groups = list(dict.fromkeys((row.load.kind, row.precision) for row in rows))
    speeds = tuple(fit_speed([row for row in rows if (row.load.kind, row.precision) == group]) for group in groups)
    errors = [
        abs(step_seconds(speeds, row.load, row.batch, row.precision, fused=row.fused) / row.seconds - 1) for row in rows
    ]
    return Fit(speeds, statistics.median(errors), max(errors))


def fit_speed(rows: Sequence[Row]) -> Speed:
    """The speed of one kind of objective in one precision."""
    once, each, active, held, update, apart = fit_terms([_terms(row) for row in rows], [row.seconds for row in rows])
    return Speed(
        flop_per_second=_speed(each),
        precision=rows[0].precision,
        kind=rows[0].load.kind,
        activities_per_second=_speed(active),
        parameters_per_second=_speed(held),
        updates_per_second=_speed(apart),
        step_seconds=once,
        update_seconds=update,
    )


def fit_terms(terms: Sequence[Sequence[float]], seconds: Sequence[float]) -> list[float]:
    """The non-negative cost of each term, by relative errors: `terms` [n, k] times the costs [k] give `seconds` [n].

    Reweighted some times towards the least sum of absolute errors, of which a few disturbed measurements say little.
    """
    from scipy.optimize import nnls  # it takes half a second, for which those who only measure have no use

    relative = np.asarray(terms, dtype=float) / np.asarray(seconds, dtype=float)[:, None]
    scale = np.maximum(relative.max(axis=0), np.finfo(float).tiny)
    matrix, ones = relative / scale, np.ones(len(seconds))
    weights = ones
    for _ in range(PASSES):
        costs = nnls(matrix * weights[:, None], weights)[0]
        weights = 1 / np.sqrt(np.maximum(np.abs(matrix @ costs - 1), SMALL))
    costs[costs < DUST] = 0
    found: Any = costs / scale
    return [float(cost) for cost in found]


def _terms(row: Row) -> tuple[float, ...]:
    load, apart = row.load, 0.0 if row.fused else 1.0
    return 1.0, row.batch * load.flop, row.batch * load.activities, load.parameters, apart, apart * load.parameters


def _speed(cost: float) -> float:
    return 1 / cost if cost else math.inf

"""A comparison from its terms to its places: learning rates first, then the runs that count."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from anabranch.compare.cells import final_cell, tuning_cell
from anabranch.compare.curves import Run, read_run
from anabranch.compare.ranking import Place, Result, default_target, ranking
from anabranch.compare.terms import Contender, Terms
from anabranch.compare.tuning import best_rate, next_rates
from anabranch.errors import AnabranchError
from anabranch.experiments.cell import Cell, Outcome

Runs = Callable[[Sequence[Cell]], Mapping[str, Outcome]]
"""Runs cells, or finds them finished, and gives the outcomes by their names."""


@dataclass(frozen=True)
class Trials:
    """What the search for a contender's learning rate has found: validation errors (fractions), and the best run."""

    errors: dict[float, float]
    best: Run

    @property
    def rate(self) -> float:
        """The best."""
        return best_rate(self.errors)


@dataclass(frozen=True)
class Study:
    """A finished comparison; trials and results by the names of the contenders."""

    terms: Terms
    trials: dict[str, Trials]
    results: dict[str, Result]
    target: float
    places: list[Place]

    @property
    def equal_seconds(self) -> float:
        """When the first of all contenders had finished, with every seed; of the steady ones, if there are any."""
        wholes = {one: [run.whole for run in one.runs if not run.diverged] for one in self.results.values()}
        steady = [whole for one, whole in wholes.items() if len(whole) == len(one.runs)]
        return min(max(whole) for whole in steady or wholes.values() if whole)


def compare(terms: Terms, target: float | None, run: Runs) -> Study:
    """Run everything; `target` is an error (a fraction), chosen by `default_target` if it is None.

    Raises:
        AnabranchError: one process diverged, which would set the target; or all runs did.
    """
    trials = _tune(terms, run)
    cells = {
        one.name: [
            final_cell(terms, one, trials[one.name].rate, seed, _length(terms, one, trials))
            for seed in range(terms.seeds)
        ]
        for one in terms.contenders
    }
    # Seed after seed: what slows a real machine down for a while then meets all contenders.
    outcomes = run([cell for of_one_seed in zip(*cells.values(), strict=True) for cell in of_one_seed])
    results = {
        one.name: Result(one, trials[one.name].rate, tuple(read_run(outcomes[cell.name]) for cell in cells[one.name]))
        for one in terms.contenders
    }
    alone = results[terms.contenders[0].name]
    _check_ended(alone, list(results.values()), target)
    goal = default_target(alone) if target is None else target
    return Study(terms, trials, results, goal, ranking(list(results.values()), goal))


def _check_ended(alone: Result, results: Sequence[Result], target: float | None) -> None:
    lost = sum(run.diverged for run in alone.runs)
    if lost and target is None:
        raise AnabranchError(
            f"one process diverged with {lost} of {len(alone.runs)} seeds at its best learning rate, {alone.rate:g}, "
            "and the target is a tenth above its error: give a lower --learning-rate and another --out, or a "
            "--target-error."
        )
    if all(run.diverged for one in results for run in one.runs):
        raise AnabranchError("every run diverged: give a lower --learning-rate and another --out.")


def _tune(terms: Terms, run: Runs) -> dict[str, Trials]:
    """Try learning rates for all contenders at the same time, a round of trials after another."""
    runs: dict[str, dict[float, Run]] = {one.name: {} for one in terms.contenders}
    while wanted := [(one, rate) for one in terms.contenders for rate in _wanted(terms, one, runs[one.name])]:
        cells = {(one.name, rate): tuning_cell(terms, one, rate) for one, rate in wanted}
        outcomes = run(list(cells.values()))
        for (name, rate), cell in cells.items():
            runs[name][rate] = read_run(outcomes[cell.name])
    return {name: Trials(_errors(tried), tried[best_rate(_errors(tried))]) for name, tried in runs.items()}


def _wanted(terms: Terms, contender: Contender, tried: Mapping[float, Run]) -> list[float]:
    budget = terms.budget if contender.tuned else 1
    return next_rates(_errors(tried), budget, terms.rate)


def _errors(tried: Mapping[float, Run]) -> dict[float, float]:
    return {rate: math.inf if run.diverged else run.final for rate, run in tried.items()}


def _length(terms: Terms, contender: Contender, trials: Mapping[str, Trials]) -> float:
    """Epochs as a multiple of those asked for: as many as the others, or as many as fit into one process's time."""
    own, alone = trials[contender.name].best.whole, trials[terms.contenders[0].name].best.whole
    return alone / own if terms.equal == "time" and own and alone else 1.0

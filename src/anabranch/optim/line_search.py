"""Minimising a smooth cost by steps whose length a search along the line finds: scipy's, on a flat tensor.

Nocedal & Wright 2006, "Numerical optimization": strong Wolfe conditions (algorithms 3.5 and 3.6), along the gradient or
along conjugate directions (Polak-Ribière, equation 5.45). A search asks for the cost several times an iteration.
"""

import warnings
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anabranch.errors import UsageError

Directions = Literal["gradient", "conjugate-gradient"]
Cost = Callable[[], tuple[float, Tensor]]
"""The cost at the weights as they are, and its gradient [P], which the next call may overwrite."""

_Vector = NDArray[np.float64]


def minimise(cost: Cost, weights: Tensor, iterations: int, directions: Directions) -> list[float]:
    """Take at most `iterations` steps from `weights` [P], in place; the cost before each of them.

    It ends before where no step along the line lowers the cost. The search is in float64, whatever the weights are.

    Raises:
        UsageError: the weights are a meta tensor, which has no cost, or there are no such directions.
    """
    if weights.is_meta:
        raise UsageError("a line search depends on what it finds: leave out --timing-only.")
    if directions not in get_args(Directions):
        raise UsageError(f"a line search goes along {' or '.join(get_args(Directions))}, not {directions}.")
    asked = _Asked(cost, weights)
    descend = _steepest if directions == "gradient" else _conjugate
    end, costs = descend(asked, weights.detach().double().numpy().copy(), iterations)
    weights.copy_(torch.from_numpy(end))
    return costs


class _Asked:
    """A cost as a function of a vector; the last answer is kept, for scipy asks for cost and gradient in turn."""

    def __init__(self, cost: Cost, weights: Tensor) -> None:
        self._ask, self._weights = cost, weights
        self._where: _Vector | None = None
        self._cost, self._gradient = 0.0, np.empty(0)

    def cost(self, where: _Vector) -> float:
        self._answer(where)
        return self._cost

    def gradient(self, where: _Vector) -> _Vector:
        self._answer(where)
        return self._gradient

    def _answer(self, where: _Vector) -> None:
        if self._where is not None and np.array_equal(where, self._where):
            return
        self._weights.copy_(torch.from_numpy(where))
        self._cost, gradient = self._ask()
        self._where, self._gradient = where.copy(), gradient.double().numpy().copy()


def _steepest(asked: _Asked, w: _Vector, iterations: int) -> tuple[_Vector, list[float]]:
    from scipy import optimize  # it takes half a second, for which no other rule of updating has a use

    costs: list[float] = []
    before: float | None = None  # the cost of the step before gives the first length to try
    for _ in range(iterations):
        now, gradient = asked.cost(w), asked.gradient(w)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what it has found instead is judged below
            found: tuple[Any, ...] = optimize.line_search(
                asked.cost, asked.gradient, w, -gradient, gradient, now, before
            )
        costs.append(now)
        length, lowest = found[0], found[3]
        if length is None or not lowest < now:
            break
        w, before = w - length * gradient, now
    return w, costs


def _conjugate(asked: _Asked, w: _Vector, iterations: int) -> tuple[_Vector, list[float]]:
    from scipy import optimize  # as above

    costs = [asked.cost(w)]
    found = optimize.minimize(
        asked.cost,
        w,
        jac=asked.gradient,
        method="CG",
        callback=lambda intermediate_result: costs.append(float(intermediate_result.fun)),
        options={"maxiter": iterations},
    )
    return found.x, costs[: max(found.nit, 1)]

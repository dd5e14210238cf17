"""Gradient descent with momentum on flat weights, in one pass (Hinton 2010, section 9: v ← μ v + g; w ← w - η v).

This is `torch.optim.SGD` with momentum and without dampening, with an L2 penalty on the first weights alone.
`w`, `v` [P]; the gradient comes in two parts, `first` [S] of the penalised weights (in any of the three types) and
`rest` [P - S] of the others.
"""

from anabranch.kernels.memory import Array
from anabranch.kernels.scalar import compiled, load, store


@compiled
def momentum_step(
    w: Array,
    v: Array,
    first: Array,
    scale: float,
    rest: Array,
    copy: Array,
    rate: float,
    momentum: float,
    cost: float,
) -> None:
    """V ← momentum · v + g + cost · w, then w ← w - rate · v; `cost` counts for the weights of `first`.

    Their gradient is scale · `first`. `copy` [S] becomes their new values, in its own type.
    """
    for i in range(len(first)):
        v[i] = momentum * v[i] + scale * load(first[i]) + cost * w[i]
        w[i] -= rate * v[i]
        copy[i] = store(w[i], copy)
    _rest(w, v, rest, rate, momentum)


@compiled
def momentum_step_after(w: Array, v: Array, first: int, rest: Array, rate: float, momentum: float, cost: float) -> None:
    """The same where the `first` elements of `v` hold momentum · v + g already, without a copy."""
    for i in range(first):
        v[i] += cost * w[i]
        w[i] -= rate * v[i]
    _rest(w, v, rest, rate, momentum)


@compiled
def _rest(w: Array, v: Array, g: Array, rate: float, momentum: float) -> None:
    start = len(w) - len(g)
    for i in range(start, len(w)):
        v[i] = momentum * v[i] + g[i - start]
        w[i] -= rate * v[i]

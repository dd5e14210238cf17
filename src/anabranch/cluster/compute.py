"""What a training step takes a core, and how processes on one node slow each other down."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from anabranch.cluster.description import LoadKind, Nodes, Speed
from anabranch.errors import UsageError
from anabranch.objectives import Precision


@dataclass(frozen=True)
class Load:
    """What one training step of one worker asks of a core.

    Attributes:
        kind: of the objective.
        parameters: of the model.
        flop: of the matrix products, for one example.
        activities: units whose activity is computed, for one example.
        buffers: bytes of the model's running statistics and the like, which go with what is pushed to a server.
    """

    kind: LoadKind
    parameters: int
    flop: int
    activities: int
    buffers: int = 0


def step_seconds(compute: Sequence[Speed], load: Load, batch: int, precision: Precision, *, fused: bool) -> float:
    """Seconds of an undisturbed core for a step of `batch` examples.

    With P parameters these are `step_seconds + P / parameters_per_second`, for each example `flop / flop_per_second +
    activities / activities_per_second`, and `update_seconds + P / updates_per_second` if the update comes apart. So the
    examples a second rise with the batch, as b / (a + c b).

    Args:
        compute: the cluster's speeds; the first that fits is taken.
        load: what the step asks.
        batch: examples.
        precision: of the arithmetic.
        fused: whether the objective updates the weights itself, with the gradient.

    Raises:
        UsageError: no speed fits.
    """
    speed = fitting(compute, load.kind, precision)
    once = speed.step_seconds + load.parameters / speed.parameters_per_second
    each = load.flop / speed.flop_per_second + load.activities / speed.activities_per_second
    update = 0.0 if fused else speed.update_seconds + load.parameters / speed.updates_per_second
    return once + batch * each + update


def update_seconds(compute: Sequence[Speed], load: Load, weights: int, precision: Precision) -> float:
    """Seconds of an undisturbed core for updating `weights` with a gradient that has come from elsewhere.

    Raises:
        UsageError: no speed fits.
    """
    speed = fitting(compute, load.kind, precision)
    return speed.update_seconds + weights / speed.updates_per_second


def fitting(compute: Sequence[Speed], kind: LoadKind, precision: Precision) -> Speed:
    """The first of the speeds that holds for such an objective in such arithmetic.

    Raises:
        UsageError: none does.
    """
    for speed in compute:
        if speed.precision in (None, precision) and speed.kind in (None, kind):
            return speed
    raise UsageError(
        f"the cluster does not say how fast it computes {kind} in {precision}: add an entry [[compute]] to its file "
        f'with precision = "{precision}" and kind = "{kind}", or without either, for any.'
    )


def slowdown(nodes: Nodes, processes: int) -> float:
    """By which factor each of `processes` on one node computes more slowly than alone.

    Between the measured numbers it is linear; one process alone has factor 1 unless it was measured too. Beyond the
    last measured number its factor holds while there are cores. Processes beyond those (or beyond the last measured
    number, whose factor includes it) share what there is: with twice as many each takes twice as long.
    """
    counts, factors = nodes.processes, nodes.slowdown
    if not counts or counts[0] > 1:
        counts, factors = (1, *counts), (1.0, *factors)
    if processes > counts[-1]:
        return factors[-1] * max(1.0, processes / max(nodes.cores, counts[-1]))
    right = bisect_left(counts, processes)
    if counts[right] == processes:
        return factors[right]
    part = (processes - counts[right - 1]) / (counts[right] - counts[right - 1])
    return factors[right - 1] + part * (factors[right] - factors[right - 1])

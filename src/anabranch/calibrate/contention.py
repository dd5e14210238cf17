"""What ranks that train at the same time cost each other, and what an allreduce adds to a step between real steps.

Three times of the same step, one after the other, so that all see the machine in the same state:

    alone       rank 0 computes, the others sleep
    together    all compute, none waits for another
    lockstep    all compute, and add their gradients up at every step

together / alone is the slowdown; lockstep - together is what an allreduce costs: its own time after the caches were
used for something else, and waiting for whoever comes last. With more ranks than cores that is much more than an
allreduce on its own takes, for those who wait keep the cores from those who compute.
"""

from dataclasses import dataclass

import torch

from anabranch.calibrate.alone import Alone, while_others_rest
from anabranch.calibrate.grid import Case, Shape
from anabranch.calibrate.steps import LEAST, seconds_per_step
from anabranch.comm.base import Communicator
from anabranch.objectives import Precision

BATCH = 50
MOST_STEPS = 300


@dataclass(frozen=True)
class Contention:
    """Seconds of a step with a gradient of so many bytes, alone and together (means over all ranks) and in lockstep."""

    gradient_bytes: int
    alone: float
    together: float
    lockstep: float

    @property
    def slowdown(self) -> float:
        """By which factor ranks that compute together are slower."""
        return self.together / self.alone

    @property
    def allreduce(self) -> float:
        """Seconds that the allreduce adds; noise may make them negative."""
        return self.lockstep - self.together


def contention(comm: Communicator, shape: Shape, precision: Precision, seconds: float) -> Contention:
    """The three times, each measured for so many seconds. Collective; the same on every rank."""
    case, own = Case(shape, BATCH, precision, fused=False), Alone(comm)
    alone = while_others_rest(comm, [0], lambda: seconds_per_step(case, own, seconds=seconds))
    together = seconds_per_step(case, own, seconds=seconds, meet=comm.barrier)
    times = torch.tensor([alone or 0.0, together / comm.size], dtype=torch.float64)
    comm.allreduce(times)
    steps = max(LEAST, min(MOST_STEPS, int(seconds / float(times[1]))))
    lockstep = torch.tensor([seconds_per_step(case, comm, steps=steps) / comm.size], dtype=torch.float64)
    comm.allreduce(lockstep)
    return Contention(4 * shape.load.parameters, float(times[0]), float(times[1]), float(lockstep))

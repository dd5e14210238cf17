"""What is measured, in its order: computing, by one process; and talking, by all ranks together."""

import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from anabranch.calibrate.alone import Alone, while_others_rest
from anabranch.calibrate.collectives import Table, collectives, interface_latency
from anabranch.calibrate.contention import Contention, contention
from anabranch.calibrate.findings import Findings, summed_up
from anabranch.calibrate.fit import Row
from anabranch.calibrate.grid import FULL, GRADIENTS, QUICK, Grid, Shape
from anabranch.calibrate.links import Sample, ping_pong
from anabranch.calibrate.places import places
from anabranch.calibrate.steps import recording_seconds, seconds_per_step
from anabranch.comm.base import Communicator
from anabranch.objectives import Precision

Say = Callable[[str], None]
WORD_SECONDS = 5.0  # between two words about the course


@dataclass(frozen=True)
class Thoroughness:
    """How long measurements take.

    Attributes:
        grid: of training steps.
        gradients: networks between whose steps the allreduce is measured.
        rounds: over all that ranks do together, for the machine changes with time.
        seconds: of one measurement among them.
    """

    grid: Grid
    gradients: tuple[Shape, ...]
    rounds: int
    seconds: float


THOROUGH = Thoroughness(FULL, GRADIENTS, rounds=4, seconds=0.1)
COARSE = Thoroughness(QUICK, GRADIENTS[1::2], rounds=2, seconds=0.03)


def computing(how: Thoroughness, precisions: Sequence[Precision], comm: Communicator, say: Say) -> list[Row]:
    """The time of each training step of the grid, by this rank alone: the median over the rounds."""
    cases = [case for precision in precisions for case in how.grid.cases(precision)]
    times: list[list[float]] = [[] for _ in cases]
    own, recording = Alone(comm), recording_seconds()
    all_of_them, next_word = len(cases) * how.grid.rounds, monotonic()
    for turn in range(how.grid.rounds):
        for number, case in enumerate(cases):
            if monotonic() >= next_word:
                say(f"computing: training step {turn * len(cases) + number + 1} of {all_of_them}")
                next_word = monotonic() + WORD_SECONDS
            times[number].append(seconds_per_step(case, own, seconds=how.grid.seconds))
    return [
        Row(case.shape.load, case.batch, case.precision, case.fused, statistics.median(mine) + recording)
        for case, mine in zip(cases, times, strict=True)
    ]


def talking(how: Thoroughness, precision: Precision, comm: Communicator, say: Say) -> Findings | None:
    """What it takes these ranks to talk, and to compute at the same time; at rank 0, None elsewhere. Collective.

    Args:
        how: thoroughly this is to be measured.
        precision: of the training steps.
        comm: the ranks.
        say: shows a line; at rank 0 alone.
    """
    where, latency = places(comm, sorted(os.sched_getaffinity(0))), interface_latency(comm)
    inside: list[list[Sample]] = []
    between: list[list[Sample]] = []
    collected: list[Table] = []
    contended: list[Contention] = []
    for turn in range(how.rounds):
        if comm.rank == 0:
            say(f"{comm.size} ranks: round {turn + 1} of {how.rounds}")
        inside += _samples(comm, where.inside)
        between += _samples(comm, where.between)
        if where.nodes == 1:
            collected.append(collectives(comm))
        if where.most > 1:
            contended += [contention(comm, shape, precision, how.seconds) for shape in how.gradients]
    if comm.rank != 0:
        return None
    return summed_up(where, latency, inside, between, collected, contended)


def _samples(comm: Communicator, pair: tuple[int, int] | None) -> list[list[Sample]]:
    """One round of messages between a pair, at rank 0; nothing without one."""
    if pair is None:
        return []
    mine = while_others_rest(comm, pair, lambda: ping_pong(comm, *pair))
    everybodys = comm.gather(json.dumps(mine)) or []
    return [json.loads(str(everybodys[pair[0]]))] if everybodys else []

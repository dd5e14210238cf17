"""A thousand random schedules of failures: every run ends in one of two ways, and nothing is counted twice."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from anabranch.cluster import Cluster, Failure, Link, Load, Network, Nodes, Speed
from anabranch.comm import SimulatedCommunicator
from anabranch.errors import PeerLost
from anabranch.optim import Rule
from anabranch.simulate.stage import Stage
from anabranch.strategies import EpochReport, FixedEpochs, Silent, Strategy, Task, strategy
from anabranch.strategies.catalogue import Options
from anabranch.testing.tasks import make_shard, rbm

SCHEDULES, EXAMPLES, EPOCHS = 1000, 60, 2
KINDS = ("die", "hang", "slow", "lose")
NAME = "layer"
STRATEGIES: list[tuple[str, int | None]] = [("allreduce", None), ("averaging", None), ("averaging", 2)]


class Counter(Silent):
    """The examples that the ranks agree on, epoch by epoch."""

    def __init__(self) -> None:
        self.examples: list[int] = []

    def on_epoch(self, report: EpochReport) -> None:
        self.examples.append(report.examples)


@dataclass(frozen=True)
class Ending:
    """How a run ended: what was lost, and what rank 0 had counted until then; its weights if nothing was lost."""

    lost: frozenset[int]
    examples: list[int]
    weights: Tensor | None
    clock: float


def cluster(failures: tuple[Failure, ...]) -> Cluster:
    network = Network(Link(1e-5, 1e9), Link(1e-4, 1e8), retransmission=0.02, retries=3)
    speed = Speed(1e6, step_seconds=1e-3)
    return Cluster("failing", Nodes(2, 3), network, (speed,), failures=failures, detection=0.01, supervision=0.2)


def run(method: Strategy, workers: int, failures: tuple[Failure, ...]) -> Ending:
    load = Load("contrastive", parameters=41, flop=300, activities=16)
    stage = Stage(cluster(failures), workers, None, {NAME: load}, "float32")
    counter, world = Counter(), stage.world()

    def program(comm: SimulatedCommunicator) -> Tensor:
        objective, monitor = stage.staged(rbm(), NAME, comm), counter if comm.rank == 0 else None
        shard = make_shard(comm.rank, comm.size, 5, EXAMPLES)
        task = Task(objective, shard, FixedEpochs(EPOCHS), seed=comm.rank, monitor=monitor)
        for _ in method.run(task, comm):
            pass
        return objective.weights.clone()

    lost: frozenset[int] = frozenset()
    results: list[Tensor | None] = []  # None of those that died
    try:
        results = [*world.run(program)]
    except PeerLost as error:
        lost = error.ranks
    weights = [result for result in results if result is not None]
    assert all(torch.equal(weights[0], other) for other in weights)
    if not weights:
        lost = lost or frozenset(range(workers))  # all are dead, and nobody is left to say so
    clock = max(account.clock for account in world.ledger.accounts())
    return Ending(lost, counter.examples, weights[0] if weights else None, clock)


def schedule(seed: int) -> tuple[int, tuple[Failure, ...]]:
    """Workers, and one to three failures in or after the time that a run takes."""
    chance = np.random.default_rng(seed)
    workers = int(chance.integers(2, 7))
    failures = []
    for _ in range(chance.integers(1, 4)):
        kind, at = KINDS[chance.integers(len(KINDS))], float(chance.uniform(0, 0.06))
        times = int(chance.integers(1, 6))  # from 4 on the sender counts as dead
        slow = {"factor": float(chance.uniform(1, 5)), "seconds": 0.01} if kind == "slow" else {}
        lose = {"times": times} if kind == "lose" else {}
        failures.append(Failure(kind, rank=int(chance.integers(workers)), at=at, **slow, **lose))  # type: ignore[arg-type]
    return workers, tuple(failures)


def method(seed: int) -> Strategy:
    name, every = STRATEGIES[seed % len(STRATEGIES)]
    return strategy(name, Rule(momentum=0.5), Options(every))


def fatal(failure: Failure) -> bool:
    return failure.kind in ("die", "hang") or (failure.kind == "lose" and failure.times > 3)


def test_a_thousand_schedules_end_as_they_should() -> None:
    undisturbed = {(seed % len(STRATEGIES), n): run(method(seed), n, ()) for seed in range(3) for n in range(2, 7)}
    endings = {"finished": 0, "lost": 0}
    for seed in range(SCHEDULES):
        workers, failures = schedule(seed)
        calm, ending = undisturbed[seed % len(STRATEGIES), workers], run(method(seed), workers, failures)
        doomed = {failure.rank for failure in failures if fatal(failure)}
        if ending.lost:
            endings["lost"] += 1
            assert ending.lost <= doomed, (seed, failures)
            assert ending.examples in ([], [EXAMPLES], [EXAMPLES] * 2), seed
        else:
            endings["finished"] += 1
            assert ending.examples == [EXAMPLES] * EPOCHS, seed
            assert ending.weights is not None
            assert calm.weights is not None
            assert torch.equal(ending.weights, calm.weights), seed  # what only takes time changes no result
            assert ending.clock >= calm.clock, seed
        certain = any(fatal(f) and f.at is not None and f.at < 0.9 * calm.clock for f in failures)
        assert ending.lost or not certain, (seed, failures, calm.clock)
    assert min(endings.values()) > SCHEDULES // 10, endings


@pytest.mark.parametrize("kind", ["die", "hang"])
def test_the_others_learn_of_it_after_its_delay(kind: str) -> None:
    ending = run(method(0), 4, (Failure(kind, rank=2, at=0.01),))  # type: ignore[arg-type]
    assert ending.lost == {2}
    assert ending.clock == pytest.approx(0.01 + {"die": 0.01, "hang": 0.2}[kind], abs=2e-3)


def test_a_lost_message_costs_its_retransmission() -> None:
    """Twice lost: 20 ms, and then 40 ms."""
    calm, ending = (run(method(0), 4, failures) for failures in ((), (Failure("lose", rank=1, at=0.0, times=2),)))
    assert ending.clock - calm.clock == pytest.approx(0.06)


def test_the_same_schedule_ends_alike() -> None:
    for seed in range(20):
        workers, failures = schedule(seed)
        one, other = (run(method(seed), workers, failures) for _ in range(2))
        assert (one.lost, one.examples, one.clock) == (other.lost, other.examples, other.clock)

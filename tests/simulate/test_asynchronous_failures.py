"""Hundreds of random schedules of failures over workers at their own pace: they go on, or say who is lost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anabranch.cluster import Cluster, Failure, Link, Load, Network, Nodes, Speed
from anabranch.comm import SimulatedCommunicator
from anabranch.errors import AnabranchError, PeerLost
from anabranch.optim import Rule
from anabranch.simulate.stage import Stage
from anabranch.strategies import Downpour, Elastic, EpochReport, FetchAdd, FixedEpochs, Hosting, Silent, Strategy, Task
from anabranch.strategies.shard import SERVES
from anabranch.testing.tasks import make_shard, rbm

EXAMPLES, EPOCHS, NAME = 60, 3, "layer"
KINDS = ("die", "hang", "slow", "lose")
SERVED = (Hosting("ranks", 1), Hosting("ranks", 1, reassign=True), Hosting("ranks", 2))
RULE = Rule(learning_rate=0.05)
METHODS: tuple[Callable[[Hosting], Strategy], ...] = (
    lambda hosting: Downpour(RULE, hosting=hosting),
    lambda hosting: Downpour(RULE, n_push=3, overlap=True, hosting=hosting),
    lambda hosting: Elastic(RULE, every=4, hosting=hosting),
    lambda hosting: FetchAdd(RULE, hosting=hosting),
)
ALL_DEAD = "no worker of training lives any more"
START = 2e-3  # the survivors have met by then, if nothing delays them: a death may end the run (docs/decisions/0011)


class Books(Silent):
    """The examples of every epoch, and the books at the end."""

    def __init__(self) -> None:
        self.examples: list[int] = []
        self.traffic: dict[str, Any] = {}

    def on_epoch(self, report: EpochReport) -> None:
        self.examples.append(report.examples)

    def on_traffic(self, traffic: dict[str, Any]) -> None:
        self.traffic = traffic


@dataclass
class Ending:
    """How a run ended: whom it named as lost, or what was learnt; and which ranks came to their end, when."""

    error: AnabranchError | None = None
    books: Books = field(default_factory=Books)
    weights: dict[int, Tensor] = field(default_factory=dict)
    worked: dict[int, float] = field(default_factory=dict)
    clock: float = 0.0

    @property
    def lost(self) -> frozenset[int]:
        return self.error.ranks if isinstance(self.error, PeerLost) else frozenset()


def cluster(failures: tuple[Failure, ...]) -> Cluster:
    network = Network(Link(1e-5, 1e9), Link(1e-4, 1e8), retransmission=0.02, retries=3)
    speed = Speed(1e6, step_seconds=1e-3)
    return Cluster("failing", Nodes(3, 3), network, (speed,), failures=failures, detection=0.01, supervision=0.2)


def run(method: Strategy, workers: int, servers: int, failures: tuple[Failure, ...]) -> Ending:
    load = Load("contrastive", parameters=41, flop=300, activities=16)
    stage = Stage(cluster(failures), workers, None, {NAME: load}, "float32", servers)
    ending, world = Ending(), stage.world()

    def program(comm: SimulatedCommunicator) -> None:
        worker = comm.rank - servers
        objective, monitor = stage.staged(rbm(), NAME, comm), ending.books if comm.rank == 0 else None
        part = make_shard(max(worker, SERVES), workers, 5, EXAMPLES)
        task = Task(objective, part, FixedEpochs(EPOCHS), seed=max(worker, 0), monitor=monitor)
        for _ in method.run(task, comm):
            ending.worked[comm.rank] = comm.clock()
        ending.weights[comm.rank] = objective.weights.clone()

    try:
        world.run(program)
    except AnabranchError as error:
        ending.error = error
    if ending.error is None and not ending.weights:
        ending.error = PeerLost(range(workers + servers))  # all are dead, and nobody is left to say so
    ending.clock = max(account.clock for account in world.ledger.accounts())
    return ending


def schedule(chance: np.random.Generator, ranks: int, spare: int = 0) -> tuple[Failure, ...]:
    """One to three failures in or after the time that a run takes; half of them spare the first ranks."""
    failures = []
    for _ in range(chance.integers(1, 4)):
        kind, at = KINDS[chance.integers(len(KINDS))], float(chance.uniform(0, 0.08))
        rank = int(chance.integers(0 if chance.random() < 0.5 else spare, ranks))
        slow = {"factor": float(chance.uniform(1, 5)), "seconds": 0.01} if kind == "slow" else {}
        lose = {"times": int(chance.integers(1, 6))} if kind == "lose" else {}  # from 4 on the sender counts as dead
        failures.append(Failure(kind, rank=rank, at=at, **slow, **lose))  # type: ignore[arg-type]
    return tuple(failures)


def stops(failures: tuple[Failure, ...]) -> dict[int, float]:
    """When the ranks stop that do."""
    ends: dict[int, float] = {}
    for failure in failures:
        assert failure.rank is not None
        assert failure.at is not None
        if failure.kind in ("die", "hang") or (failure.kind == "lose" and failure.times > 3):
            ends[failure.rank] = min(failure.at, ends.get(failure.rank, failure.at))
    return ends


def check_finished(ending: Ending, workers: int, servers: int, doomed: dict[int, float], about: object) -> None:
    """Everything is counted once, and the living agree."""
    traffic, weights = ending.books.traffic, ending.weights
    used, dead = traffic["examples"], traffic["dead_workers"]
    assert len(ending.books.examples) == EPOCHS, about
    assert sum(ending.books.examples) >= EXAMPLES * EPOCHS, about
    assert used["applied"] + used["lost"] == used["computed"], about
    assert used["applied"] >= sum(ending.books.examples), about
    assert all(torch.equal(other, next(iter(weights.values()))) for other in weights.values()), about
    for worker in range(workers):
        rank = worker + servers
        if worker in dead:
            assert rank in doomed, about
            assert rank not in weights, about
        elif rank not in weights:  # it had said farewell, and its death is nobody's loss
            assert doomed[rank] >= ending.worked[rank], about
    assert len(dead) < workers, about


def test_server_ranks_outlive_their_workers() -> None:
    endings = {"finished": 0, "finished without some": 0, "server lost": 0, "start": 0, "all dead": 0}
    for seed in range(180):
        chance = np.random.default_rng(seed)
        hosting = SERVED[seed % len(SERVED)]
        method = METHODS[seed // len(SERVED) % len(METHODS)](hosting)
        workers, servers = int(chance.integers(1, 6)), hosting.servers
        failures = schedule(chance, workers + servers, servers)
        doomed, about = stops(failures), (seed, method, workers, failures)
        ending = run(method, workers, servers, failures)
        if ending.error is None:
            check_finished(ending, workers, servers, doomed, about)
            endings["finished without some" if ending.books.traffic["dead_workers"] else "finished"] += 1
        elif ALL_DEAD in str(ending.error):
            endings["all dead"] += 1
            assert set(range(servers, servers + workers)) == ending.lost <= set(doomed), about
        else:
            assert ending.lost, about
            assert ending.lost <= set(doomed), about
            if min(ending.lost) < servers:
                endings["server lost"] += 1
            else:
                endings["start"] += 1
                assert min(failure.at or 0.0 for failure in failures) < START, about
    assert endings["start"] < 10, endings
    assert min(endings["finished"], endings["finished without some"], endings["server lost"]) >= 10, endings
    assert endings["all dead"] >= 3, endings


def test_windows_finish_or_name_the_lost() -> None:
    endings = {"finished": 0, "lost": 0}
    for seed in range(80):
        chance = np.random.default_rng(1000 + seed)
        workers, method = int(chance.integers(2, 6)), METHODS[seed % len(METHODS)](Hosting())
        failures = schedule(chance, workers)
        doomed, about = stops(failures), (seed, method, workers, failures)
        ending = run(method, workers, 0, failures)
        if ending.error is None:
            endings["finished"] += 1
            check_finished(ending, workers, 0, {}, about)
            assert len(ending.weights) == workers, about
        else:
            endings["lost"] += 1
            assert ending.lost, about
            assert ending.lost <= set(doomed), about
    assert min(endings.values()) > 20, endings


def test_the_same_schedule_ends_alike() -> None:
    for seed in range(12):
        chance = np.random.default_rng(seed)
        hosting, failures = SERVED[seed % len(SERVED)], schedule(chance, 4, 1)
        method = METHODS[seed % len(METHODS)](hosting)
        one, other = (run(method, 4, hosting.servers, failures) for _ in range(2))
        assert (one.lost, one.clock, one.books.examples, one.worked) == (
            other.lost,
            other.clock,
            other.books.examples,
            other.worked,
        )
        assert one.books.traffic == other.books.traffic


def test_a_hanging_worker_costs_nothing_but_its_own_work() -> None:
    """The others end before anybody knows of it, but the server waits to hear of it, for 0.2 s after it stopped."""
    method = METHODS[0](SERVED[0])
    calm, ending = (run(method, 4, 1, failures) for failures in ((), (Failure("hang", rank=2, at=0.01),)))
    assert ending.error is None
    assert ending.books.traffic["dead_workers"] == [1]
    assert calm.clock < 0.1
    assert abs(ending.clock - 0.21) < 2e-3

"""Asynchronous strategies in the cases in which they must equal something simpler, and by hand-computed numbers."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from anabranch.comm import SimulatedWorld
from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedCommunicator
from anabranch.objectives import Objective
from anabranch.optim import Rule
from anabranch.seeding import derive_seed
from anabranch.server.update import Add, Put
from anabranch.strategies import (
    Downpour,
    Elastic,
    ElasticSync,
    FetchAdd,
    FetchPut,
    FixedEpochs,
    Hogwild,
    Hosting,
    Strategy,
    Task,
)
from anabranch.strategies.elastic import stretch
from anabranch.strategies.own_pace.plan import Plan
from anabranch.strategies.own_pace.replica import Replica
from anabranch.strategies.own_pace.run import asynchronous
from anabranch.testing.tasks import Books, classifier, make_shard, pcd, quadratic, rbm, train
from anabranch.types import Batch, Step

RANKS = Hosting("ranks", 1)
OBJECTIVES = [quadratic, rbm, pcd, classifier]
ADAGRAD, PLAIN = Rule("adagrad", 0.1), Rule("sgd", 0.1)


def alone(objective: Objective, make: Callable[[Tensor], torch.optim.Optimizer], epochs: int = 3) -> Tensor:
    """One process: torch's own optimizer, with nothing of ours but the gradient and the order of the data."""
    part, w = make_shard(0, 1), objective.weights
    optimizer = make(w)
    for epoch in range(epochs):
        objective.start_epoch(derive_seed(derive_seed(4, 0), epoch))
        for batch in part.batches(epoch):
            _, w.grad = objective.gradient(batch)
            optimizer.step()
    return w


def adagrad(w: Tensor) -> torch.optim.Optimizer:
    return torch.optim.Adagrad([w], lr=0.1, fused=True)


def sgd(w: Tensor) -> torch.optim.Optimizer:
    return torch.optim.SGD([w], lr=0.1, fused=True)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("rule", "optimizer"), [(ADAGRAD, adagrad), (PLAIN, sgd)], ids=["adagrad", "sgd"])
@pytest.mark.parametrize("hosting", [RANKS, Hosting("ranks", 2), Hosting("ranks", 3, "hashed")], ids=str)
def test_served_downpour_of_one_worker_is_its_rule_bit_for_bit(
    objective: Callable[[], Objective],
    rule: Rule,
    optimizer: Callable[[Tensor], torch.optim.Optimizer],
    hosting: Hosting,
) -> None:
    outcomes = train(Downpour(rule, hosting=hosting), 1, objective, servers=hosting.servers)
    for outcome in outcomes:
        assert torch.equal(outcome.weights, alone(objective(), optimizer))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("strategy", [Downpour(PLAIN), Hogwild(PLAIN)], ids=["downpour", "hogwild"])
def test_on_windows_it_is_plain_sgd_bit_for_bit_without_fused_multiplication(
    objective: Callable[[], Objective], strategy: Strategy
) -> None:
    """A window adds -η g, which is rounded before it is added; torch's fused rule may round once."""
    reference, part = objective(), make_shard(0, 1)
    for epoch in range(3):
        reference.start_epoch(derive_seed(derive_seed(4, 0), epoch))
        for batch in part.batches(epoch):
            _, g = reference.gradient(batch)
            step = g * -0.1
            reference.weights.add_(step)
    (outcome,) = train(strategy, 1, objective)
    assert torch.equal(outcome.weights, reference.weights)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_on_windows_it_is_adagrad_bit_for_bit_without_fused_multiplication(objective: Callable[[], Objective]) -> None:
    reference, part = objective(), make_shard(0, 1)
    sums = torch.zeros_like(reference.weights)
    for epoch in range(3):
        reference.start_epoch(derive_seed(derive_seed(4, 0), epoch))
        for batch in part.batches(epoch):
            _, g = reference.gradient(batch)
            squares = g * g
            sums = sums + squares
            step = (g * -0.1) / (sums.sqrt() + 1e-10)
            reference.weights.add_(step)
    (outcome,) = train(Downpour(ADAGRAD), 1, objective)
    assert torch.equal(outcome.weights, reference.weights)
    torch.testing.assert_close(outcome.weights, alone(objective(), adagrad), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hosting", [Hosting(), RANKS], ids=str)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_worker_that_puts_or_adds_learns_as_alone(objective: Callable[[], Objective], hosting: Hosting) -> None:
    rule = Rule("sgd", 0.1, momentum=0.9)
    reference, part = objective(), make_shard(0, 1)
    optimizer = rule.build(reference.weights)
    for epoch in range(3):
        reference.start_epoch(derive_seed(derive_seed(4, 0), epoch))
        for batch in part.batches(epoch):
            reference.descend(batch, optimizer)
    put = train(FetchPut(rule, hosting), 1, objective, servers=hosting.servers)
    assert torch.equal(put[-1].weights, reference.weights)
    added = train(FetchAdd(rule, hosting), 1, objective, servers=hosting.servers)
    torch.testing.assert_close(added[-1].weights, reference.weights, rtol=1e-4, atol=1e-5)  # W + (W' - W) is rounded


class Constant(Objective):
    """Loss and gradient are 1 everywhere, and each gradient notes what the weights were."""

    def __init__(self, seconds: float = 0.0, comm: Communicator | None = None) -> None:
        self._weights, self.seen = torch.zeros(4), list[float]()
        self._seconds, self._comm = seconds, comm

    @property
    def weights(self) -> Tensor:
        return self._weights

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        self.seen.append(float(self._weights[0]))
        if isinstance(self._comm, SimulatedCommunicator):
            self._comm.elapse(self._seconds)
        return 1.0, torch.ones(4)

    def start_epoch(self, seed: int) -> None:
        """No noise."""

    def state(self) -> dict[str, Tensor]:
        return {}


def run_constant(
    strategy: Strategy, workers: int, seconds: float = 1.0, servers: int = 0, epochs: int = 1
) -> tuple[list[Constant], dict[str, object]]:
    """Every step takes `seconds` of a worker; the objectives of all ranks, and the books."""
    books = Books()

    def program(comm: SimulatedCommunicator) -> Constant:
        objective = Constant(seconds, comm)
        shard = make_shard(comm.rank - servers, workers)
        monitor = books if comm.rank == 0 else None
        task = Task(objective, shard, FixedEpochs(epochs), monitor=monitor)
        for _ in strategy.run(task, comm):
            pass
        return objective

    return SimulatedWorld(servers + workers).run(program), books.traffic


def test_the_first_push_follows_the_first_batch() -> None:
    """n_fetch = 4, n_push = 4, 12 batches, η = 0.5: pushes after batches 1, 5, 9, and of three at the end.

    A replica sees its own steps of 0.5 between two fetches, and from a fetch on what the server has: the first push
    holds one gradient, the others four.
    """
    ((objective,), traffic) = run_constant(Downpour(Rule("sgd", 0.5), n_fetch=4, n_push=4), 1)
    seen = [0.0, -0.5, -1.0, -1.5, -0.5, -1.0, -1.5, -2.0, -2.5, -3.0, -3.5, -4.0]
    assert objective.seen == seen
    assert objective.weights.tolist() == [-6.0] * 4
    assert (traffic["fetches"], traffic["pushes"]) == (3, 4)


def test_n_fetch_and_n_push_may_differ() -> None:
    ((objective,), traffic) = run_constant(Downpour(Rule("sgd", 0.5), n_fetch=3, n_push=2), 1)
    assert (traffic["fetches"], traffic["pushes"]) == (4, 7)  # after batches 1, 3, 5, 7, 9, 11, and one at the end
    assert objective.seen[:4] == [0.0, -0.5, -1.0, -1.5]
    assert objective.weights.tolist() == [-6.0] * 4


def test_an_overlapped_replica_lacks_its_own_last_push() -> None:
    """A fetch leaves before the push of the same step and is taken in after it: all but the first push are late."""
    ((objective,), traffic) = run_constant(Downpour(Rule("sgd", 0.5), overlap=True), 1)
    assert objective.seen[:5] == [0.0, -0.5, -0.5, -1.0, -1.5]
    assert objective.weights.tolist() == [-6.0] * 4
    assert traffic["staleness"] == {"0": 1, "1": 11}


@pytest.mark.parametrize("workers", [2, 3, 4])
@pytest.mark.parametrize("hosting", [Hosting(), RANKS], ids=str)
def test_a_put_loses_what_others_did_and_an_addition_does_not(workers: int, hosting: Hosting) -> None:
    """Workers of equal speed fetch together and put together: of each round one put is left, of n."""
    rule, servers = Rule("sgd", 1.0), hosting.servers
    put, _ = run_constant(FetchPut(rule, hosting), workers, servers=servers)
    steps = sum(len(objective.seen) for objective in put)
    assert steps >= 12
    assert -float(put[0].weights[0]) == pytest.approx(steps / workers, abs=1)
    added, _ = run_constant(FetchAdd(rule, hosting), workers, servers=servers)
    assert -float(added[0].weights[0]) == sum(len(objective.seen) for objective in added)


def test_warm_start_lets_one_replica_begin() -> None:
    """60 examples in batches of 5, half an epoch warm: the first worker makes six steps before any other makes one."""
    objectives, _ = run_constant(Downpour(PLAIN, warm_start=0.5), 3, epochs=2)
    assert objectives[0].seen[:6] == pytest.approx([-0.1 * n for n in range(6)])
    assert min(objectives[1].seen[0], objectives[2].seen[0]) <= -0.6 + 1e-6
    assert max(objectives[1].seen[0], objectives[2].seen[0]) <= -0.6 + 1e-6


def test_a_slow_worker_makes_fewer_steps_and_nobody_waits_for_it() -> None:
    class Uneven(Constant):
        def __init__(self, comm: Communicator) -> None:
            super().__init__(4.0 if comm.rank == 1 else 1.0, comm)

    def program(comm: SimulatedCommunicator) -> tuple[int, float]:
        objective = Uneven(comm)
        task = Task(objective, make_shard(comm.rank, comm.size), FixedEpochs(13))
        for _ in Downpour(PLAIN).run(task, comm):
            pass
        return len(objective.seen), comm.clock()

    ends = SimulatedWorld(4).run(program)
    steps = [count for count, _ in ends]
    assert sum(steps) in range(156, 161)
    assert steps[1] == pytest.approx(steps[0] / 4, abs=1)
    assert ends[0][1] <= 156 / 3.25 + 5  # the sum of the speeds is 3.25 steps a second


def test_elastic_averaging_by_hand() -> None:
    """Two workers, α = 0.45: from w₁ = 3, w₂ = 7, c = 1 in turn: e₁ = 0.9, c = 1.9; e₂ = 2.295, c = 4.195."""
    first, second, centre = (torch.tensor([value], dtype=torch.float64) for value in (3.0, 7.0, 1.0))
    e = torch.empty(1, dtype=torch.float64)
    centre += stretch(first, centre, 0.45, out=e)
    assert (float(e), float(first), float(centre)) == pytest.approx((0.9, 2.1, 1.9))
    centre += stretch(second, centre, 0.45, out=e)
    assert (float(e), float(second), float(centre)) == pytest.approx((2.295, 4.705, 4.195))


def test_asynchronous_elastic_averaging_of_one_worker_by_hand() -> None:
    """τ = 2, β = 0.5, η = 1, gradient 1: after 2 steps w = -2, e = -1, so w = c = -1; then w = -3, e = -1, …"""
    ((objective,), _) = run_constant(Elastic(Rule("sgd", 1.0), every=2, elasticity=0.5), 1)
    assert objective.seen[:6] == [0.0, -1.0, -1.0, -2.0, -2.0, -3.0]
    w, c = 0.0, 0.0
    for _ in range(6):
        w -= 2.0
        e = 0.5 * (w - c)
        w, c = w - e, c + e
    assert objective.weights.tolist() == pytest.approx([c] * 4)


@pytest.mark.parametrize("every", [3, 4, 1000])
def test_synchronous_elastic_averaging_by_hand(every: int) -> None:
    """Equations 5 and 6 written out, for two workers on quadratics of their own; they meet at the end, too."""
    rule, beta = Rule("sgd", 0.1), 0.9
    outcomes = train(ElasticSync(rule, every, beta), 2)
    objectives, parts = [quadratic(), quadratic()], [make_shard(rank, 2) for rank in range(2)]
    centre = torch.zeros(6)
    steps, last = 0, 3 * sum(1 for _ in parts[0].batches(0))
    for epoch in range(3):
        for batches in zip(*(part.batches(epoch) for part in parts), strict=True):
            for objective, batch in zip(objectives, batches, strict=True):
                objective.weights.sub_(objective.gradient(batch)[1], alpha=0.1)
            steps += 1
            if steps % every == 0 or steps == last:
                pulls = [beta / 2 * (objective.weights - centre) for objective in objectives]
                for objective, pull in zip(objectives, pulls, strict=True):
                    objective.weights.sub_(pull)
                centre = centre + (pulls[0] + pulls[1])
    for outcome in outcomes:
        torch.testing.assert_close(outcome.weights, centre, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("hosting", [Hosting(), RANKS, Hosting("shared")], ids=str)
def test_no_addition_is_lost(hosting: Hosting) -> None:
    """Four workers push ones, 30 times each: the sum is exact. (Simulated, shared memory does not race.)"""
    outcomes = push_ones(hosting, 4, 30)
    assert all(outcome.tolist() == [120.0] * 4 for outcome in outcomes)


def push_ones(hosting: Hosting, workers: int, times: int) -> list[Tensor]:
    def work(task: Task, replica: Replica) -> Iterator[Step]:
        x = torch.ones(4)
        for _ in range(times):
            x = replica.push(x.fill_(1.0))
        return iter(())

    def program(comm: Communicator) -> Tensor:
        shard = make_shard(comm.rank - hosting.servers, workers)
        task = Task(Constant(), shard, FixedEpochs(1))
        for _ in asynchronous(task, comm, Plan(hosting, Add(), PLAIN), work):
            pass
        return task.objective.weights

    return SimulatedWorld(workers + hosting.servers).run(program)


def test_an_interleaving_that_loses_a_put() -> None:
    """Rank 1 fetches before rank 0 puts and puts after it: rank 0's update is gone, and its age is told."""

    def work(task: Task, replica: Replica) -> Iterator[Step]:
        comm = communicators[task.shard.rank]
        comm.elapse(1.0 if task.shard.rank else 0.0)
        replica.fetch()  # at 0 and 1
        comm.elapse(2.0)
        replica.push(replica.weights + (1.0 if task.shard.rank == 0 else 10.0))  # at 2 and 3
        return iter(())

    communicators: dict[int, SimulatedCommunicator] = {}
    books = Books()

    def program(comm: SimulatedCommunicator) -> Tensor:
        communicators[comm.rank] = comm
        monitor = books if comm.rank == 0 else None
        task = Task(Constant(), make_shard(comm.rank, 2), FixedEpochs(1), monitor=monitor)
        for _ in asynchronous(task, comm, Plan(Hosting(), Put(), PLAIN), work):
            pass
        return task.objective.weights

    first, second = SimulatedWorld(2).run(program)
    assert first.tolist() == second.tolist() == [10.0] * 4
    assert books.traffic["staleness"] == {"0": 2, "1": 2}  # two shards each


def test_workers_of_equal_speed_are_as_stale_as_their_place_in_the_round() -> None:
    """All fetch together, then push one after another: the first is 0 versions late, the last n - 1; 2 on average."""
    _, traffic = run_constant(Downpour(PLAIN), 5, epochs=20)
    assert traffic["mean_staleness"] == pytest.approx(2.0, abs=0.5)  # some of an instant's turns fall otherwise
    histogram = traffic["staleness"]
    assert isinstance(histogram, dict)
    assert {"0", "1", "2", "3", "4"} <= set(histogram) <= {"0", "1", "2", "3", "4", "5"}

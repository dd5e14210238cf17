"""Averaging with an outer optimizer, held against numbers worked out by hand."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.data import Examples
from anabranch.errors import UsageError
from anabranch.objectives import Objective
from anabranch.optim import Rule
from anabranch.strategies import (
    BMUF,
    Averaging,
    DiLoCo,
    ElasticSync,
    EpochReport,
    FixedEpochs,
    Shard,
    Silent,
    Strategy,
    Task,
    strategy,
)
from anabranch.strategies.catalogue import Options
from anabranch.testing.tasks import Quadratic, classifier, make_shard, pcd, quadratic, rbm, train

HALF = Rule("sgd", learning_rate=0.5)  # a step goes half of the way from W to the worker's one example
MOMENTUM = Rule("sgd", learning_rate=0.1, momentum=0.9)
OBJECTIVES = [quadratic, rbm, pcd, classifier]

# Two workers with the examples 0 and 2, from W = 0: with one step a round, the mean update G is ½ (1 - W).
# BMUF with η = 1 - ½ and ζ = 1:                Nesterov block momentum, where W is what is broadcast:
#   G ½     Δ ½           W ½                     G ½      Δ ½                     W ½ + ½ · ½ = ¾
#   G ¼     Δ ¼ + ¼       W 1                     G ⅛      Δ ¼ + ⅛ = ⅜             W ¾ - ¼ + ⅜ + 3/16 = 17/16
#   G 0     Δ ¼           W 5/4                   G -1/32  Δ 3/16 - 1/32 = 5/32    W 7/8 + 5/32 + 5/64 = 71/64
# DiLoCo with a rate of 0.7 and a momentum of 0.9, g = -G, v = 0.9 v + g, W -= 0.7 (g + 0.9 v):
#   g -0.5        v -0.5          W 0.665
#   g -0.1675     v -0.6175       W 1.171275
#   g 0.0856375   v -0.4701125    W 1.407499625
BY_HAND: list[tuple[Callable[[int | None], Strategy], list[float]]] = [
    (lambda every: BMUF(HALF, every, nesterov=False), [0.5, 1.0, 1.25]),
    (lambda every: BMUF(HALF, every), [0.75, 1.0625, 1.109375]),
    # Rate 2, momentum ½: Δ 1, W 1; then G 0, Δ ½, W 3/2; then G -¼, Δ ¼ - ½, W 5/4.
    (lambda every: BMUF(HALF, every, 2.0, 0.5, nesterov=False), [1.0, 1.5, 1.25]),
    (lambda every: DiLoCo(HALF, every or 1), [0.665, 1.171275, 1.407499625]),
]


def one_weight(method: Strategy, epochs: int) -> list[float]:
    """What W is on each of two workers after so many epochs of one step."""

    class OneWeight(Quadratic):
        def __init__(self) -> None:
            self._weights = torch.zeros(1)

    def program(comm: Communicator) -> float:
        both = Examples(torch.tensor([[0.0], [2.0]]), None)
        task = Task(OneWeight(), Shard.of(both, comm, batch_size=1, seed=0), FixedEpochs(epochs))
        for _ in method.run(task, comm):
            pass
        return float(task.objective.weights)

    return SimulatedWorld(2).run(program)


@pytest.mark.parametrize("every", [1, None])
@pytest.mark.parametrize(("make", "expected"), BY_HAND)
def test_three_rounds_by_hand(make: Callable[[int | None], Strategy], expected: list[float], every: int | None) -> None:
    """A run that ends with a round ends there: the momentum does not carry it further."""
    for epochs, w in enumerate(expected, start=1):
        assert one_weight(make(every), epochs) == pytest.approx([w, w], rel=1e-6)


def test_a_run_that_ends_within_a_round_meets_once_more() -> None:
    """Epochs of six steps: with rounds of 1000 all that happens is that, from W = 0, by 0.7 (1 + 0.9)."""
    averaged = train(Averaging(MOMENTUM, 1000), 2)[0].weights
    for outcome in train(DiLoCo(MOMENTUM, 1000), 2):
        torch.testing.assert_close(outcome.weights, 1.33 * averaged)


@pytest.mark.parametrize("method", [BMUF(MOMENTUM), BMUF(MOMENTUM, 5), DiLoCo(MOMENTUM, 5, 1.0, 0.0)])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_worker_is_the_serial_method_bit_for_bit(method: Strategy, objective: Callable[[], Objective]) -> None:
    """BMUF by its defaults, since 1 - 1/N is 0."""
    (serial,), (outcome,) = train(Averaging(MOMENTUM), 1, objective), train(method, 1, objective)
    assert torch.equal(outcome.weights, serial.weights)
    assert outcome.losses == serial.losses


@pytest.mark.parametrize("every", [None, 4])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_without_momentum_it_is_averaging(every: int | None, objective: Callable[[], Objective]) -> None:
    """Bit for bit at a rate of 1; and at the next smaller number, which goes through the outer optimizer, nearly."""
    averaged = train(Averaging(MOMENTUM, every), 3, objective)[0].weights
    assert torch.equal(train(BMUF(MOMENTUM, every, 1.0, 0.0), 3, objective)[0].weights, averaged)
    nearly = train(BMUF(MOMENTUM, every, 1 - 2**-53, 0.0), 3, objective)[0].weights
    torch.testing.assert_close(nearly, averaged, rtol=1e-5, atol=1e-6)


class Judging(Silent):
    """Keeps what each epoch was judged by."""

    def __init__(self, *, judges: bool) -> None:
        self.judged: list[Tensor] = []
        self.weights = torch.empty(0)
        self._judges = judges

    def judges(self) -> bool:
        return self._judges

    def on_epoch(self, report: EpochReport) -> None:
        self.judged.append(self.weights.clone())


@pytest.mark.parametrize(
    "method",
    [DiLoCo(MOMENTUM, 4), DiLoCo(MOMENTUM, 1000), BMUF(MOMENTUM, 5), BMUF(MOMENTUM, 4, 1.0, 0.0), ElasticSync(HALF, 4)],
)
@pytest.mark.parametrize("epochs", [1, 2, 3])
@pytest.mark.parametrize("judges", [True, False])
def test_an_epoch_is_judged_by_what_a_task_would_end_with(method: Strategy, epochs: int, judges: bool) -> None:
    """Epochs of six steps: some end with a round, most within one. The stopping criterion watches the same."""

    def program(comm: Communicator) -> tuple[list[Tensor], Tensor]:
        judging = Judging(judges=judges)
        part = make_shard(comm.rank, comm.size)
        task = Task(
            Quadratic(), part, FixedEpochs(epochs), monitor=judging, measure=lambda: (float(judging.weights.sum()), 1)
        )
        judging.weights = task.objective.weights
        for _ in method.run(task, comm):
            pass
        assert task.errors[-1] == pytest.approx(float(task.objective.weights.sum()))
        return judging.judged, task.objective.weights.clone()

    for judged, w in SimulatedWorld(2).run(program):
        assert len(judged) == epochs
        assert torch.equal(judged[-1], w)


def test_the_inner_state_stays_with_its_worker() -> None:
    """Two of torch's own AdamW, whose weights alone are exchanged after each step."""
    replicas = [torch.zeros(1), torch.zeros(1)]
    optimizers = [torch.optim.AdamW([w], lr=0.25) for w in replicas]
    common, velocity = torch.zeros(1), torch.zeros(1)
    for _ in range(4):
        for w, optimizer, example in zip(replicas, optimizers, (0.0, 2.0), strict=True):
            w.copy_(common)
            w.grad = w - example
            optimizer.step()
        g = common - (replicas[0] + replicas[1]) / 2
        velocity = 0.9 * velocity + g
        common = common - 0.7 * (g + 0.9 * velocity)
    found = one_weight(DiLoCo(Rule("adamw", learning_rate=0.25), 1), 4)
    assert found == pytest.approx([float(common)] * 2, rel=1e-5)


def test_options_reach_the_strategies() -> None:
    given = Options(every=7, outer_learning_rate=0.5, outer_momentum=0.25)
    assert strategy("bmuf", HALF, given) == BMUF(HALF, 7, 0.5, 0.25)
    assert strategy("diloco", HALF, given) == DiLoCo(HALF, 7, 0.5, 0.25)


@pytest.mark.parametrize("name", ["bmuf", "diloco"])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (Options(every=0), "every 1 or more batches, not every 0"),
        (Options(outer_learning_rate=0.0), "the outer learning rate must be a positive number, not 0.0: try "),
        (Options(outer_learning_rate=float("inf")), "must be a positive number, not inf"),
        (Options(outer_momentum=1.0), r"the outer momentum must lie in \[0, 1\), not 1.0: try 0.9"),
        (Options(outer_momentum=-0.1), r"in \[0, 1\), not -0.1"),
        (Options(outer_momentum=float("nan")), r"in \[0, 1\), not nan"),
        (Options(local_after=2), "--local-after 2 does not go with --strategy .*: it goes with post-local"),
    ],
)
def test_what_means_nothing_is_refused(name: str, options: Options, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        strategy(name, HALF, options)


def test_outer_options_of_another_strategy_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--outer-momentum 0.5 does not go .*: it goes with bmuf, diloco"):
        strategy("averaging", HALF, Options(outer_momentum=0.5))

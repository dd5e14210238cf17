"""Steps that take virtual time."""

import math

import pytest
import torch

from anabranch.cluster import Cluster, Link, Load, Network, Nodes, Speed, Straggling
from anabranch.comm import SimulatedCommunicator
from anabranch.models import RBM
from anabranch.objectives import ContrastiveDivergence
from anabranch.optim import Rule
from anabranch.seeding import generator
from anabranch.simulate.charged import Charged
from anabranch.simulate.stage import Stage
from anabranch.simulate.uncomputed import Uncomputed
from anabranch.types import Batch

LOAD = Load("contrastive", parameters=38, flop=300, activities=16)
SPEED = Speed(flop_per_second=100.0, activities_per_second=16.0, parameters_per_second=38.0, updates_per_second=19.0)


def stage(workers: int = 2, stragglers: tuple[Straggling, ...] = (), **kinds: float) -> Stage:
    nodes, network = Nodes(1, 8), Network(Link(0.0, math.inf))
    cluster = Cluster("test", nodes, network, (SPEED,), stragglers=stragglers)
    return Stage(cluster, workers, None, {"layer": LOAD}, "float32")


def rbm() -> ContrastiveDivergence:
    return ContrastiveDivergence(RBM(4, 6, std=0.1, generator=generator(1)))


def patterns(count: int) -> Batch:
    return Batch(torch.rand(count, 4, generator=generator(2)).round())


def test_a_step_costs_what_the_cluster_says() -> None:
    """One second for the parameters, 3 + 1 for an example; a separate update takes two more."""
    played = stage()

    def program(comm: SimulatedCommunicator) -> list[float]:
        objective = played.staged(rbm(), "layer", comm)
        objective.start_epoch(0)
        objective.gradient(patterns(5))
        clocks = [comm.clock()]
        objective.descend(patterns(2), Rule().build(objective.weights))
        clocks.append(comm.clock())
        objective.descend(patterns(2), Rule("adagrad").build(objective.weights))  # which no objective fuses
        return [*clocks, comm.clock()]

    world = played.world()
    assert world.run(program) == [[23, 32, 43]] * 2
    assert world.ledger.accounts()[1].computing == 43


def test_the_mathematics_is_the_objectives() -> None:
    played, alone = stage(1), rbm()

    def program(comm: SimulatedCommunicator) -> None:
        objective = played.staged(rbm(), "layer", comm)
        optimizer, own = Rule(momentum=0.9).build(objective.weights), Rule(momentum=0.9).build(alone.weights)
        for epoch in range(2):
            objective.start_epoch(epoch)
            alone.start_epoch(epoch)
            assert objective.descend(patterns(8), optimizer) == alone.descend(patterns(8), own)
            loss, gradient = objective.gradient(patterns(8))
            expected, same = alone.gradient(patterns(8))
            assert loss == expected
            assert torch.equal(gradient, same)
        assert torch.equal(objective.weights, alone.weights)
        assert objective.state().keys() == alone.state().keys()
        assert objective.is_finite()
        objective.weights[0] = math.nan
        assert not objective.is_finite()

    played.world().run(program)


def test_an_epochs_disturbances_depend_on_its_seed_alone() -> None:
    played = stage(1, (Straggling("log-normal", sigma=0.5),))

    def program(comm: SimulatedCommunicator) -> list[float]:
        objective, times = played.staged(rbm(), "layer", comm), []
        for seed in (3, 4, 3):
            objective.start_epoch(seed)
            began = comm.clock()
            for _ in range(5):
                objective.gradient(patterns(5))
            times.append(comm.clock() - began)
        return times

    (first, other, again) = played.world().run(program)[0]
    assert first == pytest.approx(again)
    assert abs(first - other) > 1e-3


def test_what_is_not_computed_costs_the_same() -> None:
    played = stage(1)

    def program(comm: SimulatedCommunicator) -> float:
        objective = played.staged(Uncomputed(38, torch.float32), "layer", comm)
        assert isinstance(objective, Charged)
        objective.start_epoch(0)
        loss, gradient = objective.gradient(patterns(5))
        optimizer = Rule(momentum=0.9).build(objective.weights)
        optimizer.step(gradient)
        assert (loss, gradient.shape, gradient.is_meta, objective.is_finite()) == (0.0, (38,), True, True)
        assert objective.descend(patterns(2), optimizer) == 0.0
        assert objective.state() == {}
        return comm.clock()

    assert played.world().run(program) == [32]

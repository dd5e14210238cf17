"""Real steps, timed: what is counted, not how long it takes."""

import pytest
import torch

from anabranch.calibrate.contention import Contention, contention
from anabranch.calibrate.grid import Case, Grid, Shape
from anabranch.calibrate.program import Thoroughness, computing, talking
from anabranch.calibrate.steps import CLASSES, EPOCH, WARM, examples, seconds_per_step, shard
from anabranch.cluster import Cluster, Link, Network, NetworkCosts, Nodes, Placement
from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.comm.wrappers import Counting

SMALL = Shape("contrastive", (12, 8))
TINY = Thoroughness(Grid((SMALL, Shape("backprop", (12, 8, CLASSES))), (4,), 2, 0.001), (SMALL,), 2, 0.001)


def test_as_many_steps_as_asked_after_those_that_warm_up() -> None:
    def program(comm: Communicator) -> tuple[float, int, int]:
        counting, met = Counting(comm), []
        case = Case(SMALL, 4, "float32", fused=False)
        seconds = seconds_per_step(case, counting, steps=5, meet=lambda: met.append(counting.calls["allreduce"]))
        return seconds, counting.calls["allreduce"], met[0]

    for seconds, calls, met in SimulatedWorld(2).run(program):
        assert seconds > 0
        assert calls == WARM + 5
        assert met == WARM


@pytest.mark.parametrize("kind", ["contrastive", "backprop", "autograd"])
@pytest.mark.parametrize("fused", [True, False])
def test_every_kind_trains(kind: str, fused: bool) -> None:
    sizes = (12, 8) if kind == "contrastive" else (12, 8, CLASSES)
    case = Case(Shape(kind, sizes), 4, "float32", fused)  # type: ignore[arg-type]
    assert SimulatedWorld(1).run(lambda comm: seconds_per_step(case, comm, seconds=0.001))[0] > 0


def test_shards_have_equally_many_steps_and_their_own_rows() -> None:
    case = Case(SMALL, 4, "bf16-mixed", fused=True)
    nodes = Nodes(1, 2)
    costs = NetworkCosts(Cluster("test", nodes, Network(Link(1e-6, 1e9)), ()), Placement(nodes, 2))
    first, second = SimulatedWorld(2, costs).run(lambda comm: shard(case, comm))
    assert first.steps == second.steps == EPOCH
    assert len(first) == len(second) == 4 * EPOCH
    assert first.members.tolist() != second.members.tolist()
    assert len(set(first.members.tolist())) == len(first)
    assert first.dtype == torch.bfloat16


def test_examples_are_bytes_in_the_unit_interval() -> None:
    batch = examples(12).take(torch.arange(50))
    assert examples(12).features.dtype == torch.uint8
    assert 0 <= float(batch.x.min()) < 0.1 < 0.9 < float(batch.x.max()) <= 1
    assert batch.y is not None
    assert 0 <= int(batch.y.min()) <= int(batch.y.max()) < CLASSES


def test_computing_has_a_row_for_each_case() -> None:
    said: list[str] = []
    rows = SimulatedWorld(1).run(lambda comm: computing(TINY, ["float32"], comm, said.append))[0]
    assert [(row.load.kind, row.batch, row.fused) for row in rows] == [
        ("contrastive", 4, True),
        ("contrastive", 4, False),
        ("backprop", 4, True),
        ("backprop", 4, False),
    ]
    assert all(row.seconds > 0 for row in rows)
    assert said[0] == "computing: training step 1 of 8"


def test_contention_by_hand() -> None:
    found = Contention(gradient_bytes=4, alone=2.0, together=3.0, lockstep=7.0)
    assert (found.slowdown, found.allreduce) == (1.5, 4.0)


def test_all_ranks_learn_of_the_same_contention() -> None:
    found = SimulatedWorld(2).run(lambda comm: contention(comm, SMALL, "float32", 0.001))
    assert found[0] == found[1]
    assert found[0].gradient_bytes == 4 * (12 * 8 + 12 + 8)
    assert min(found[0].alone, found[0].together, found[0].lockstep) > 0


def test_rank_0_has_the_findings() -> None:
    said: list[str] = []
    nodes = Nodes(1, 2)
    costs = NetworkCosts(Cluster("test", nodes, Network(Link(1e-6, 1e9)), ()), Placement(nodes, 2))
    first, second = SimulatedWorld(2, costs).run(lambda comm: talking(TINY, "float32", comm, said.append))
    assert second is None
    assert first is not None
    assert (first.ranks, first.nodes, first.most) == (2, 1, 2)
    assert first.inside is not None
    assert [first.inside.latency, first.inside.bandwidth] == pytest.approx([1e-6, 1e9])
    assert {table.operation for table in first.measured} == {"allgather", "allreduce", "barrier", "broadcast"}
    assert said == ["2 ranks: round 1 of 2", "2 ranks: round 2 of 2"]

"""Running statistics where ranks serve: the first server judges and saves the model, and itself sees no example."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import anabranch
from anabranch.checkpoint import load_newest
from anabranch.cluster import Load
from anabranch.cluster.toml import load_cluster
from anabranch.comm import SimulatedCommunicator, SimulatedWorld
from anabranch.comm.failures import Fate
from anabranch.objectives import BackPropagation
from anabranch.objectives.penalised import Penalised
from anabranch.optim import Rule
from anabranch.server.buffers import packed, unpack
from anabranch.simulate.stage import Stage
from anabranch.strategies import Downpour, FixedEpochs, Hosting, Task
from anabranch.testing.tasks import Quadratic, make_shard
from anabranch.types import Batch

DTYPES = [torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool, torch.bfloat16]
DIGITS: dict[str, Any] = {"batch_size": 20, "epochs": 2, "threads": 1, "progress": False}


@given(st.lists(st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 4), max_size=2)), min_size=1, max_size=6))
def test_what_was_packed_is_unpacked(kinds: list[tuple[torch.dtype, list[int]]]) -> None:
    """Of whatever dtypes and shapes, wherever each begins."""
    chance = torch.Generator().manual_seed(len(kinds))
    given = [(torch.rand(shape, generator=chance) * 9).to(dtype) for dtype, shape in kinds]
    out = [torch.zeros_like(buffer) for buffer in given]
    memory = packed(given)
    assert memory.nbytes == sum(buffer.nbytes for buffer in given)
    unpack(memory, out)
    assert all(torch.equal(one, other) for one, other in zip(given, out, strict=True))


class Counting(Quadratic):
    """Counts its examples in a buffer; each gradient takes a second."""

    def __init__(self, comm: SimulatedCommunicator) -> None:
        super().__init__()
        self._comm, self.seen = comm, torch.tensor([comm.rank, 0])

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        self._comm.elapse(1)
        self.seen[1] += len(batch)
        return super().gradient(batch)

    def buffers(self) -> list[Tensor]:
        return [self.seen]


def served(servers: int, fates: dict[int, Fate], *, overlap: bool = False) -> list[list[int] | None]:
    """The rank and the examples in each rank's buffer, after an epoch of 60 examples with three workers."""

    def program(comm: SimulatedCommunicator) -> list[int]:
        objective = Counting(comm)
        task = Task(objective, make_shard(comm.rank - servers, 3), FixedEpochs(1))
        for _ in Downpour(overlap=overlap, hosting=Hosting("ranks", servers)).run(task, comm):
            pass
        return objective.seen.tolist()

    return [*SimulatedWorld(servers + 3, fates=fates).run(program)]


@pytest.mark.parametrize("servers", [1, 2])
@pytest.mark.parametrize("overlap", [False, True])
def test_the_first_server_has_the_buffers_of_the_first_worker(servers: int, overlap: bool) -> None:
    found = served(servers, {}, overlap=overlap)
    first = found[servers]
    assert first is not None
    assert first[0] == servers
    assert first[1] >= 15
    assert found[0] == first
    assert [seen and seen[0] for seen in found[1:]] == [*range(1, servers + 3)]


@pytest.mark.parametrize("servers", [1, 2])
def test_or_of_the_next_where_that_one_is_dead(servers: int) -> None:
    found = served(servers, {servers: Fate(1.5, 1.6)})
    assert found[servers] is None
    assert found[0] == found[servers + 1]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 10))


@pytest.mark.parametrize("hosting", [Hosting("ranks", 1), Hosting("ranks", 2), Hosting()], ids=str)
def test_epochs_are_judged_and_checkpoints_written_with_trained_buffers(hosting: Hosting, tmp_path: Path) -> None:
    """One worker, so that nothing comes after the push with which the last epoch ends."""
    strategy = Downpour(Rule("sgd", 0.05), hosting=hosting)
    fitted = anabranch.fit(
        network(), "digits", strategy=strategy, workers=1, out=tmp_path / "run", test_each_epoch=True, **DIGITS
    )
    assert fitted.epochs[-1].test_error == fitted.test_error
    checkpoint = load_newest(tmp_path / "run" / "checkpoints", 0)
    assert checkpoint is not None
    assert checkpoint.model["1.num_batches_tracked"] > 0
    for name, trained in fitted.model.state_dict().items():
        assert torch.equal(checkpoint.model[name], trained), name


def test_an_objective_around_another_has_its_buffers() -> None:
    module = network()
    penalised = Penalised(BackPropagation(module), module, 0.1)
    load = Load("autograd", parameters=922, flop=5000, activities=22)
    stage = Stage(load_cluster("laptop"), 1, None, {"training": load}, "float32")

    def program(comm: SimulatedCommunicator) -> list[int]:
        return [id(buffer) for buffer in stage.staged(penalised, "training", comm).buffers()]

    assert SimulatedWorld(1).run(program) == [[id(buffer) for buffer in module.buffers()]]

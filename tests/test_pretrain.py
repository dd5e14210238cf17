import dataclasses

import pytest
import torch

from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.data import Examples
from anabranch.errors import UsageError
from anabranch.models import DBN
from anabranch.optim import Rule
from anabranch.pretrain import Pretraining, layer_name, pretrain, propagate
from anabranch.seeding import generator
from anabranch.strategies import Averaging, Convergence, EpochReport, FixedEpochs, Silent, Stopping
from anabranch.testing.tasks import FEATURES, examples, make_shard

SIZES = [FEATURES, 8, 4, 5]


def network() -> DBN:
    return DBN(SIZES, std=0.1, generator=generator(3))


def plan(stopping: Stopping, chains: int = 0) -> Pretraining:
    return Pretraining(Averaging(Rule("sgd", 0.1, 0.5)), stopping, chains=chains, seed=2)


class Reports(Silent):
    def __init__(self) -> None:
        self.reports: list[EpochReport] = []

    def on_epoch(self, report: EpochReport) -> None:
        self.reports.append(report)


def pretrained(workers: int, stopping: Stopping, mapped: bool = False) -> list[tuple[DBN, list[EpochReport]]]:
    def program(comm: Communicator) -> tuple[DBN, list[EpochReport]]:
        dbn, journal = network(), Reports()
        part = make_shard(comm.rank, comm.size)
        part = dataclasses.replace(part, source=dataclasses.replace(examples(), mapped=mapped))
        pretrain(dbn, part, plan(stopping), comm, journal)
        return dbn, journal.reports

    return SimulatedWorld(workers).run(program)


def test_impossible_settings_are_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="at least one Gibbs step, not 0"):
        Pretraining(Averaging(), FixedEpochs(1), k=0)


def test_outputs_stay_on_the_rank_that_holds_the_examples() -> None:
    rbm = network().layers[0]
    for rank in range(3):
        part = make_shard(rank, 3)
        above = propagate(part, rbm)
        assert (above.rank, above.size, above.total, len(above)) == (rank, 3, 60, 20)
        (below_rows,), (above_rows,) = part.in_order(20), above.in_order(20)
        torch.testing.assert_close(above_rows.x, rbm(below_rows.x))
        assert above_rows.y is None
        assert [len(batch) for batch in above.batches(0)] == [5, 5, 5, 5]


def test_layers_are_trained_one_after_another_on_all_ranks() -> None:
    results = pretrained(3, FixedEpochs(2))
    names = [layer_name(number, rbm) for number, rbm in enumerate(network().layers)]
    assert names == ["layer 1 (6-8)", "layer 2 (8-4)", "layer 3 (4-5)"]
    for dbn, reports in results:
        assert [(r.task, r.epoch, r.last) for r in reports] == [(n, e, e == 1) for n in names for e in (0, 1)]
        assert {r.examples for r in reports} == {60}
        for mine, first in zip(dbn.parameters(), results[0][0].parameters(), strict=True):
            assert torch.equal(mine, first)
        for mine, initial in zip(dbn.parameters(), network().parameters(), strict=True):
            assert not torch.equal(mine, initial)


def test_all_ranks_converge_in_the_same_epoch() -> None:
    results = pretrained(4, Convergence(tolerance=0.02, limit=60))
    epochs = [[r.epoch for r in reports if r.last] for _, reports in results]
    assert all(each == epochs[0] for each in epochs)
    assert len(epochs[0]) == 3
    assert min(epochs[0]) >= 3
    assert max(epochs[0]) < 59


@pytest.mark.parametrize("workers", [1, 3])
def test_mapped_data_give_the_same_network_without_storing_the_outputs(workers: int) -> None:
    stored, mapped = (pretrained(workers, FixedEpochs(2), mapped=m)[0][0] for m in (False, True))
    for a, b in zip(stored.parameters(), mapped.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)  # products of other shapes round otherwise


def test_outputs_of_mapped_data_are_computed_when_read() -> None:
    rbm = network().layers[0]
    part = dataclasses.replace(make_shard(0, 2), source=dataclasses.replace(examples(), mapped=True))
    above = propagate(part, rbm)
    before = next(above.batches(0)).x.clone()
    rbm.weight.add_(1.0)
    assert not torch.equal(next(above.batches(0)).x, before)
    assert len(above.source) == 60
    assert sum(len(batch) for batch in above.source.chunks(7, torch.float32)) == 60
    twice = propagate(above, network().layers[1])
    assert not isinstance(twice.source, Examples)
    assert next(twice.batches(0)).x.shape == (5, 4)

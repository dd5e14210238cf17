"""Who takes over the examples of the dead."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from anabranch.comm import SimulatedCommunicator, SimulatedWorld
from anabranch.comm.failures import Fate
from anabranch.data import Examples, shard
from anabranch.models import RBM
from anabranch.pretrain import propagate
from anabranch.seeding import generator
from anabranch.strategies import Downpour, FixedEpochs, Hosting, Shard, Task
from anabranch.strategies.shard import Rows
from anabranch.testing.tasks import Books, Quadratic, examples, make_shard
from anabranch.types import Batch

SEED = 4


def numbered(n: int, rank: int, size: int, batch_size: int = 1) -> Shard:
    """Each example is its number."""
    source = Examples(torch.arange(n, dtype=torch.float32).unsqueeze(1))
    return Shard(source, shard(n, rank, size, SEED), n, rank, size, batch_size, SEED)


def test_an_ordered_shard_is_the_same_in_every_epoch() -> None:
    one = replace(numbered(7, 0, 1, batch_size=3), members=torch.arange(7), ordered=True)
    for epoch in range(2):
        assert [batch.x.flatten().tolist() for batch in one.batches(epoch)] == [[0, 1, 2], [3, 4], [5, 6]]


@st.composite
def crews(draw: st.DrawFn) -> tuple[int, int, frozenset[int]]:
    """Examples, workers, and those of them that are dead; one is alive."""
    size = draw(st.integers(1, 9))
    dead = draw(st.frozensets(st.integers(0, size - 1), max_size=size - 1))
    return draw(st.integers(size, 80)), size, dead


@given(crews())
def test_the_living_have_every_example_once(crew: tuple[int, int, frozenset[int]]) -> None:
    n, size, dead = crew
    alive = [rank for rank in range(size) if rank not in dead]
    shards = [numbered(n, rank, size).adopting(dead) for rank in alive]
    assert sorted(torch.cat([one.members for one in shards]).tolist()) == list(range(n))
    for rank, one in zip(alive, shards, strict=True):
        own = shard(n, rank, size, SEED)
        assert torch.equal(one.members[: len(own)], own)
        assert one.adopted == len(one) - len(own)
    adopted = [one.adopted for one in shards]
    assert max(adopted) - min(adopted) <= len(dead)  # each shard of a dead one is shared out evenly


@given(crews(), st.integers(1, 10), st.integers(0, 5))
def test_a_pass_takes_each_member_once(crew: tuple[int, int, frozenset[int]], batch_size: int, epoch: int) -> None:
    n, size, dead = crew
    rank = min(set(range(size)) - dead)
    one = numbered(n, rank, size, min(batch_size, n // size)).adopting(dead)
    if not one.adopted and n % size and one.batch_size == 1:
        return  # shards that differ in length cannot be cut into batches of one
    batches = [batch.x.view(-1) for batch in one.batches(epoch)]
    assert all(1 <= len(batch) <= one.batch_size for batch in batches)
    assert sorted(torch.cat(batches).int().tolist()) == sorted(one.members.tolist())


def test_by_hand() -> None:
    """Of 9 examples in three shards of three; rank 1 is dead, then rank 0 too."""
    zero, one, two = (shard(9, rank, 3, SEED).tolist() for rank in range(3))
    first, last = numbered(9, 0, 3), numbered(9, 2, 3)
    assert first.adopting(frozenset({1})).members.tolist() == [*zero, one[0], one[2]]
    assert last.adopting(frozenset({1})).members.tolist() == [*two, one[1]]
    both = last.adopting(frozenset({1})).adopting(frozenset({0, 1}))
    assert both.members.tolist() == [*two, *zero, *one]
    assert both.adopted == 6


def test_passes_differ_and_repeat() -> None:
    one = numbered(60, 0, 3, 5).adopting(frozenset({2}))
    first, again, second = (torch.cat([batch.x for batch in one.batches(epoch)]) for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_without_deaths_nothing_changes() -> None:
    one = numbered(60, 1, 3, 5)
    same = one.adopting(frozenset())
    assert same.adopted == 0
    for batch, other in zip(one.batches(2), same.batches(2), strict=True):
        assert torch.equal(batch.x, other.x)


@pytest.mark.parametrize("mapped", [False, True])
def test_after_a_layer_the_adopted_rows_are_hidden_activities(mapped: bool) -> None:
    """Also those that another rank has computed: they are computed again."""
    data = examples()
    first, second = (RBM(v, h, std=0.5, generator=generator(v)) for v, h in ((6, 5), (5, 3)))
    part = replace(make_shard(0, 3), source=replace(data, mapped=mapped))
    once, dead = propagate(part, first), frozenset({1})
    hidden = first(data.features)
    for above, expected in ((once, hidden), (propagate(once, second), second(hidden))):
        adopting = above.adopting(dead)
        assert adopting.members.tolist() == part.adopting(dead).members.tolist()
        assert len(adopting) == 30
        rows = torch.cat([batch.x for batch in adopting.in_order(7)])
        torch.testing.assert_close(rows, expected[adopting.members])


def test_an_adopted_shard_goes_up_too() -> None:
    data = examples()
    first, second = (RBM(v, h, std=0.5, generator=generator(v)) for v, h in ((6, 5), (5, 3)))
    adopting = propagate(make_shard(0, 3), first).adopting(frozenset({2}))
    above = propagate(adopting, second)
    rows = torch.cat([batch.x for batch in above.in_order(7)])
    torch.testing.assert_close(rows, second(first(data.features[adopting.members])))
    again = above.adopting(frozenset({1, 2}))
    assert sorted(again.members.tolist()) == list(range(60))
    rows = torch.cat([batch.x for batch in again.in_order(7)])
    torch.testing.assert_close(rows, second(first(data.features[again.members])))


@dataclass(frozen=True)
class Watched:
    """Rows that note who takes which, and when."""

    rows: Rows
    comm: SimulatedCommunicator
    taken: list[tuple[float, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Tensor, dtype: torch.dtype) -> Batch:
        self.taken.extend((self.comm.clock(), row) for row in index.tolist())
        return self.rows.take(index, dtype)

    def chunks(self, size: int, dtype: torch.dtype) -> Iterator[Batch]:
        return self.rows.chunks(size, dtype)


class Clocked(Quadratic):
    """A gradient takes a second."""

    def __init__(self, comm: SimulatedCommunicator) -> None:
        super().__init__()
        self._comm = comm

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        self._comm.elapse(1)
        return super().gradient(batch)


def watch(reassign: bool, stops: dict[int, float], epochs: int = 6) -> tuple[Books, list[list[tuple[float, int]]]]:
    """One server and three workers of 20 examples each; what each worker took."""
    books, watched = Books(), list[list[tuple[float, int]]]()
    strategy = Downpour(hosting=Hosting("ranks", 1, reassign=reassign))

    def program(comm: SimulatedCommunicator) -> None:
        part = make_shard(comm.rank - 1, 3)
        rows = Watched(part.source, comm)
        watched.append(rows.taken)
        monitor = books if comm.rank == 0 else None
        task = Task(Clocked(comm), replace(part, source=rows), FixedEpochs(epochs), monitor=monitor)
        for _ in strategy.run(task, comm):
            pass

    SimulatedWorld(4, fates={rank: Fate(at, at + 0.01) for rank, at in stops.items()}).run(program)
    return books, watched[1:]


def rows_of(taken: list[tuple[float, int]]) -> set[int]:
    return {row for _, row in taken}


@pytest.mark.parametrize("dead", [0, 1, 2])
def test_the_living_go_on_with_the_examples_of_the_dead(dead: int) -> None:
    books, taken = watch(True, {dead + 1: 1.5})
    assert books.traffic["dead_workers"] == [dead]
    alive = [rank for rank in range(3) if rank != dead]
    for place, rank in enumerate(alive):
        own, orphans = (set(shard(60, each, 3, SEED).tolist()) for each in (rank, dead))
        assert rows_of(taken[rank]) - own == set(shard(60, dead, 3, SEED)[place::2].tolist()) <= orphans
        first = min(at for at, row in taken[rank] if row in orphans)
        assert first >= 4  # from its next pass on
    assert rows_of([each for rank in alive for each in taken[rank]]) == set(range(60))


def test_otherwise_they_do_not() -> None:
    books, taken = watch(False, {2: 1.5})
    assert books.traffic["dead_workers"] == [1]
    for rank in (0, 2):
        assert rows_of(taken[rank]) == set(shard(60, rank, 3, SEED).tolist())


def test_two_deaths_leave_everything_to_one() -> None:
    books, taken = watch(True, {1: 1.5, 3: 6.5}, epochs=8)
    assert books.traffic["dead_workers"] == [0, 2]
    assert rows_of(taken[1]) == set(range(60))


def test_where_nobody_dies_nobody_adopts() -> None:
    books, taken = watch(True, {})
    assert books.traffic["dead_workers"] == []
    for rank in range(3):
        assert rows_of(taken[rank]) == set(shard(60, rank, 3, SEED).tolist())

"""The server without servers: what pushes do to the windows, by hand."""

from collections import Counter

import pytest
import torch
from torch import Tensor

from anabranch.comm import SimulatedCommunicator, SimulatedWorld
from anabranch.comm.costs import Transfer, ZeroCosts
from anabranch.errors import UsageError
from anabranch.optim import Rule
from anabranch.server.onesided import OneSided, opened
from anabranch.server.partition import contiguous, hashed
from anabranch.server.transport import Heard, Note
from anabranch.server.update import Add, Descend, Put, Update

P = 7
ADAGRAD, PLAIN = Descend(Rule("adagrad", 0.1)), Descend(Rule("sgd", 1.0))


class Slow(ZeroCosts):
    """One operation of windows takes the seconds of its caller's rank."""

    def __init__(self, operation: str, *seconds: float) -> None:
        self.operation, self.seconds = operation, seconds

    def transfer(self, operation: str, size: int, source: int, to: int, now: float) -> Transfer:
        return Transfer(now, now + (self.seconds[source] if operation == self.operation else 0.0))

    def same_node(self, one: int, other: int) -> bool:
        return False


def fetched(way: OneSided) -> tuple[Tensor, list[int]]:
    out = torch.zeros(P)
    fetching = way.start_fetch(out, 0)
    fetching.wait()
    return out, list(fetching.versions)


def push(way: OneSided, x: float | Tensor, versions: list[int], note: Note | None = None) -> None:
    way.start_push(x.clone() if isinstance(x, Tensor) else torch.full((P,), x), versions, note or Note()).wait()


def final(comm: SimulatedCommunicator, way: OneSided) -> tuple[Tensor, Tensor]:
    comm.barrier()
    weights, squares = torch.zeros(P), torch.zeros(P)
    way.snapshot(weights, squares)
    comm.barrier()
    return weights, squares


@pytest.mark.parametrize("ranks", [1, 3, 9])
def test_adagrad_on_the_windows_of_several_is_adagrad(ranks: int) -> None:
    """The last rank alone pushes, to all owners; the sums of squares have begun before."""
    chance = torch.Generator().manual_seed(1)
    start, before = torch.randn(P, generator=chance), torch.rand(P, generator=chance)
    gradients = [torch.randn(P, generator=chance) for _ in range(20)]

    def program(comm: SimulatedCommunicator) -> tuple[Tensor, Tensor]:
        with opened(comm, hashed(P, ranks, 2), ADAGRAD, start, before, 10, 99, (0, 0.0)) as way:
            if comm.rank == ranks - 1:
                for g in gradients:
                    push(way, g, fetched(way)[1])
            return final(comm, way)

    weights, squares = start.clone(), before.clone()
    for g in gradients:
        squares += g * g
        weights -= 0.1 * g / (squares.sqrt() + 1e-10)
    for found, sums in SimulatedWorld(ranks).run(program):
        assert torch.equal(sums, squares)
        torch.testing.assert_close(found, weights, rtol=3e-7, atol=3e-7)


def test_adagrad_of_two_ranks_by_hand() -> None:
    """3 and then 4: the sums are 9 and 25, so the steps are 1 and 0.8 of the rate."""

    def program(comm: SimulatedCommunicator) -> tuple[Tensor, Tensor]:
        with opened(comm, contiguous(P, 2), ADAGRAD, torch.zeros(P), torch.zeros(P), 10, 99, (0, 0.0)) as way:
            _, versions = fetched(way)
            comm.elapse(1.0 + comm.rank)
            push(way, 3.0 + comm.rank, versions)
            return final(comm, way)

    for weights, squares in SimulatedWorld(2).run(program):
        assert squares.tolist() == [25] * P
        assert weights.tolist() == pytest.approx([-0.1 * (3 / 3 + 4 / 5)] * P, rel=1e-6)


@pytest.mark.parametrize(("update", "total"), [(PLAIN, -100), (Add(), 100)], ids=["sgd", "add"])
@pytest.mark.parametrize("costs", [None, Slow("accumulate", 0.5, 1, 2, 3)], ids=["free", "slow"])
def test_no_push_is_lost(update: Update, total: int, costs: Slow | None) -> None:
    """Four ranks push ones 25 times."""

    def program(comm: SimulatedCommunicator) -> tuple[Tensor, tuple[int, float], int]:
        with opened(comm, contiguous(P, 4), update, torch.zeros(P), None, 10, 99, (7, 0.5)) as way:
            for _ in range(25):
                push(way, 1.0, fetched(way)[1], Note(2, 0.25))
            weights, _ = final(comm, way)
            return weights, way.books(), way.staleness.total()

    for weights, books, counted in SimulatedWorld(4, costs).run(program):
        assert weights.tolist() == [total] * P
        assert books == (7 + 4 * 25 * 2, 0.5 + 4 * 25 * 0.25)
        assert counted == 25 * 4  # pushes, of four shards each


@pytest.mark.parametrize(("seconds", "left"), [((0.0, 0.0), 11.0), ((5.0, 1.0), 1.0)], ids=["in order", "overtaken"])
def test_the_last_put_is_what_stays(seconds: tuple[float, float], left: float) -> None:
    """Rank 0 puts 1 from 0 s on, rank 1 puts 11 from 1 s on; both began with 0. A slow put ends, and counts, later."""

    def program(comm: SimulatedCommunicator) -> tuple[Tensor, Tensor]:
        with opened(comm, contiguous(P, 1), Put(), torch.zeros(P), None, 10, 99, (0, 0.0)) as way:
            w, versions = fetched(way)
            comm.elapse(comm.rank)
            push(way, w + 1 + 10 * comm.rank, versions)
            return final(comm, way)

    for weights, _ in SimulatedWorld(2, Slow("put", *seconds)).run(program):
        assert weights.tolist() == [left] * P


def test_versions_and_staleness_by_hand() -> None:
    """Time runs downwards; two shards, so each push counts twice.

    rank 0   fetch (0)   push, stale by 0               fetch (2)   push, stale by 1
    rank 1   fetch (0)         push, stale by 1   fetch (2)   push, stale by 0
    """

    def program(comm: SimulatedCommunicator) -> tuple[list[list[int]], Counter[int]]:
        versions = []
        with opened(comm, contiguous(P, 2), PLAIN, torch.zeros(P), None, 10, 99, (0, 0.0)) as way:
            for fetch_at, push_at in ((0, 1), (4, 6)) if comm.rank == 0 else ((0, 2), (3, 5)):
                comm.elapse(fetch_at - comm.clock())
                versions.append(fetched(way)[1])
                comm.elapse(push_at - comm.clock())
                push(way, 1.0, versions[-1])
            final(comm, way)
        return versions, way.staleness

    first, second = SimulatedWorld(2).run(program)
    assert first == ([[0, 0], [2, 2]], Counter({0: 2, 1: 2}))
    assert second == ([[0, 0], [2, 2]], Counter({1: 2, 0: 2}))


def test_a_fetch_goes_on_while_its_rank_computes() -> None:
    """A get takes 8 s, and brings what is there when it ends; its version is that of its beginning."""

    def program(comm: SimulatedCommunicator) -> None:
        with opened(comm, contiguous(P, 1), PLAIN, torch.zeros(P), None, 10, 99, (0, 0.0)) as way:
            comm.elapse(2)
            if comm.rank == 1:
                comm.elapse(3)
                push(way, 1.0, [0])  # at 5 s
            else:
                out = torch.full((P,), 9.0)
                fetching = way.start_fetch(out, 0)
                assert comm.clock() == 2
                comm.elapse(7.5)
                assert not fetching.done()
                assert out.tolist() == [9] * P
                comm.elapse(0.5)
                assert fetching.done()
                assert out.tolist() == [-1] * P
                assert list(fetching.versions) == [0]
                waiting = way.start_fetch(out, 0)
                comm.elapse(3)
                assert not waiting.done()
                waiting.wait()
                assert comm.clock() == 18
                assert list(waiting.versions) == [1]

    SimulatedWorld(2, Slow("get", 8, 8)).run(program)


def test_a_push_has_a_version_when_it_has_landed() -> None:
    """An addition takes 4 s; rank 1 looks at it before and after."""

    def program(comm: SimulatedCommunicator) -> list[tuple[float, list[int]]]:
        seen = []
        with opened(comm, contiguous(P, 1), PLAIN, torch.zeros(P), None, 10, 99, (0, 0.0)) as way:
            if comm.rank == 0:
                pushing = way.start_push(torch.ones(P), [0], Note())
                comm.elapse(3)
                assert not pushing.done()
                assert way.staleness.total() == 0
                comm.elapse(1)
                assert pushing.done()
                assert pushing.done()  # asked twice, counted once
                pushing.wait()
                assert way.staleness == Counter({0: 1})
            else:
                for at in (3, 5):
                    comm.elapse(at - comm.clock())
                    w, versions = fetched(way)
                    seen.append((float(w[0]), versions))
            final(comm, way)
        return seen

    assert SimulatedWorld(2, Slow("accumulate", 4, 4)).run(program)[1] == [(0.0, [0]), (-1.0, [1])]


def test_all_hear_of_the_books_and_of_a_wish() -> None:
    def program(comm: SimulatedCommunicator) -> list[Heard]:
        heard = []
        with opened(comm, contiguous(P, 3), Add(), torch.zeros(P), None, 10, 99, (0, 0.0)) as way:
            comm.elapse(comm.rank)
            push(way, 0.0, [0, 0, 0], Note(5, 1.5))
            heard.append(way.heard)
            comm.elapse(3)
            if comm.rank == 1:
                way.wish(130)
                way.wish(130)  # once is enough
            comm.elapse(3)
            fetched(way)
            heard.append(way.heard)
        return heard

    worlds = SimulatedWorld(3).run(program)
    assert worlds == [[Heard(5 * (rank + 1)), Heard(15, 130)] for rank in range(3)]


def test_the_rate_is_that_of_the_epoch_that_a_push_belongs_to() -> None:
    """Two pushes make an epoch; the rate falls from 1 to 1/2 in the second of two, and stays there for what is late."""

    def program(comm: SimulatedCommunicator) -> list[float]:
        seen = []
        rule = Rule("sgd", 1.0, schedule="linear", epochs=2)
        with opened(comm, contiguous(P, 1), Descend(rule), torch.zeros(P), None, 10, 2, (0, 0.0)) as way:
            for _ in range(6):
                push(way, 1.0, fetched(way)[1], Note(5, 0.0))
                seen.append(float(fetched(way)[0][0]))
        return seen

    assert SimulatedWorld(1).run(program) == [[-1, -2, -2.5, -3, -3.5, -4]]


def test_other_rules_are_refused_when_it_opens() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        with opened(comm, contiguous(P, 1), Descend(Rule("adam")), torch.zeros(P), None, 10, 99, (0, 0.0)):
            pass

    with pytest.raises(UsageError, match="not for adam"):
        SimulatedWorld(1).run(program)

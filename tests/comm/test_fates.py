"""Ranks that stop at a foreseen virtual time, and when the others learn of it."""

import math
from collections.abc import Callable

import pytest
import torch

from anabranch.comm import Fate, SimulatedCommunicator, SimulatedWorld
from anabranch.errors import DeadlockError, PeerLost

OPERATIONS: dict[str, Callable[[SimulatedCommunicator], object]] = {
    "allreduce": lambda comm: comm.allreduce(torch.zeros(1)),
    "barrier": lambda comm: comm.barrier(),
    "send": lambda comm: comm.send(torch.zeros(1), 1),
    "recv": lambda comm: comm.recv(torch.zeros(1), 1),
    "recv from any": lambda comm: comm.recv(torch.zeros(1)),
}


def world(size: int, stops: float, noticed: float, rank: int = 1) -> SimulatedWorld:
    return SimulatedWorld(size, fates={rank: Fate(stops, noticed)})


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("begin", [0.0, 3.5, 9.0], ids=["before it stops", "unnoticed", "noticed"])
def test_the_others_wait_in_vain_until_it_is_noticed(name: str, begin: float) -> None:
    def program(comm: SimulatedCommunicator) -> float:
        if comm.rank == 1:
            comm.elapse(10)
        comm.elapse(begin)
        with pytest.raises(PeerLost, match="rank 1 is lost"):
            OPERATIONS[name](comm)
        return comm.clock()

    assert world(3, 3.0, 4.0).run(program) == [max(4.0, begin), None, max(4.0, begin)]


def test_computing_stops_at_exactly_that_time() -> None:
    reached: list[float] = []

    def program(comm: SimulatedCommunicator) -> None:
        for _ in range(4):
            comm.elapse(1.0)
            reached.append(comm.clock())

    played = world(1, 2.5, 2.5, rank=0)
    assert played.run(program) == [None]
    assert reached == [1.0, 2.0]
    assert played.ledger.accounts()[0].computing == 2.5


def test_what_it_waits_for_cannot_end_without_it() -> None:
    """It has come to the allreduce, but stops before the last one comes: nobody may get the sum."""

    def program(comm: SimulatedCommunicator) -> float:
        comm.elapse({0: 5.0, 1: 1.0, 2: 1.0}[comm.rank])
        with pytest.raises(PeerLost):
            comm.allreduce(torch.ones(1))
        return comm.clock()

    assert world(3, 3.0, 7.0).run(program) == [7.0, None, 7.0]


def test_an_operation_that_was_over_stays_over() -> None:
    def program(comm: SimulatedCommunicator) -> float:
        x = torch.ones(1)
        comm.allreduce(x)
        comm.elapse(1)
        return x.item()

    assert world(3, 0.5, 0.5).run(program) == [3.0, None, 3.0]


def test_survivors_shrink_once_it_is_noticed() -> None:
    def program(comm: SimulatedCommunicator) -> tuple[int, float]:
        comm.elapse(1)
        with pytest.raises(PeerLost):
            comm.barrier()
        return comm.shrink().size, comm.clock()

    assert world(4, 0.0, 6.0).run(program) == [(3, 6.0), None, (3, 6.0), (3, 6.0)]


def test_a_hang_that_nobody_notices_is_told() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        comm.elapse(2)
        comm.barrier()

    with pytest.raises(DeadlockError, match=r"rank 0 waits for barrier #1 \(1 of 2 arrived\); rank 1 has stopped"):
        world(2, 1.0, math.inf).run(program)


def test_its_own_cleanup_does_not_run_on() -> None:
    """A process that was killed runs no `except Exception`, and can send nothing in its `finally`."""
    survived: list[str] = []

    def program(comm: SimulatedCommunicator) -> None:
        try:
            comm.elapse(5)
        except Exception:
            survived.append("except")

    assert world(2, 1.0, 2.0).run(program) == [None, None]
    assert survived == []


def test_without_a_fate_nothing_changes() -> None:
    def program(comm: SimulatedCommunicator) -> float:
        comm.elapse(comm.rank)
        comm.barrier()
        return comm.clock()

    assert SimulatedWorld(3, fates={7: Fate(0.5, 0.5)}).run(program) == [2.0, 2.0, 2.0]


def test_two_stop_and_each_is_noticed_at_its_time() -> None:
    def program(comm: SimulatedCommunicator) -> list[list[int]]:
        heard = []
        for _ in range(2):
            try:
                comm.recv(torch.zeros(1))
            except PeerLost as lost:
                heard.append(sorted(lost.ranks))
        return heard

    both = SimulatedWorld(4, fates={1: Fate(1.0, 8.0), 2: Fate(2.0, 3.0)})

    def only_the_first_listens(comm: SimulatedCommunicator) -> list[list[int]] | None:
        if comm.rank == 0:
            return program(comm)
        comm.elapse(20)
        return None

    assert both.run(only_the_first_listens) == [[[2], [1, 2]], None, None, None]

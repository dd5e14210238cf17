"""Ranks that fail, and ranks that die."""

from collections.abc import Callable

import pytest
import torch

from anabranch.comm import RankDied, SimulatedCommunicator, SimulatedWorld
from anabranch.comm.failures import Fate
from anabranch.errors import PeerLost


def test_the_first_failure_ends_the_world_and_names_its_rank() -> None:
    ended: list[int] = []

    def program(comm: SimulatedCommunicator) -> None:
        try:
            comm.elapse(comm.rank)
            if comm.rank == 1:
                raise ValueError("broken")
            comm.barrier()
        finally:
            ended.append(comm.rank)

    with pytest.raises(ValueError, match="broken") as caught:
        SimulatedWorld(4).run(program)
    assert caught.value.__notes__ == ["raised by rank 1 of 4"]
    assert ended == [1, 0, 2, 3]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_the_world(kind: type[BaseException]) -> None:
    def program(comm: SimulatedCommunicator) -> None:
        if comm.rank == 1:
            raise kind
        comm.recv(torch.zeros(1))

    with pytest.raises(kind):
        SimulatedWorld(3).run(program)


def test_communication_while_the_world_ends_does_not_hang() -> None:
    reached: list[str] = []

    def program(comm: SimulatedCommunicator) -> None:
        if comm.rank == 1:
            raise ValueError("first")
        try:
            comm.barrier()
        finally:
            reached.append("finally")
            comm.send(torch.zeros(1), 1)
            reached.append("after")

    with pytest.raises(ValueError, match="first"):
        SimulatedWorld(2).run(program)
    assert reached == ["finally"]


def dies_at(comm: SimulatedCommunicator, rank: int, seconds: float) -> None:
    if comm.rank == rank:
        comm.elapse(seconds)
        raise RankDied


OPERATIONS: dict[str, Callable[[SimulatedCommunicator], object]] = {
    "allreduce": lambda comm: comm.allreduce(torch.zeros(1)),
    "barrier": lambda comm: comm.barrier(),
    "split": lambda comm: comm.split(0),
    "send": lambda comm: comm.send(torch.zeros(1), 1),
    "recv": lambda comm: comm.recv(torch.zeros(1), 1),
    "recv from any": lambda comm: comm.recv(torch.zeros(1)),
}


@pytest.mark.parametrize("begin", [0.0, 5.0], ids=["pending", "later"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_death_breaks_off_what_needs_the_dead(name: str, begin: float) -> None:
    def program(comm: SimulatedCommunicator) -> tuple[float, list[int], list[int]]:
        dies_at(comm, 1, 3.0)
        comm.elapse(begin)
        with pytest.raises(PeerLost) as lost:
            OPERATIONS[name](comm)
        return comm.clock(), sorted(lost.value.ranks), sorted(comm.failed())

    at = max(3.0, begin)
    assert SimulatedWorld(3).run(program) == [(at, [1], [1]), None, (at, [1], [1])]


def test_the_survivors_shrink_and_go_on() -> None:
    def program(comm: SimulatedCommunicator) -> tuple[int, int, float]:
        dies_at(comm, 1, 3.0)
        x = torch.tensor([float(comm.rank)])
        with pytest.raises(PeerLost):
            comm.allreduce(x)
        survivors = comm.shrink()
        survivors.allreduce(x)
        return survivors.rank, survivors.size, x.item()

    assert SimulatedWorld(4).run(program) == [(0, 3, 5), None, (1, 3, 5), (2, 3, 5)]


def test_a_death_during_shrink() -> None:
    def program(comm: SimulatedCommunicator) -> int:
        dies_at(comm, 0, 1.0)
        dies_at(comm, 3, 5.0)
        with pytest.raises(PeerLost):
            comm.barrier()
        return comm.shrink().size

    assert SimulatedWorld(4).run(lambda comm: program(comm)) == [None, 2, 2, None]


def test_shrink_is_not_over_before_the_death_that_ends_its_wait() -> None:
    """Rank 1 stops at 1 s, which is known at 5 s; until then the others wait for it."""

    def program(comm: SimulatedCommunicator) -> float:
        comm.elapse(2.0 if comm.rank == 1 else 0.5)
        assert comm.shrink().size == 2
        return comm.clock()

    world = SimulatedWorld(3, fates={1: Fate(1.0, 5.0)})
    assert world.run(program) == [5.0, None, 5.0]
    assert [account.waiting for account in world.ledger.accounts()] == [4.5, 0.0, 4.5]


def test_shrink_frees_a_survivor_that_waits_for_a_survivor() -> None:
    def program(comm: SimulatedCommunicator) -> int:
        dies_at(comm, 0, 1.0)
        with pytest.raises(PeerLost):
            comm.recv(torch.zeros(1), 0 if comm.rank == 1 else 1)
        return comm.shrink().size

    assert SimulatedWorld(3).run(program) == [None, 2, 2]


def test_others_go_on_without_the_dead() -> None:
    def program(comm: SimulatedCommunicator) -> float:
        dies_at(comm, 2, 1.0)
        comm.elapse(2.0)
        x = torch.tensor([4.0])
        if comm.rank == 0:
            comm.send(x, 1)
        else:
            comm.recv(x.zero_(), 0)
        return x.item()

    assert SimulatedWorld(3).run(program) == [4, 4, None]


def test_a_server_hears_of_each_death_once() -> None:
    def program(comm: SimulatedCommunicator) -> list[str]:
        dies_at(comm, 1, 1.0)
        dies_at(comm, 2, 3.0)
        x = torch.zeros(1)
        if comm.rank == 3:
            for _ in range(2):
                comm.elapse(2)
                comm.send(x, 0)
            return []
        heard = []
        for _ in range(4):
            try:
                heard.append(f"message from {comm.recv(x)}")
            except PeerLost as lost:
                heard.append(f"lost {sorted(lost.ranks)}")
        return heard

    heard = SimulatedWorld(4).run(program)[0]
    assert heard == ["lost [1]", "message from 3", "lost [1, 2]", "message from 3"]


def test_a_part_without_the_dead_goes_on() -> None:
    def program(comm: SimulatedCommunicator) -> float:
        part = comm.split(comm.rank % 2)
        assert part is not None
        dies_at(comm, 3, 1.0)
        comm.elapse(2)
        x = torch.ones(1)
        if comm.rank % 2 == 0:
            part.allreduce(x)
        else:
            with pytest.raises(PeerLost, match="rank 1 is lost") as lost:
                part.allreduce(x)
            assert lost.value.ranks == {1}
        return x.item()

    assert SimulatedWorld(4).run(program) == [2, 1, 2, None]


def test_a_window_of_the_dead_is_lost() -> None:
    def program(comm: SimulatedCommunicator) -> float:
        x = torch.ones(1)
        window = comm.window(torch.zeros(1))
        memory = window.__enter__()
        dies_at(comm, 2, 1.0)
        comm.elapse(2)
        memory.accumulate(1, x)
        with pytest.raises(PeerLost):
            memory.get(2, x)
        with pytest.raises(PeerLost):
            window.__exit__(None, None, None)
        memory.get(1, x)
        return x.item()

    assert SimulatedWorld(3).run(program) == [2, 2, None]


def test_a_receive_from_the_dead_fails_whenever_it_is_asked() -> None:
    """Once over it must not pass for a message that has come."""

    def program(comm: SimulatedCommunicator) -> int:
        if comm.rank == 1:
            raise RankDied
        coming = comm.irecv(torch.zeros(2), 1)
        lost: list[frozenset[int]] = []
        for ask in (coming.wait, coming.done, coming.wait):
            with pytest.raises(PeerLost) as caught:
                ask()
            lost.append(caught.value.ranks)
        return lost.count(frozenset({1}))

    assert SimulatedWorld(2).run(program)[0] == 3


def test_all_may_die() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        raise RankDied

    assert SimulatedWorld(2).run(program) == [None, None]

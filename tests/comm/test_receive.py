"""Messages in virtual time: which one is taken, and how long to wait for it."""

import pytest
import torch

from anabranch.comm import SimulatedCommunicator, SimulatedWorld
from anabranch.errors import CommunicationError, ReceiveTimeout


def sources_in_order(comm: SimulatedCommunicator, delays: list[float], busy: float = 0.0) -> list[int]:
    """Rank 0 receives from all others, which send after `delays[rank]` seconds; it is `busy` before."""
    x = torch.zeros(1)
    if comm.rank == 0:
        comm.elapse(busy)
        return [comm.recv(x) for _ in range(comm.size - 1)]
    comm.elapse(delays[comm.rank])
    comm.send(x, 0)
    return []


@pytest.mark.parametrize("busy", [0.0, 2.5, 10.0])
def test_messages_are_taken_in_the_order_of_arrival(busy: float) -> None:
    order = SimulatedWorld(4).run(lambda comm: sources_in_order(comm, [0, 3, 1, 2], busy))[0]
    assert order == [2, 3, 1]


def test_messages_that_arrive_together_are_taken_in_the_order_of_sending() -> None:
    assert SimulatedWorld(4).run(lambda comm: sources_in_order(comm, [0, 1, 1, 1]))[0] == [1, 2, 3]


def test_a_timeout_takes_its_time_and_no_message_with_it() -> None:
    def program(comm: SimulatedCommunicator) -> tuple[float, float] | None:
        x = torch.zeros(1)
        if comm.rank == 1:
            comm.elapse(3)
            comm.send(torch.tensor([7.0]), 0)
            return None
        with pytest.raises(ReceiveTimeout, match=r"rank 0 got no message within 2 s: recv from rank 1 \(tag 0\)"):
            comm.recv(x, 1, timeout=2)
        gave_up = comm.clock()
        comm.recv(x, 1, timeout=2)
        assert x.item() == 7
        return gave_up, comm.clock()

    assert SimulatedWorld(2).run(program)[0] == (2, 3)


def test_a_message_at_another_tag_does_not_end_the_wait() -> None:
    def program(comm: SimulatedCommunicator) -> float:
        x = torch.zeros(1)
        if comm.rank == 1:
            comm.elapse(1)
            comm.send(x, 0, tag=5)
        else:
            with pytest.raises(ReceiveTimeout):
                comm.recv(x, timeout=4)
            comm.recv(x, tag=5)
        return comm.clock()

    assert SimulatedWorld(2).run(program) == [4, 4]


def test_a_poll_lets_the_sender_send() -> None:
    def program(comm: SimulatedCommunicator) -> int:
        x, polls = torch.zeros(1), 0
        if comm.rank == 1:
            comm.send(x, 0)
            return 0
        while True:
            try:
                comm.recv(x, timeout=0)
            except ReceiveTimeout:
                polls += 1
            else:
                return polls

    assert SimulatedWorld(2).run(program)[0] <= 1


def test_messages_of_two_groups_do_not_meet() -> None:
    def program(comm: SimulatedCommunicator) -> float:
        part = comm.split(0)
        assert part is not None
        x = torch.zeros(1)
        if comm.rank == 0:
            part.recv(x, 1)
            first = x.item()
            comm.recv(x, 1)
            return 10 * first + x.item()
        comm.elapse(1)
        part.send(torch.tensor([2.0]), 0)
        comm.send(torch.tensor([3.0]), 0)
        return 0

    assert SimulatedWorld(2).run(program)[0] == 23


def test_the_dtype_of_a_message_is_checked() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        if comm.rank == 0:
            comm.send(torch.zeros(2, dtype=torch.int32), 1)
        else:
            comm.recv(torch.zeros(2), 0)

    with pytest.raises(CommunicationError, match=r"waits for float32 \[2\] but rank 0 sent int32 \[2\]"):
        SimulatedWorld(2).run(program)

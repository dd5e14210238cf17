"""Virtual time: who runs when, and what it costs."""

from collections.abc import Sequence

import pytest
import torch

from anabranch.comm import Price, SimulatedCommunicator, SimulatedWorld, Transfer
from anabranch.errors import UsageError

Trace = list[tuple[float, int]]


def trace_of(seconds: Sequence[Sequence[float]]) -> Trace:
    """Who ran when, if rank r computes for `seconds[r]` in turn."""
    trace: Trace = []

    def program(comm: SimulatedCommunicator) -> None:
        for each in seconds[comm.rank]:
            trace.append((comm.clock(), comm.rank))
            comm.elapse(each)

    SimulatedWorld(len(seconds)).run(program)
    return trace


def test_the_least_clock_runs_and_ties_go_by_rank() -> None:
    assert trace_of([[3, 3], [1, 1, 1], [2, 2]]) == [(0, 0), (0, 1), (0, 2), (1, 1), (2, 1), (2, 2), (3, 0)]


def test_at_one_instant_all_take_turns() -> None:
    assert trace_of([[0, 0, 0], [0, 0, 0]]) == [(0, 0), (0, 1)] * 3


def test_a_rank_that_polls_does_not_starve_the_others() -> None:
    def program(comm: SimulatedCommunicator) -> int:
        with comm.window(torch.zeros(1, dtype=torch.int64)) as window:
            polls = 0
            if comm.rank == 1:
                window.fetch_add(0, 0, 1)
            while comm.rank == 0 and window.fetch_add(0, 0, 0) == 0:
                polls += 1
            comm.barrier()
        return polls

    assert SimulatedWorld(2).run(program)[0] <= 2


def test_a_collective_takes_all_clocks_to_the_latest() -> None:
    def program(comm: SimulatedCommunicator) -> float:
        comm.elapse(2.0**comm.rank)
        comm.allreduce(torch.ones(1))
        return comm.clock()

    assert SimulatedWorld(4).run(program) == [8.0] * 4


def test_after_a_collective_the_ranks_go_on_in_order() -> None:
    order: list[int] = []

    def program(comm: SimulatedCommunicator) -> None:
        comm.elapse(4.0 - comm.rank)
        comm.barrier()
        order.append(comm.rank)

    SimulatedWorld(4).run(program)
    assert order == [0, 1, 2, 3]


def test_the_receiver_is_as_late_as_the_message_and_the_sender_as_late_as_the_receiver() -> None:
    def program(comm: SimulatedCommunicator) -> list[float]:
        x, clocks = torch.zeros(1), []
        if comm.rank == 0:
            comm.elapse(5)
            comm.send(x, 1)  # rank 1 waits since 0 s
            clocks.append(comm.clock())
            comm.send(x, 1)  # rank 1 computes until 9 s
        else:
            comm.recv(x, 0)
            clocks.append(comm.clock())
            comm.elapse(4)
            comm.recv(x, 0)
        return [*clocks, comm.clock()]

    assert SimulatedWorld(2).run(program) == [[5, 9], [5, 9]]


class SlowLink:
    """1 s a message or operation, and 1 s a byte."""

    def links(self) -> "SlowLink":
        return self

    def collective(self, operation: str, size: int, ranks: Sequence[int], now: float) -> Price:
        return Price(0.0 if operation == "barrier" else 1.0 + size)

    def transfer(self, operation: str, size: int, source: int, to: int, now: float) -> Transfer:
        return Transfer(now, now + 1.0 + size)

    def same_node(self, one: int, other: int) -> bool:
        return one == other


def test_costs_are_charged() -> None:
    def program(comm: SimulatedCommunicator) -> list[float]:
        x = torch.zeros(1)
        comm.allreduce(x)  # 5 s
        clocks = [comm.clock()]
        if comm.rank == 0:
            comm.send(x, 1)  # 5 s
        else:
            comm.recv(x)
        clocks.append(comm.clock())
        with comm.window(torch.zeros(2)) as window:  # 9 s
            if comm.rank == 0:
                window.get(1, x)  # 5 s
            clocks.append(comm.clock())
        return clocks

    assert SimulatedWorld(2, SlowLink()).run(program) == [[5, 10, 24], [5, 10, 19]]


def test_every_run_is_a_world_of_its_own() -> None:
    world = SimulatedWorld(2)

    def program(comm: SimulatedCommunicator) -> float:
        comm.elapse(1)
        comm.barrier()
        return comm.clock()

    assert world.run(program) == world.run(program) == [1, 1]


def test_a_world_inside_a_rank_of_another_world() -> None:
    def program(comm: SimulatedCommunicator) -> list[int]:
        comm.barrier()

        def inner(small: SimulatedCommunicator) -> int:
            small.barrier()
            return small.rank + 10 * comm.rank

        return SimulatedWorld(2).run(inner)

    assert SimulatedWorld(2).run(program) == [[0, 1], [10, 11]]


def test_a_thousand_ranks() -> None:
    def program(comm: SimulatedCommunicator) -> float:
        x = torch.ones(4)
        comm.allreduce(x)
        comm.elapse(comm.rank)
        comm.allreduce(x)
        return x[0].item()

    assert set(SimulatedWorld(1000).run(program)) == {1e6}


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_time_does_not_run_backwards(seconds: float) -> None:
    with pytest.raises(UsageError, match=f"elapse got {seconds} seconds"):
        SimulatedWorld(1).run(lambda comm: comm.elapse(seconds))


def test_a_world_needs_a_rank() -> None:
    with pytest.raises(UsageError, match="a world of 0 ranks"):
        SimulatedWorld(0)

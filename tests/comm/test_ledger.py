"""The books of a simulated world: what each rank's time went into."""

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anabranch.comm import Account, Ledger, Price, SimulatedCommunicator, SimulatedWorld, Span, Transfer
from anabranch.errors import PeerLost, ReceiveTimeout, Unsupported


class TwoSeconds:
    """Every operation takes 2 s; a message queues for 1 s before."""

    def links(self) -> "TwoSeconds":
        return self

    def collective(self, operation: str, size: int, ranks: Sequence[int], now: float) -> Price:
        return Price(2.0, sent=10.0)

    def transfer(self, operation: str, size: int, source: int, to: int, now: float) -> Transfer:
        return Transfer(now + 1, now + 3)

    def same_node(self, one: int, other: int) -> bool:
        return one == other


def books(program: object, size: int = 2, spans: int = 100) -> SimulatedWorld:
    world = SimulatedWorld(size, TwoSeconds(), spans=spans)
    world.run(program)  # type: ignore[arg-type]
    return world


def test_a_collective_operation_is_waiting_and_then_communicating() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        comm.elapse(1 + 4 * comm.rank)
        comm.allreduce(torch.zeros(1))

    world = books(program)
    assert world.ledger.accounts() == [Account(7, 1, 4, 2, 10), Account(7, 5, 0, 2, 10)]
    assert sorted(world.ledger.spans) == [
        Span(0, "communicating", "allreduce", 5, 7),
        Span(0, "computing", "computing", 0, 1),
        Span(0, "waiting", "allreduce", 1, 5),
        Span(1, "communicating", "allreduce", 5, 7),
        Span(1, "computing", "computing", 0, 5),
    ]


def test_a_message_queues_travels_and_waits_to_be_taken() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        x = torch.zeros(1)
        if comm.rank == 0:
            comm.send(x, 1)  # posted at 0, under way from 1 to 3, taken at 10
        else:
            comm.elapse(10)
            comm.recv(x, 0)

    assert books(program).ledger.accounts() == [Account(10, 0, 8, 2, 4), Account(10, 10, 0, 0, 0)]


def test_a_receiver_waits_and_then_takes_part() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        x = torch.zeros(1)
        if comm.rank == 0:
            comm.elapse(5)
            comm.send(x, 1)
        else:
            comm.recv(x, 0)

    assert books(program).ledger.accounts() == [Account(8, 5, 1, 2, 4), Account(8, 0, 6, 2, 0)]


def test_a_window_queues_and_works() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        with comm.window(torch.zeros(2)) as window:
            if comm.rank == 0:
                window.accumulate(1, torch.ones(2))
                window.get(1, torch.ones(2))

    first, second = books(program).ledger.accounts()
    assert first == Account(10, 0, 2, 8, 28)  # open 2 s, twice 1 s in the queue and 2 s of work, close 2 s
    assert second == Account(10, 0, 6, 4, 28)  # what the other got, this one sent


def test_what_stays_with_its_rank_is_not_sent() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        with comm.window(torch.zeros(2)) as window:
            if comm.rank == 0:
                window.accumulate(0, torch.ones(2))
                window.get_accumulate(0, torch.ones(2), torch.zeros(2))
                window.get(0, torch.ones(2))

    assert [account.sent for account in books(program).ledger.accounts()] == [20.0, 20.0]  # to open and to close


class OneNode(TwoSeconds):
    def links(self) -> "OneNode":
        return self

    def same_node(self, one: int, other: int) -> bool:
        return True


@pytest.mark.parametrize(("costs", "clock"), [(TwoSeconds(), 2 + 4 + 2), (OneNode(), 2 + 3 + 4 + 2)])
def test_inside_a_node_the_caller_copies(costs: TwoSeconds, clock: float) -> None:
    """3 s under way, beside 4 s of computing; 2 s to open and 2 s to close."""

    def program(comm: SimulatedCommunicator) -> Account:
        with comm.window(torch.zeros(2)) as window:
            if comm.rank == 0:
                getting = window.start_get(1, torch.zeros(2))
                comm.elapse(4)
                getting.wait()
        return comm.accounts()[0]

    account = SimulatedWorld(2, costs).run(program)[0]
    assert (account.clock, account.computing) == (clock, 4)


def test_memory_is_shared_on_one_node() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        with comm.shared(torch.zeros(2)) as memory:
            memory[comm.rank] = 1

    SimulatedWorld(2, OneNode()).run(program)
    with pytest.raises(Unsupported, match="the 2 ranks on one node, for nodes share no memory"):
        SimulatedWorld(2, TwoSeconds()).run(program)


def test_the_largest_record_has_the_price() -> None:
    class Bytes(TwoSeconds):
        def links(self) -> "Bytes":
            return self

        def collective(self, operation: str, size: int, ranks: Sequence[int], now: float) -> Price:
            return Price(float(size))

    def spent(late: int) -> float:
        """Where the rank `late` comes last."""

        def program(comm: SimulatedCommunicator) -> None:
            comm.elapse(float(comm.rank == late))
            comm.gather("x" * (1000 * comm.rank))

        world = SimulatedWorld(2, Bytes())
        world.run(program)
        return world.ledger.accounts()[0].clock

    assert spent(0) == spent(1) > 1000


def test_a_timeout_and_a_loss_are_waiting() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        if comm.rank == 0:
            with pytest.raises(ReceiveTimeout):
                comm.recv(torch.zeros(1), timeout=3)

    assert books(program).ledger.accounts()[0] == Account(3, 0, 3, 0, 0)

    def lose(comm: SimulatedCommunicator) -> None:
        comm.elapse(5.0 * comm.rank)
        if comm.rank == 0:
            with pytest.raises(PeerLost):
                comm.barrier()
        else:
            from anabranch.comm import RankDied

            raise RankDied

    assert books(lose).ledger.accounts()[0] == Account(5, 0, 5, 0, 0)


def test_neighbours_become_one_span() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        for _ in range(3):
            comm.elapse(0.5)
        comm.elapse(1, "another")

    assert books(program, size=1).ledger.spans == [
        Span(0, "computing", "computing", 0, 1.5, 3),
        Span(0, "computing", "another", 1.5, 2.5),
    ]


def test_too_many_spans_are_cut_and_the_sums_are_not() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        for number in range(10):
            comm.elapse(1, f"step {number}")

    ledger = books(program, size=1, spans=4).ledger
    assert [span.name for span in ledger.spans] == [f"step {number}" for number in range(5)]
    assert ledger.cut == 4.0
    assert ledger.accounts() == [Account(10, 10, 0, 0, 0)]


def test_without_spans_only_sums_are_kept() -> None:
    ledger = books(lambda comm: comm.elapse(1), size=1, spans=0).ledger
    assert ledger.spans == []
    assert ledger.cut == math.inf
    assert ledger.accounts() == [Account(1, 1, 0, 0, 0)]


def test_what_is_offstage_is_free() -> None:
    def program(comm: SimulatedCommunicator) -> float:
        comm.elapse(1)
        comm.offstage.barrier()
        comm.offstage.gather({"rank": comm.rank})
        comm.barrier()
        return comm.clock()

    world = SimulatedWorld(3, TwoSeconds())
    assert world.run(program) == [3.0] * 3
    assert world.ledger.accounts() == [Account(3, 1, 0, 2, 10)] * 3


def test_a_world_goes_on_where_another_was_broken_off() -> None:
    def half(comm: SimulatedCommunicator) -> None:
        comm.elapse(1 + comm.rank)
        comm.barrier()

    def whole(comm: SimulatedCommunicator) -> None:
        half(comm)
        half(comm)

    at_once, first = SimulatedWorld(2, TwoSeconds()), SimulatedWorld(2, TwoSeconds())
    at_once.run(whole)
    first.run(half)
    second = SimulatedWorld(2, TwoSeconds(), start=first.ledger.accounts())
    second.run(half)
    assert second.ledger.accounts() == at_once.ledger.accounts()


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["elapse", "meet", "pass"])), max_size=30), st.data())
def test_the_three_kinds_sum_up_to_the_clock(plan: list[tuple[int, str]], data: st.DataObject) -> None:
    seconds = data.draw(st.lists(st.floats(0, 10), min_size=len(plan), max_size=len(plan)))

    def program(comm: SimulatedCommunicator) -> float:
        x = torch.zeros(1)
        for (rank, action), each in zip(plan, seconds, strict=True):
            if action == "meet":
                comm.allreduce(x)
            elif action == "pass" and comm.rank == rank:
                comm.send(x, (rank + 1) % 3)
            elif action == "pass" and comm.rank == (rank + 1) % 3:
                comm.recv(x, rank)
            elif action == "elapse" and comm.rank == rank:
                comm.elapse(each)
        return comm.clock()

    world = SimulatedWorld(3, TwoSeconds())
    for clock, account in zip(world.run(program), world.ledger.accounts(), strict=True):
        assert account.clock == clock
        assert math.isclose(sum(account[1:4]), clock, abs_tol=1e-9)


def test_an_idle_ledger() -> None:
    assert Ledger(2).accounts() == [Account(), Account()]

"""A deadlock is a sentence, and an operation that does not match is another."""

from collections.abc import Callable

import pytest
import torch

from anabranch.comm import SimulatedCommunicator, SimulatedWorld
from anabranch.comm.deadlock import deadlock_sentence, name_ranks
from anabranch.errors import CommunicationError, DeadlockError

Program = Callable[[SimulatedCommunicator], None]


def sentence(size: int, program: Program, kind: type[CommunicationError] = DeadlockError) -> str:
    with pytest.raises(kind) as caught:
        SimulatedWorld(size).run(program)
    return str(caught.value)


def test_allreduce_against_recv() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        comm.barrier()
        comm.barrier()
        if comm.rank == 0:
            comm.allreduce(torch.zeros(1))
        else:
            comm.recv(torch.zeros(1), 0)

    assert sentence(2, program) == (
        "deadlock: rank 0 waits for allreduce #3 (1 of 2 arrived); rank 1 waits for recv from rank 0 (tag 0)"
    )


def test_all_send_at_once_as_if_there_were_buffers() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        comm.send(torch.zeros(1), 1 - comm.rank, tag=comm.rank)

    assert sentence(2, program) == (
        "deadlock: rank 0 waits for send to rank 1 (tag 0); rank 1 waits for send to rank 0 (tag 1)"
    )


def test_one_rank_leaves_alone() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        if comm.rank != 2:
            comm.barrier()

    assert sentence(4, program) == (
        "deadlock: ranks 0-1 and 3 wait for barrier #1 (3 of 4 arrived); rank 2 has finished"
    )


def test_ranks_of_a_part_are_named_as_in_the_world() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        part = comm.split(comm.rank // 2)
        assert part is not None
        if comm.rank == 2:
            part.recv(torch.zeros(1))
        elif comm.rank == 3:
            part.recv(torch.zeros(1), 0, tag=4)

    assert sentence(4, program) == (
        "deadlock: rank 2 waits for recv from any rank (tag 0); rank 3 waits for recv from rank 2 (tag 4); "
        "ranks 0-1 have finished"
    )


def test_a_timeout_is_no_deadlock() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        if comm.rank == 0:
            comm.recv(torch.zeros(1), timeout=1)

    assert "within 1 s" in sentence(2, program, CommunicationError)


def test_the_sentence_of_many_ranks_is_short() -> None:
    def program(comm: SimulatedCommunicator) -> None:
        comm.recv(torch.zeros(1), (comm.rank + 1) % comm.size)

    text = sentence(500, program)
    assert text.endswith("; and 492 more ranks")
    assert len(text) < 600


def test_the_names_of_many_ranks_are_short() -> None:
    assert name_ranks([3]) == "rank 3"
    assert name_ranks([4, 0, 1, 2]) == "ranks 0-2 and 4"
    assert name_ranks(range(0, 80, 2)) == "ranks 0, 2, 4, 6, 8, 10 and 34 more"
    assert deadlock_sentence({0: "is dead", 1: "waits for a"}) == "deadlock: rank 1 waits for a; rank 0 is dead"


MISMATCHES: dict[str, tuple[Program, str]] = {
    "operation": (
        lambda comm: comm.barrier() if comm.rank == 2 else comm.allreduce(torch.zeros(2)),
        r"call #1 is allreduce \(sum\) of float32 \[2\] on ranks 0-1 but barrier on rank 2: make all ranks",
    ),
    "shape": (
        lambda comm: comm.allreduce(torch.zeros(2 + comm.rank // 2)),
        r"allreduce \(sum\) of float32 \[2\] on ranks 0-1 but allreduce \(sum\) of float32 \[3\] on rank 2",
    ),
    "dtype": (
        lambda comm: comm.broadcast(torch.zeros(2, dtype=torch.float64 if comm.rank == 1 else None), 0),
        r"broadcast \(root 0\) of float32 \[2\] on rank 0 but broadcast \(root 0\) of float64 \[2\] on rank 1",
    ),
    "op": (
        lambda comm: comm.allreduce(torch.zeros(1), "max" if comm.rank else "sum"),
        r"allreduce \(sum\) of float32 \[1\] on rank 0 but allreduce \(max\) of float32 \[1\] on rank 1",
    ),
    "root": (
        lambda comm: comm.broadcast(torch.zeros(1), comm.rank),
        r"broadcast \(root 0\) of float32 \[1\] on rank 0 but broadcast \(root 1\)",
    ),
}


@pytest.mark.parametrize("what", MISMATCHES)
def test_a_mismatch_names_the_ranks_and_both_calls(what: str) -> None:
    program, expected = MISMATCHES[what]
    with pytest.raises(CommunicationError, match=expected):
        SimulatedWorld(3).run(program)

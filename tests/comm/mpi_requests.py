"""Checks of what goes on while a rank computes, on two ranks of one mpirun: `mpi_requests.py DIR`."""

import json
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import pytest
import torch
from mpi_main import outcome
from numpy.typing import NDArray
from torch import Tensor

from anabranch.comm import Communicator, mpi_request
from anabranch.comm.mpi import MpiCommunicator
from anabranch.comm.mpi_landing import landing
from anabranch.comm.mpi_library import MPI
from anabranch.comm.mpi_progress import PROGRESS, Progress
from anabranch.comm.mpi_window import MpiWindow
from anabranch.errors import CommunicationError, ReceiveTimeout, Unsupported, UsageError

LARGE = 1_650_000  # elements: what MPI moves only inside of calls


def number(value: float) -> Tensor:
    return torch.tensor([value])


def await_without_mpi(reached: Callable[[], bool]) -> bool:
    """Whether `reached` becomes true though this thread calls nothing of MPI."""
    end = time.monotonic() + 20
    while not reached() and time.monotonic() < end:
        time.sleep(0.001)
    return reached()


def check_receives_wait_in_any_order(comm: Communicator) -> None:
    lengths = (1, 100_000, 1, 100_000)
    if comm.rank == 1:
        for i, length in enumerate(lengths):
            comm.isend(torch.full((length,), float(i)), 0).wait()
        return
    outs = [torch.zeros(length) for length in lengths]
    coming = [comm.irecv(out, 1) for out in outs]
    for request in reversed(coming):
        request.wait()
    assert all(out.eq(i).all() for i, out in enumerate(outs))


def check_recv_leaves_alone_what_was_expected_before(comm: Communicator) -> None:
    if comm.rank == 1:
        for i in range(2):
            comm.send(number(i), 0)
        comm.barrier()
        for i in (2, 3):
            comm.send(number(i), 0)
        return
    first, second, third = number(-1), number(-1), number(-1)
    coming = comm.irecv(first, 1)
    assert comm.recv(second, 1) == 1
    late = comm.irecv(third, 1)
    assert (first.item(), second.item()) == (0, 1)
    for source in (1, None):
        with pytest.raises(ReceiveTimeout):
            comm.recv(second, source, timeout=0.01)
    comm.barrier()
    assert comm.recv(second, None) == 1
    coming.wait()
    late.wait()
    assert (second.item(), third.item()) == (3, 2)


def check_a_longer_message_writes_nothing_beyond(comm: Communicator) -> None:
    for length in (6, 100_000):  # Open MPI 5.0.11 itself writes the longer one beyond the end
        arena = torch.zeros(200_000)
        coming = comm.irecv(arena[:5], 1 - comm.rank)
        going = comm.isend(torch.ones(length), 1 - comm.rank)
        for ask in (coming.wait, coming.done, coming.wait):
            with pytest.raises(CommunicationError, match=f"{4 * length} bytes"):
                ask()
        going.wait()
        assert arena.eq(0).all()


def check_large_messages_move_without_a_call(comm: Communicator) -> None:
    assert MPI.Query_thread() == MPI.THREAD_MULTIPLE
    out = torch.zeros(LARGE)
    coming = comm.irecv(out, 1 - comm.rank)
    going = comm.isend(torch.full((LARGE,), 1.0 + comm.rank), 1 - comm.rank)
    assert await_without_mpi(lambda: bool(out[-1] == 2 - comm.rank))
    coming.wait()
    going.wait()
    assert out.eq(2 - comm.rank).all()


def check_requests_that_nobody_holds_still_end(comm: Communicator) -> None:
    out = torch.zeros(LARGE)
    comm.irecv(out, 1 - comm.rank)
    comm.isend(torch.ones(LARGE), 1 - comm.rank)
    assert await_without_mpi(lambda: not PROGRESS._pending)
    assert out.eq(1).all()


def check_the_thread_stands_still_when_nothing_is_under_way(comm: Communicator) -> None:
    calls = []

    class Counted:
        def advance(self) -> bool:
            calls.append(threading.get_ident())
            return True

    progress, operation = Progress(threaded=True), Counted()
    progress.watch(operation)
    assert await_without_mpi(lambda: len(calls) >= 3)
    assert threading.get_ident() not in calls
    progress.forget(operation)
    time.sleep(0.02)
    before = len(calls)
    time.sleep(0.05)
    assert len(calls) == before
    progress.watch(operation)
    assert await_without_mpi(lambda: len(calls) > before)
    progress.end()
    before = len(calls)
    progress.watch(operation)
    time.sleep(0.02)
    assert len(calls) == before


def check_waiting_needs_no_thread(comm: Communicator) -> None:
    with patch.object(mpi_request, "PROGRESS", Progress(threaded=False)) as progress:
        out = torch.zeros(LARGE)
        coming = comm.irecv(out, 1 - comm.rank)
        going = comm.isend(torch.ones(LARGE), 1 - comm.rank)
        assert progress._pending
        coming.wait()
        going.wait()
        assert not progress._pending
    assert out.eq(1).all()


def check_shared_memory_of_different_sizes(comm: Communicator) -> None:
    for local in (torch.zeros(3 + comm.rank), torch.zeros(3, dtype=(torch.float32, torch.int32)[comm.rank])):
        with pytest.raises(CommunicationError, match="one size and dtype"), comm.shared(local):
            raise AssertionError("it opened")


def check_shared_memory_whose_block_fails_waits_for_nobody(comm: Communicator) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_while_sharing(comm)
    if comm.rank == 0:
        comm.send(torch.zeros(1), 1)


def fail_while_sharing(comm: Communicator) -> None:
    with comm.shared(torch.zeros(3)):
        if comm.rank == 1:
            comm.recv(torch.zeros(1), 0)  # which comes when rank 0 has left
        raise ZeroDivisionError


def check_nodes_share_no_memory(comm: Communicator) -> None:
    comm.provides = frozenset()
    with pytest.raises(Unsupported, match="on one node"), comm.shared(torch.zeros(3)):
        raise AssertionError("it opened")


def check_get_accumulate_wants_memory_of_one_size(comm: Communicator) -> None:
    with comm.window(torch.zeros(5)) as window:
        with pytest.raises(UsageError, match="needs an out of its size"):
            window.get_accumulate(0, torch.ones(3), torch.zeros(2))
        comm.barrier()
        assert window.local.eq(0).all()


def check_messages_of_two_gib_and_more_have_a_size(comm: Communicator) -> None:
    """Of the message there is only what a probe would tell; nothing touches the memory."""
    status = MPI.Status()
    for elements in (2**29 - 1, 2**29, 2**29 + 5):
        status.Set_elements(MPI.BYTE, 4 * elements)
        out = torch.empty(elements)
        memory, error = landing(status, 3, out)
        assert memory is not None
        assert (memory.ctypes.data, memory.nbytes, error) == (out.data_ptr(), out.nbytes, None)
        memory, error = landing(status, 3, torch.empty(7))
        assert memory is not None
        assert memory.nbytes in range(4 * elements, 4 * elements + 8)
        assert f"rank 3 sent {4 * elements} bytes" in str(error)


def check_a_message_without_a_size_is_refused(comm: Communicator) -> None:
    untold = SimpleNamespace(Get_elements=lambda _: MPI.UNDEFINED)
    memory, error = landing(cast(MPI.Status, untold), 3, torch.empty(7))
    assert memory is None
    assert "rank 3 sent more than MPI can count" in str(error)


def check_more_elements_than_mpi_takes_are_refused(comm: Communicator) -> None:
    """Nothing touches the memory. MPI 4 has no such limit."""
    if MPI.Get_version() < (4, 0):
        many = torch.empty(2**31, dtype=torch.int8)
        for operation in (lambda: comm.broadcast(many, 0), lambda: comm.isend(many, 1 - comm.rank)):
            with pytest.raises(CommunicationError, match=r"no tensor has 2\^31 elements or more, which MPI 3"):
                operation()


def check_what_is_added_lives_until_it_is_flushed(comm: Communicator) -> None:
    """For MPI is free to add it no sooner."""
    given: list[weakref.ref[NDArray[Any]]] = []
    alive: list[bool] = []
    lazy = SimpleNamespace(
        Fetch_and_op=lambda origin, *_: given.append(weakref.ref(origin)),
        Flush=lambda _: alive.append(given[0]() is not None),
    )
    MpiWindow(cast(MPI.Win, lazy), torch.zeros(1, dtype=torch.int64), [1]).fetch_add(0, 0, 5)
    assert alive == [True]


CHECKS = {name.removeprefix("check_"): check for name, check in globals().items() if name.startswith("check_")}


def main(directory: Path) -> None:
    world = MpiCommunicator.world()
    table: dict[str, str | None] = {}
    for name, check in CHECKS.items():
        # A communicator each: what a failed check leaves under way cannot reach the next one.
        comm = world.split(0)
        assert comm is not None
        table[name] = outcome(check, comm)
        (directory / f"{world.rank}.json").write_text(json.dumps(table))
        world.barrier()
    # Never to come: the process ends all the same.
    world.irecv(torch.zeros(1), 1 - world.rank)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

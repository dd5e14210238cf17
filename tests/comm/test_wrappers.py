"""Counting what a strategy communicates."""

import pytest
import torch

from anabranch.comm import Counting, SimulatedCommunicator, SimulatedWorld
from anabranch.errors import ReceiveTimeout


def test_calls_and_bytes() -> None:
    def program(bare: SimulatedCommunicator) -> tuple[dict[str, int], dict[str, int]]:
        comm = Counting(bare)
        x = torch.zeros(4)
        comm.allreduce(x)
        comm.allreduce(x, "max")
        part = comm.split(0)
        assert part is not None
        part.broadcast(x, 0)
        if comm.rank == 0:
            comm.send(x, 1)
        else:
            comm.recv(x)
            with pytest.raises(ReceiveTimeout):
                comm.recv(x, timeout=1)
        with comm.window(x) as window:
            window.accumulate(0, x[:2])
            window.get(0, x)
        return dict(comm.calls), dict(comm.nbytes)

    first, second = SimulatedWorld(2).run(program)
    calls = {"allreduce": 2, "split": 1, "broadcast": 1, "window": 1, "accumulate": 1, "get": 1}
    sizes = {"allreduce": 32, "split": 0, "broadcast": 16, "window": 16, "accumulate": 8, "get": 16}
    assert first == (calls | {"send": 1}, sizes | {"send": 16})
    assert second == (calls | {"recv": 2}, sizes | {"recv": 16})


def test_calls_that_go_on_while_their_rank_computes() -> None:
    def program(bare: SimulatedCommunicator) -> tuple[dict[str, int], dict[str, int]]:
        comm = Counting(bare)
        x, out = torch.ones(4), torch.zeros(2)
        if comm.rank == 0:
            comm.isend(x, 1).wait()
        else:
            comm.irecv(x, 0).wait()
        with comm.window(x) as window:
            window.start_get(0, out).wait()
            window.start_accumulate(0, out[:1]).wait()
            window.get_accumulate(0, x, torch.zeros(4))
        with comm.shared(x) as memory:
            memory[comm.rank] = 1
        comm.alone().barrier()
        return dict(comm.calls), dict(comm.nbytes)

    first, second = SimulatedWorld(2).run(program)
    calls = dict.fromkeys(("window", "start_get", "start_accumulate", "get_accumulate", "shared", "barrier"), 1)
    sizes = {"window": 16, "start_get": 8, "start_accumulate": 4, "get_accumulate": 16, "shared": 16, "barrier": 0}
    assert first == (calls | {"isend": 1}, sizes | {"isend": 16})
    assert second == (calls | {"irecv": 1}, sizes | {"irecv": 16})

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

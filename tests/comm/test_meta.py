"""Tensors without memory: charged in the simulated world, refused by MPI."""

import pytest
import torch

from anabranch.comm import SimulatedCommunicator, SimulatedWorld
from anabranch.comm.mpi_buffers import buffer
from anabranch.errors import UsageError


def test_a_simulated_world_counts_their_bytes_and_touches_nothing() -> None:
    def program(comm: SimulatedCommunicator) -> list[bool]:
        x = torch.empty(1 << 40, device="meta")  # 4 TiB
        comm.broadcast(x, 0)
        comm.allreduce(x, "mean")
        out = torch.empty(2 << 40, device="meta")
        comm.allgather(x, out)
        if comm.rank == 0:
            comm.send(x, 1)
        else:
            comm.recv(out[: 1 << 40])
        with comm.window(x) as window:
            window.accumulate(0, x)
            window.put(1, x)
            window.get(1, x)
        return [x.is_meta, out.is_meta]

    world = SimulatedWorld(2)
    assert world.run(program) == [[True, True]] * 2
    assert world.ledger.accounts()[0].sent == 2 << 42  # the send and the put; the accumulate stays at home


def test_mpi_has_nothing_to_send() -> None:
    with pytest.raises(UsageError, match="a meta tensor has no memory"):
        buffer(torch.empty(3, device="meta"))

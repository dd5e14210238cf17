"""A small world on two nodes, its clocks by hand."""

import pytest
import torch
from network_helpers import Block, cluster, network

from anabranch.cluster.network import NetworkCosts
from anabranch.comm import Account, SimulatedCommunicator, SimulatedWorld

COSTS = NetworkCosts(cluster(network(allreduce="cheapest")), Block(4, 2))


def to_rank_0(comm: SimulatedCommunicator) -> None:
    """An allreduce, and then everybody sends to rank 0; 64 bytes each time."""
    x = torch.ones(16)
    comm.elapse(comm.rank)
    comm.allreduce(x)  # from 3 s on, for 22.75 s: Rabenseifner
    if comm.rank:
        comm.send(x, 0)
    else:
        for _ in range(comm.size - 1):
            comm.recv(x)


def test_collective_operations_and_messages() -> None:
    world = SimulatedWorld(4, COSTS)
    world.run(to_rank_0)
    # Rank 1 is near and takes 5 s, rank 2 takes 12 s; rank 3 has to wait 8 s for their card.
    assert world.ledger.accounts() == [
        Account(45.75, 0, 3, 22.75 + 5 + 7 + 8, 96),
        Account(30.75, 1, 2, 22.75 + 5, 96 + 64),
        Account(37.75, 2, 1, 22.75 + 12, 96 + 64),
        Account(45.75, 3, 0 + 8, 22.75 + 12, 96 + 64),
    ]


def asynchronous(comm: SimulatedCommunicator) -> None:
    """Everybody reads a counter and rank 0's memory, adds to it, and meets the others."""
    with comm.window(torch.zeros(1, dtype=torch.int64)) as counter, comm.window(torch.zeros(16)) as shared:
        out = torch.empty(16)
        for _ in range(3):
            counter.fetch_add(0, 0, 1)
            shared.get(0, out)
            comm.elapse(0.25 * comm.rank)
            shared.accumulate(0, torch.ones(16))
        comm.barrier()


@pytest.mark.parametrize("program", [to_rank_0, asynchronous])
def test_the_books_of_every_rank_add_up_to_its_clock(program: object) -> None:
    lost = NetworkCosts(cluster(network(call=0.125)), Block(4, 2), {1: [(2.0, 5.0)], 3: [(20.0, 1.0)]})
    worlds = [SimulatedWorld(4, costs) for costs in (COSTS, lost, lost)]
    for world in worlds:
        world.run(program)  # type: ignore[arg-type]
        for account in world.ledger.accounts():
            spent = account.computing + account.waiting + account.communicating
            assert spent == pytest.approx(account.clock, rel=1e-12)
            assert account.clock > 0
    plain, *twice = [world.ledger.accounts() for world in worlds]
    assert twice[0] == twice[1]
    assert min(row.clock for row in twice[0]) > min(row.clock for row in plain)

"""A short text from rank 0 to all ranks."""

import torch

from anabranch.comm.base import Communicator


def share_text(comm: Communicator, text: str) -> str:
    """Rank 0's `text`, on every rank. Collective; what the others give is ignored."""
    content = text.encode()
    length = torch.tensor([len(content)])
    comm.broadcast(length, root=0)
    shared = torch.zeros(int(length), dtype=torch.uint8)
    if comm.rank == 0:
        shared.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else shared)
    comm.broadcast(shared, root=0)
    return bytes(shared.tolist()).decode()

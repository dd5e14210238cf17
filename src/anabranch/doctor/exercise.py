"""What ranks compute together for the self-test: operations with known answers, and what they take. In any world."""

import json

import torch

from anabranch.calibrate.collectives import operation_seconds
from anabranch.calibrate.links import ping_pong
from anabranch.comm.base import Communicator

LENGTH = 1000  # whole numbers up to that are exact in float32
ALLREDUCE = 1_650_000  # numbers: the parameters of De Filippo De Grazia's network, 784-500-500-2000
LEAST = 8  # bytes of a message that is all latency


def exercise(comm: Communicator) -> dict[str, str]:
    """Each operation with what it gave wrongly on some rank, at rank 0; an empty text where it was right.

    Collective. The ranks lie on one machine.
    """
    own = {
        "allreduce": _allreduce(comm),
        "send": _send(comm),
        "window get": "",
        "window accumulate": "",
    }
    own["window get"], own["window accumulate"] = _window(comm)
    everybodys = [json.loads(str(text)) for text in comm.gather(json.dumps(own)) or []]
    return {
        name: "; ".join(f"rank {rank} {one[name]}" for rank, one in enumerate(everybodys) if one[name]) for name in own
    }


def timings(comm: Communicator) -> tuple[float, float]:
    """Seconds of a small message one way between the first two ranks, and of a large allreduce. Collective."""
    latency = ping_pong(comm, 0, 1, sizes=(LEAST,))[0][1] if comm.rank < 2 else 0.0
    x = torch.zeros(ALLREDUCE)
    return latency, operation_seconds(comm, lambda: comm.allreduce(x), x.nbytes)


def _allreduce(comm: Communicator) -> str:
    x = torch.arange(LENGTH) * float(comm.rank + 1)
    comm.allreduce(x)
    return _differing(x, torch.arange(LENGTH) * float(comm.size * (comm.size + 1) // 2))


def _send(comm: Communicator) -> str:
    """From each even rank to the next one, and back."""
    odd = comm.rank % 2
    other = comm.rank - 1 if odd else comm.rank + 1
    if other == comm.size:
        return ""
    x, out = torch.arange(LENGTH) + float(comm.rank), torch.zeros(LENGTH)
    if odd:
        comm.recv(out, other)
        comm.send(x, other)
    else:
        comm.send(x, other)
        comm.recv(out, other)
    return _differing(out, torch.arange(LENGTH) + float(other))


def _window(comm: Communicator) -> tuple[str, str]:
    """What every rank gets of every other, before and after each has added its number to all."""
    start, out = torch.arange(LENGTH) + float(comm.rank), torch.zeros(LENGTH)
    got, added = "", ""
    with comm.window(start) as window:
        for owner in range(comm.size):
            window.get(owner, out)
            got = got or _differing(out, torch.arange(LENGTH) + float(owner))
        comm.barrier()
        for owner in range(comm.size):
            window.accumulate(owner, torch.full((LENGTH,), float(comm.rank + 1)))
        comm.barrier()
        for owner in range(comm.size):
            window.get(owner, out)
            total = comm.size * (comm.size + 1) // 2
            added = added or _differing(out, torch.arange(LENGTH) + float(owner + total))
    return got, added


def _differing(found: torch.Tensor, expected: torch.Tensor) -> str:
    if torch.equal(found, expected):
        return ""
    first = int((found != expected).nonzero()[0])
    return f"has {float(found[first]):g} at place {first}, not {float(expected[first]):g}"

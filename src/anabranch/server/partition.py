"""How flat parameters are cut into shards, and who owns which.

    parameters   0 ........ 3 | 4 ........ 7 | 8 .... 9        three shards of at most four parameters
    owner             0               1             0
    offset            0               0             4          where the shard lies in its owner's memory
    slot              0               0             1          which of its owner's shards it is

Two rules. `contiguous`: as many shards as owners, one each. `hashed`: shards of one megabyte, hashed into one bucket
for each owner (Chilimbi et al. 2014, Project Adam, section 3.3); they are dealt out in the order of their hashes, so
that all buckets are as full even where shards are few. The first shard always belongs to the first owner, who keeps the
books.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from anabranch.errors import UsageError

Placing = Literal["contiguous", "hashed"]
SHARD_BYTES = 2**20


@dataclass(frozen=True)
class Piece:
    """One shard: the parameters `start` to `stop`.

    Attributes:
        start: its first parameter.
        stop: the one after its last.
        owner: counted from 0.
        offset: of its first parameter in the owner's memory.
        slot: its number among the owner's shards.
    """

    start: int
    stop: int
    owner: int
    offset: int
    slot: int

    @property
    def length(self) -> int:
        """Parameters."""
        return self.stop - self.start


@dataclass(frozen=True)
class Partition:
    """All shards in the order of their parameters, over so many owners."""

    pieces: tuple[Piece, ...]
    owners: int

    def of(self, owner: int) -> list[Piece]:
        """The shards of `owner`, in the order of its memory."""
        return [piece for piece in self.pieces if piece.owner == owner]

    def held(self, owner: int) -> int:
        """Parameters in the memory of `owner`."""
        return sum(piece.length for piece in self.of(owner))


def partition(parameters: int, owners: int, placing: Placing, itemsize: int = 4) -> Partition:
    """Cut `parameters` of `itemsize` bytes for `owners`, by the rule `placing`.

    Raises:
        UsageError: nothing to cut, or nobody to own it.
    """
    if parameters < 1 or owners < 1:
        raise UsageError(f"{parameters} parameters cannot be shared out among {owners} owners: give 1 or more of both.")
    if placing == "contiguous":
        return contiguous(parameters, owners)
    return hashed(parameters, owners, max(1, SHARD_BYTES // itemsize))


def contiguous(parameters: int, owners: int) -> Partition:
    """One shard an owner, in order; their lengths differ by at most one. Owners beyond the parameters get none."""
    base, extra = divmod(parameters, owners)
    ends = [(owner + 1) * base + min(owner + 1, extra) for owner in range(owners)]
    spans = zip([0, *ends], ends, range(owners), strict=False)
    return Partition(tuple(Piece(start, stop, owner, 0, 0) for start, stop, owner in spans if stop > start), owners)


def hashed(parameters: int, owners: int, shard: int) -> Partition:
    """Shards of `shard` parameters (the last may be shorter), dealt out to the owners in the order of their hashes."""
    starts = range(0, parameters, shard)
    place = {number: at for at, number in enumerate(sorted(range(len(starts)), key=_hash))}
    memory, slots = [0] * owners, [0] * owners
    pieces = []
    for number, start in enumerate(starts):
        stop, owner = min(start + shard, parameters), (place[number] - place[0]) % owners
        pieces.append(Piece(start, stop, owner, memory[owner], slots[owner]))
        memory[owner] += stop - start
        slots[owner] += 1
    return Partition(tuple(pieces), owners)


def _hash(shard: int) -> bytes:
    return hashlib.sha256(f"shard {shard}".encode()).digest()

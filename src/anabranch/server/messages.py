"""What workers and servers say to each other where parameters are served.

Every request is one header, whose numbers are exact as float64 up to 2^53; a push is followed by its weights, that of
the first shard by the model's buffers, too, if there are any. A server answers a fetch, and a farewell when all workers
have ended, with a header and weights; and who wants news, with a header alone.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Self

import torch
from torch import Tensor


@unique
class Tag(IntEnum):
    """What is on its way: two receives that are open together differ in it."""

    REQUEST = 100
    PAYLOAD = 101
    ANSWER = 102
    WEIGHTS = 103
    FINAL = 104
    BUFFERS = 105
    NEWS = 106
    DEAD = 107


class Kind(IntEnum):
    """Of a request."""

    FETCH = 0
    PUSH = 1
    ROSTER = 2
    FAREWELL = 3
    REST = 4  # from the first server to the others: let all servers bring their shards together
    NEWS = 5  # the header of an answer, without weights


@dataclass(frozen=True)
class _Header:
    def tensor(self) -> Tensor:
        """[fields] float64."""
        return torch.tensor([float(value) for value in vars(self).values()], dtype=torch.float64)

    @classmethod
    def room(cls) -> Tensor:
        """Memory for one."""
        return torch.zeros(len(cls.__dataclass_fields__), dtype=torch.float64)

    @classmethod
    def read(cls, x: Tensor) -> Self:
        """What `tensor()` gave."""
        values = zip(cls.__dataclass_fields__.values(), x.tolist(), strict=True)
        return cls(*(value if f.type is float else int(value) for f, value in values))


@dataclass(frozen=True)
class Ask(_Header):
    """A request.

    Attributes:
        kind: of it.
        piece: the shard's number.
        version: of the shard that a push was computed from.
        examples: in a push.
        loss: summed over them.
        taken: examples that the worker has begun since the task began.
        stop: 128 and the number of a signal that the worker had, or 0.
        waiting: seconds in which it has stood still since its last push.
    """

    kind: int
    piece: int = 0
    version: int = 0
    examples: int = 0
    loss: float = 0.0
    taken: int = 0
    stop: int = 0
    waiting: float = 0.0


@dataclass(frozen=True)
class Answer(_Header):
    """To a fetch, or to who wants to have news.

    Attributes:
        version: of the shard; of nothing where none was asked for.
        examples: used by all workers since the task began.
        stop: whether to, and why.
        deaths: of workers.
    """

    version: int
    examples: int
    stop: int
    deaths: int


@dataclass(frozen=True)
class Final(_Header):
    """To a farewell: why the task has ended, and how many errors of epochs follow."""

    stop: int
    epochs: int

"""A parameter server without servers: every worker owns shards in a window, which the others reach one-sided.

As Ma 2014, Algorithm 4, has it: MPI_Get fetches, MPI_Put or MPI_Accumulate pushes, and no owner does anything. So it is
the worker who pushes that does what a server would do, on the owner's memory, with operations that are atomic for each
element. Plain SGD is one addition of -η g. Adagrad adds g² to the sums of squares, which gives their values before, and
from these adds the step: every push sees the sums of all pushes that came before it on that element, its own included.

Beside the weights there are, at every owner, a version for each of its shards, and at rank 0 the books: examples used,
their losses, and whether to stop.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from anabranch.comm.base import Communicator, Request, Window
from anabranch.errors import UsageError
from anabranch.server.partition import Partition
from anabranch.server.racing import Racing
from anabranch.server.transport import Every, Heard, Note
from anabranch.server.update import Add, Course, Descend, Put, Update

EPSILON = 1e-10  # of torch.optim.Adagrad
EXAMPLES, STOP, BOOKS = 0, 1, 2  # places in the books of rank 0, and their number
FIGURES = 5  # that rank 0 has of every rank


def check_one_sided(update: Update) -> None:
    """Refuse an update that cannot be put together from additions.

    Raises:
        UsageError: naming the rule.
    """
    if not isinstance(update, Descend):
        return
    rule = update.rule
    if rule.name == "adagrad" or (rule.name == "sgd" and not (rule.momentum or rule.early_momentum)):
        return
    what = "sgd with momentum" if rule.name == "sgd" else rule.name
    raise UsageError(
        f"shared windows can only add, which does for sgd without momentum and for adagrad, not for {what}: "
        "use --momentum 0 --early-momentum 0 or --optimizer adagrad, or --server ranks:1."
    )


class OneSided:
    """One worker's way to the shards: see `anabranch.server.transport.Transport`.

    Args:
        shards: how the parameters [P] are cut, over all ranks.
        update: what a push does.
        weights: a window over the shards.
        squares: likewise, of Adagrad's sums of squares, where they are wanted.
        counters: int64: each owner's versions; then, at rank 0, the books.
        accounts: float64, at rank 0: of every rank the sum of its examples' losses, and the other `FIGURES`.
        rank: this one.
        ranks: how many.
        total: examples in an epoch.
        limit: the most epochs.
    """

    def __init__(
        self,
        shards: Partition,
        update: Update,
        weights: Window,
        squares: Window | None,
        counters: Window,
        accounts: Window,
        rank: int,
        ranks: int,
        total: int,
        limit: int,
    ) -> None:
        self.heard, self.staleness = Heard(), Counter[int]()
        self._shards, self._update = shards, update
        self._total, self._limit = total, limit
        self._weights, self._squares, self._counters, self._accounts = weights, squares, counters, accounts
        self._ranks, self._place = ranks, rank * FIGURES
        self._ages = [0.0, 0.0]  # sum of ages and landed pushes, not told yet
        self._books = len(shards.of(0))
        self._course = Course(update.rule) if isinstance(update, Descend) else None

    def start_fetch(self, out: Tensor, taken: int) -> "_Fetching":  # noqa: ARG002 - nobody else needs to know
        """Get the parameters into `out` [P]."""
        versions = [self._version(piece.owner, piece.slot, 0) for piece in self._shards.pieces]  # first: never too new
        pieces = self._shards.pieces
        gets = [self._weights.start_get(p.owner, out[p.start : p.stop], p.offset) for p in pieces]
        self._listen(0)
        return _Fetching(gets, versions)

    def start_push(self, x: Tensor, versions: Sequence[int], note: Note) -> Request:
        """Do to the owners' memories what a server would do with `x` [P]."""
        rate = self._rate()  # of the epoch that these examples belong to, which they may end
        if note.examples:
            told = torch.tensor([note.loss, note.examples, note.waiting, *self._ages], dtype=torch.float64)
            self._accounts.accumulate(0, told, self._place)
            self._ages = [0.0, 0.0]
        self._listen(note.examples)
        match self._update:
            case Put():
                for piece in self._shards.pieces:
                    self._weights.put(piece.owner, x[piece.start : piece.stop], piece.offset)
                requests: list[Request] = []
            case Add():
                requests = self._add(x)
            case Descend(rule):
                requests = self._add(self._adagrad(x, rate) if rule.name == "adagrad" else x.mul_(-rate))
        return _Pushing(self, requests, versions)

    def snapshot(self, out: Tensor, squares: Tensor | None) -> None:
        """All weights as they are now, into `out` [P], and the sums of squares where there are any."""
        for piece in self._shards.pieces:
            self._weights.get(piece.owner, out[piece.start : piece.stop], piece.offset)
            if self._squares is not None and squares is not None:
                self._squares.get(piece.owner, squares[piece.start : piece.stop], piece.offset)

    def books(self) -> tuple[int, float]:
        """Examples used by all, and the sum of their losses."""
        loss = float(self.accounts()[:, 0].sum())
        return self._counters.fetch_add(0, self._books + EXAMPLES, 0), loss

    def accounts(self) -> Tensor:
        """[ranks, FIGURES] float64: loss, examples, seconds of waiting, ages of shards' pushes, and their number."""
        out = torch.zeros(self._ranks * FIGURES, dtype=torch.float64)
        self._accounts.get(0, out)
        return out.view(-1, FIGURES)

    def wish(self, why: int) -> None:
        """Have everybody stop. Wishes add up: that they are not 0 is what counts."""
        if not self.heard.stop:
            self._counters.fetch_add(0, self._books + STOP, why)
            self._listen(0)

    def landed(self, versions: Sequence[int]) -> None:
        """A push, computed from shards of these versions, has reached all of them."""
        for piece, base in zip(self._shards.pieces, versions, strict=True):
            age = self._version(piece.owner, piece.slot, 1) - base
            self.staleness[age] += 1
            self._ages = [self._ages[0] + age, self._ages[1] + 1]

    def _add(self, x: Tensor) -> list[Request]:
        return [
            self._weights.start_accumulate(piece.owner, x[piece.start : piece.stop], piece.offset)
            for piece in self._shards.pieces
        ]

    def _adagrad(self, x: Tensor, rate: float) -> Tensor:
        """The step that Adagrad takes with the gradient `x` [P], whose squares are put to the others'."""
        assert self._squares is not None
        own = x * x
        sums = torch.empty_like(x)
        for piece in self._shards.pieces:
            part = slice(piece.start, piece.stop)
            self._squares.get_accumulate(piece.owner, own[part], sums[part], piece.offset)
        return x.mul_(-rate).div_(sums.add_(own).sqrt_().add_(EPSILON))

    def _rate(self) -> float:
        epoch = min(self.heard.examples // self._total, self._limit - 1)  # what comes after the last one belongs to it
        return self._course.at(epoch) if self._course else 0.0

    def _version(self, owner: int, slot: int, by: int) -> int:
        return self._counters.fetch_add(owner, slot, by)

    def _listen(self, examples: int) -> None:
        """Put `examples` to the books, and hear how they stand."""
        before = self._counters.fetch_add(0, self._books + EXAMPLES, examples)
        self.heard = Heard(before + examples, self._counters.fetch_add(0, self._books + STOP, 0))


class _Fetching(Every):
    def __init__(self, requests: Sequence[Request], versions: Sequence[int]) -> None:
        super().__init__(requests)
        self.versions = versions


class _Pushing(Every):
    """A push on its way, which makes new versions when it has landed."""

    def __init__(self, way: OneSided, requests: Sequence[Request], versions: Sequence[int]) -> None:
        super().__init__(requests)
        self._way, self._versions, self._counted = way, versions, False

    def done(self) -> bool:
        if super().done():
            self._count()
        return self._counted

    def wait(self) -> None:
        super().wait()
        self._count()

    def _count(self) -> None:
        if not self._counted:
            self._counted = True
            self._way.landed(self._versions)


@contextmanager
def opened(
    comm: Communicator,
    shards: Partition,
    update: Update,
    weights: Tensor,
    squares: Tensor | None,
    total: int,
    limit: int,
    books: tuple[int, float],
    memory: Tensor | None = None,
) -> Iterator[OneSided]:
    """The shards in windows over all ranks of `comm`. Collective.

    Args:
        comm: everybody.
        shards: how the parameters are cut.
        update: what a push does.
        weights: [P] at the start, equal on all ranks.
        squares: [P] of Adagrad at the start, equal on all ranks; None without it.
        total: examples in an epoch.
        limit: the most epochs.
        books: examples used before, and the sum of their losses; equal on all ranks.
        memory: [P] that all ranks share, if the weights are to lie there and not in a window.
    """
    check_one_sided(update)
    leads = comm.rank == 0
    versions = torch.zeros(len(shards.of(comm.rank)) + BOOKS * leads, dtype=torch.int64)
    if leads:
        versions[-BOOKS + EXAMPLES] = books[0]
    accounts = torch.zeros(comm.size * FIGURES * leads, dtype=torch.float64)
    accounts[:1] = books[1]
    with ExitStack() as stack:
        weights_window: Window
        if memory is None:
            weights_window = stack.enter_context(comm.window(_own(weights, shards, comm.rank)))
        else:
            weights_window = Racing(memory)
        squares_window = None
        if squares is not None:
            squares_window = stack.enter_context(comm.window(_own(squares, shards, comm.rank)))
        counters, sums = (stack.enter_context(comm.window(local)) for local in (versions, accounts))
        windows = weights_window, squares_window, counters, sums
        yield OneSided(shards, update, *windows, comm.rank, comm.size, total, limit)


def _own(x: Tensor, shards: Partition, rank: int) -> Tensor:
    """What `rank` owns of `x` [P], in the order of its memory."""
    parts = [x[piece.start : piece.stop] for piece in shards.of(rank)]
    return torch.cat(parts) if parts else x[:0].clone()

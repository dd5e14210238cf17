"""The server's side of served parameters: one rank's shards, and the loop in which it serves whoever comes, in turn."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from anabranch.comm.base import Communicator, Request
from anabranch.errors import PeerLost
from anabranch.optim import FlatOptimizer
from anabranch.server.buffers import unpack
from anabranch.server.messages import Answer, Ask, Final, Kind, Tag
from anabranch.server.partition import Partition, Piece
from anabranch.server.traffic import Labour
from anabranch.server.transport import Heard
from anabranch.server.update import Add, Descend, Put, Update


class Shelf:
    """The shards of one owner: weights, versions, and what the update rule keeps of them.

    Args:
        pieces: the shards.
        weights: [P], all weights at the start; nothing else of them is kept.
        update: what a push does.
        optimizer: makes a rule's optimizer for the weights [n] of one shard.
    """

    def __init__(
        self,
        pieces: list[Piece],
        weights: Tensor,
        update: Update,
        optimizer: Callable[[Descend, Tensor], FlatOptimizer],
    ) -> None:
        self.memory = torch.cat([weights[p.start : p.stop] for p in pieces]) if pieces else weights[:0].clone()
        self.versions = [0] * len(pieces)
        self.staleness: Counter[int] = Counter()
        self._pieces, self._update = pieces, update
        self._parts = [self.memory[p.offset : p.offset + p.length] for p in pieces]
        self._rooms = [torch.empty_like(part) for part in self._parts]
        self._rules = [optimizer(update, part) for part in self._parts] if isinstance(update, Descend) else []

    def read(self, slot: int) -> Tensor:
        """A copy of a shard's weights."""
        return self._parts[slot].clone()

    def room(self, slot: int) -> Tensor:
        """Memory for what is pushed to a shard, until the next push."""
        return self._rooms[slot]

    def apply(self, slot: int, x: Tensor, base: int) -> None:
        """Do to a shard what a push of `x`, computed from its version `base`, does."""
        match self._update:
            case Descend():
                self._rules[slot].step(x)
            case Add():
                self._parts[slot].add_(x)
            case Put():
                self._parts[slot].copy_(x)
        self.staleness[self.versions[slot] - base] += 1
        self.versions[slot] += 1


@dataclass
class Worker:
    """What a server knows of a worker.

    Attributes:
        number: its, counted from 0.
        taken: examples that it has begun.
        applied: examples of the pushes that were applied.
        waiting: seconds in which it has stood still.
    """

    number: int
    taken: int = 0
    applied: int = 0
    waiting: float = 0.0


class Books:
    """What the first server tells to those who ask, and hears. Other servers keep none: they use these, empty."""

    def heard(self) -> Heard:
        """How the task stands."""
        return Heard()

    def applied(self, examples: int, loss: float) -> None:
        """A push was applied with so many examples and so great a sum of losses."""

    def stopped(self, why: int) -> None:
        """A worker had a signal to stop."""

    def died(self, worker: Worker) -> None:
        """A worker has died."""


class Keeper:
    """Serves the shards of this rank until every worker has said farewell or died.

    Args:
        comm: ranks 0, 1, … are the servers, the others workers.
        shards: how the parameters are cut, over all servers.
        shelf: of this rank.
        workers: those that are alive, by their rank.
        crew: how many workers there were at first.
        books: of the task.
        charge: told how many weights were updated, for worlds in which that takes virtual time.
        meet: what the other servers do with the first one's REST.
        buffers: of the model on this rank: at the first server they become those of the first worker that lives.
    """

    def __init__(
        self,
        comm: Communicator,
        shards: Partition,
        shelf: Shelf,
        workers: dict[int, Worker],
        crew: int,
        books: Books,
        charge: Callable[[int], None],
        meet: Callable[[Ask], None],
        buffers: Sequence[Tensor] = (),
    ) -> None:
        self.labours: list[Labour] = []
        self._comm, self._shards, self._shelf, self._books = comm, shards, shelf, books
        self._charge, self._meet, self._buffers = charge, meet, buffers
        size = sum(buffer.nbytes for buffer in buffers)
        self._packed = torch.empty(size, dtype=torch.uint8, device=shelf.memory.device)
        self._workers, self._working, self._leaving = workers, set(workers), list[int]()
        self._crew, self._open = crew, comm.rank != 0
        self._answers: list[tuple[int, Request]] = []
        self._header = Ask.room()

    def serve(self) -> Iterator[tuple[int, float]]:
        """Serve; yields the examples and the loss of every push that brings some, before the books are told of it.

        The others go on until the first server has closed, so that nobody waits for one that has left.

        Raises:
            PeerLost: another server is dead.
        """
        while self._working or self._open:
            try:
                source = self._comm.recv(self._header, None, Tag.REQUEST)
                done = self._obey(source, Ask.read(self._header))
                if done is not None:
                    yield done
                    self._books.applied(*done)
            except PeerLost as lost:
                self._bury(lost)

    def dismiss(self, final: Final, errors: list[float]) -> None:
        """Answer the farewells: why the task has ended, its errors, and the final weights.

        In one order on all servers. A worker takes shard after shard, from one server and another; so where a server
        waited for a first worker, that one for a second server, and this one for a second worker, all might wait.
        """
        for rank in sorted(self._leaving):
            try:
                if self._comm.rank == 0:
                    self._comm.send(final.tensor(), rank, Tag.FINAL)
                    if errors:
                        self._comm.send(torch.tensor(errors, dtype=torch.float64), rank, Tag.FINAL)
                for piece in self._shards.of(self._comm.rank):
                    self._comm.send(self._shelf.read(piece.slot), rank, Tag.WEIGHTS)
            except PeerLost as lost:
                self._bury(lost)
        self._prune()

    def call(self, epoch: int, *, save: bool = False, close: bool = False) -> None:
        """As the first server, ask the others to bring their shards together where `epoch` begins or the task ends."""
        for server in range(1, self._shards.owners):
            self._comm.send(Ask(Kind.REST, piece=close, version=epoch, examples=save).tensor(), server, Tag.REQUEST)

    def _obey(self, source: int, ask: Ask) -> tuple[int, float] | None:
        if ask.kind == Kind.REST:
            self._open = not ask.piece
            if self._open:  # at the end everybody comes by itself
                self._meet(ask)
            return None
        if source not in self._working:
            return None  # what was under way when its sender died: it is on the books as lost
        if ask.stop:
            self._books.stopped(ask.stop)
        worker = self._workers[source]
        worker.taken = max(worker.taken, ask.taken)
        match ask.kind:
            case Kind.FETCH:
                self._answer(source, self._shards.pieces[ask.piece])
            case Kind.NEWS:
                self._send(source, self._news().tensor(), Tag.NEWS)
            case Kind.PUSH:
                return self._take(source, ask, worker)
            case Kind.ROSTER:
                alive = {self._workers[rank].number for rank in (*self._working, *self._leaving)}
                dead = [number not in alive for number in range(self._crew)]
                self._comm.send(torch.tensor(dead, dtype=torch.int64), source, Tag.DEAD)
            case Kind.FAREWELL:
                self._part(source)
        return None

    def _answer(self, source: int, piece: Piece) -> None:
        self._send(source, self._news(self._shelf.versions[piece.slot]).tensor(), Tag.ANSWER)
        self._send(source, self._shelf.read(piece.slot), Tag.WEIGHTS)

    def _news(self, version: int = 0) -> Answer:
        heard = self._books.heard()
        return Answer(version, heard.examples, heard.stop, heard.deaths)

    def _send(self, to: int, x: Tensor, tag: int) -> None:
        self._prune()
        self._answers.append((to, self._comm.isend(x, to, tag)))

    def _take(self, source: int, ask: Ask, worker: Worker) -> tuple[int, float] | None:
        piece = self._shards.pieces[ask.piece]
        x = self._shelf.room(piece.slot)
        self._comm.recv(x, source, Tag.PAYLOAD)
        if ask.piece == 0 and self._buffers:
            self._comm.recv(self._packed, source, Tag.BUFFERS)
            if source == min(self._working.union(self._leaving)):
                unpack(self._packed, self._buffers)
        self._shelf.apply(piece.slot, x, ask.version)
        self._charge(piece.length)
        worker.applied += ask.examples
        worker.waiting += ask.waiting
        return (ask.examples, ask.loss) if ask.examples else None

    def _part(self, source: int) -> None:
        if self._comm.rank == 0:
            numbers = torch.zeros(len(Labour().numbers()), dtype=torch.float64)
            self._comm.recv(numbers, source, Tag.PAYLOAD)
            self.labours.append(Labour.of(numbers.tolist()))
        self._working.discard(source)
        self._leaving.append(source)

    def _bury(self, lost: PeerLost) -> None:
        """Go on without the workers that are lost."""
        servers = frozenset(rank for rank in lost.ranks if rank < self._shards.owners)
        if servers:
            raise PeerLost(servers) from lost
        for rank in lost.ranks & self._working:
            self._working.discard(rank)
            self._books.died(self._workers[rank])
        self._leaving = [rank for rank in self._leaving if rank not in lost.ranks]
        self._answers = [(to, request) for to, request in self._answers if to not in lost.ranks]

    def _prune(self) -> None:
        """Forget the answers that have come."""
        kept, lost = [], frozenset[int]()
        for to, request in self._answers:
            try:
                if not request.done():
                    kept.append((to, request))
            except PeerLost as error:
                lost |= error.ranks  # who has heard of a death here does not hear of it again
        self._answers = kept
        if lost:
            self._bury(PeerLost(lost))

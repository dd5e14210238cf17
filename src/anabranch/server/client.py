"""The worker's side of served parameters: each server rank holds shards, and answers whoever asks first."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from anabranch.comm.base import Communicator, Request
from anabranch.server.buffers import packed
from anabranch.server.messages import Answer, Ask, Final, Kind, Tag
from anabranch.server.partition import Partition
from anabranch.server.traffic import Labour
from anabranch.server.transport import Every, Heard, Note


class Client:
    """One worker's way to the shards: see `anabranch.server.transport.Transport`.

    A fetch brings news of the task. So that who seldom fetches knows of its end, and can tell of a signal, a push that
    follows another one without a fetch asks for the news alone.

    Args:
        comm: ranks 0, 1, … are the servers.
        shards: how the parameters are cut, over all servers.
        buffers: of this worker's model.
    """

    def __init__(self, comm: Communicator, shards: Partition, buffers: Sequence[Tensor] = ()) -> None:
        self.heard, self.staleness = Heard(), Counter[int]()
        self._comm, self._shards, self._buffers = comm, shards, buffers
        self._taken, self._why, self._told = 0, 0, 0
        self._asked = False  # since the last push

    def start_fetch(self, out: Tensor, taken: int) -> "_Fetching":
        """Get the parameters into `out` [P]."""
        self._taken, self._asked = taken, True
        return _Fetching(self, out)

    def start_push(self, x: Tensor, versions: Sequence[int], note: Note) -> Request:
        """Push `x` [P]; the books are the first server's, so the note and the buffers go with the first shard."""
        sent: list[Request] = []
        self._taken = max(self._taken, self._told + note.examples)  # what is pushed has been begun, as the books say
        for number, (piece, version) in enumerate(zip(self._shards.pieces, versions, strict=True)):
            told = note if number == 0 else Note()
            what = Ask(Kind.PUSH, number, version, told.examples, told.loss, self._taken, waiting=told.waiting)
            sent.append(self.ask(piece.owner, what))
            sent.append(self._comm.isend(x[piece.start : piece.stop], piece.owner, Tag.PAYLOAD))
            if number == 0 and self._buffers:
                sent.append(self._comm.isend(packed(self._buffers), piece.owner, Tag.BUFFERS))
        self._told += note.examples
        self.heard = replace(self.heard, examples=self.heard.examples + note.examples)
        asked, self._asked = self._asked, False
        return Every(sent) if asked else self._news(sent)

    def hear(self, answer: Answer, told: int) -> None:
        """Take in how the task stood at the first server; `told` are the examples of this worker that it knew of.

        Answers may be heard in another order than they were given in.
        """
        examples = max(self.heard.examples, answer.examples + self._told - told)
        self.heard = Heard(examples, self.heard.stop or answer.stop, max(self.heard.deaths, answer.deaths))

    def wish(self, why: int) -> None:
        """Have the next request tell that all should stop."""
        self._why = why

    def ask(self, server: int, what: Ask) -> Request:
        """Get a request under way."""
        return self._comm.isend(what.tensor(), server, Tag.REQUEST)

    def roster(self, workers: int) -> frozenset[int]:
        """The workers, counted from 0, that are known to be dead."""
        self.ask(0, Ask(Kind.ROSTER, taken=self._taken)).wait()
        dead = torch.zeros(workers, dtype=torch.int64)
        self._comm.recv(dead, 0, Tag.DEAD)
        return frozenset(dead.nonzero().view(-1).tolist())

    def farewell(self, labour: Labour, out: Tensor) -> tuple[Final, list[float]]:
        """Tell all servers that this worker has ended; when all have, get the final parameters into `out` [P].

        Returns why the task has ended, and the errors of its epochs.
        """
        for server in range(self._shards.owners):
            self.ask(server, Ask(Kind.FAREWELL, taken=self._taken)).wait()
        self._comm.send(torch.tensor(labour.numbers(), dtype=torch.float64), 0, Tag.PAYLOAD)
        header = Final.room()
        self._comm.recv(header, 0, Tag.FINAL)
        final = Final.read(header)
        errors = torch.zeros(final.epochs, dtype=torch.float64)
        if final.epochs:
            self._comm.recv(errors, 0, Tag.FINAL)
        for piece in self._shards.pieces:
            self._comm.recv(out[piece.start : piece.stop], piece.owner, Tag.WEIGHTS)
        return final, errors.tolist()

    def _news(self, sent: list[Request]) -> "_Hearing":
        header = Answer.room()
        sent.append(self.ask(0, Ask(Kind.NEWS, taken=self._taken, stop=self._why)))
        sent.append(self._comm.irecv(header, 0, Tag.NEWS))
        return _Hearing(self, sent, header)


class _Hearing(Every):
    """Requests that bring, among other things, the first server's answer."""

    def __init__(self, client: Client, requests: Iterable[Request], header: Tensor) -> None:
        super().__init__(requests)
        self._client, self._header, self._told = client, header, client._told

    def done(self) -> bool:
        if super().done():
            self._hear()
            return True
        return False

    def wait(self) -> None:
        super().wait()
        self._hear()

    def _hear(self) -> None:
        self._client.hear(Answer.read(self._header), self._told)


class _Fetching(_Hearing):
    """Shards on their way, each with the header that says its version."""

    def __init__(self, client: Client, out: Tensor) -> None:
        comm, pieces = client._comm, client._shards.pieces
        requests: list[Request] = []
        self._headers = [Answer.room() for _ in pieces]
        for number, piece in enumerate(pieces):
            ask = Ask(Kind.FETCH, number, taken=client._taken, stop=client._why)
            requests.append(client.ask(piece.owner, ask))
        for header, piece in zip(self._headers, pieces, strict=True):
            requests.append(comm.irecv(header, piece.owner, Tag.ANSWER))
            requests.append(comm.irecv(out[piece.start : piece.stop], piece.owner, Tag.WEIGHTS))
        super().__init__(client, requests, self._headers[0])
        self.versions: Sequence[int] = ()

    def _hear(self) -> None:
        self.versions = [Answer.read(header).version for header in self._headers]
        super()._hear()

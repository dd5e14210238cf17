"""One worker of an asynchronous strategy: its copy of the parameters, and what it has under way with their owners."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from anabranch.comm.base import Communicator, Request
from anabranch.errors import PeerLost, UsageError
from anabranch.server.traffic import Labour
from anabranch.server.transport import SIGNALLED, Fetch, Note, Transport
from anabranch.strategies.task import Task
from anabranch.types import Batch, Step

GO = 99  # tag of the word that the first worker has warmed the parameters up


class Replica:
    """A worker's place in an asynchronous run.

    Args:
        task: of this rank.
        way: to the parameters.
        comm: of all ranks.
        workers: those of them that work, the first of whom warms the parameters up.
        shards: how many there are.
        overlap: whether fetches and pushes go on while this worker computes.
        adopt: called with how many workers have died, when that has changed.

    Attributes:
        weights: [P], this worker's copy: its objective's.
        labour: what it has done so far.
    """

    def __init__(
        self,
        task: Task,
        way: Transport,
        comm: Communicator,
        workers: range,
        shards: int,
        *,
        overlap: bool,
        adopt: Callable[[], None] | None = None,
    ) -> None:
        self.weights, self.labour = task.objective.weights, Labour()
        self._task, self._way, self._comm, self._workers = task, way, comm, workers
        self._clock, self._overlap, self._adopt = comm.clock, overlap, adopt
        self._incoming = torch.empty_like(self.weights)
        self._into, self._spare = self.weights, torch.empty_like(self.weights)
        self._versions = [0] * shards  # of the weights
        self._base = self._versions  # of those from which what is pushed next was computed
        self._fetching: Fetch | None = None
        self._pushing: Request | None = None
        self._note, self._taken, self._deaths = Note(), 0, 0
        self._told = 0.0  # of the seconds in which it has waited
        self._began = comm.clock()
        self._budget = task.shard.total * task.stopping.limit

    @property
    def epoch(self) -> int:
        """Of all workers together, counted from 0."""
        return min(self._way.heard.examples // self._task.shard.total, self._task.stopping.limit - 1)

    def batches(self, warm_start: int = 0) -> Iterator[tuple[int, Batch]]:
        """This worker's minibatches, numbered from 0, until all workers together have used their examples.

        The first worker uses the first `warm_start` examples alone; the others wait for it.

        Raises:
            UsageError: a batch was used up without a `step`, by which the examples are counted.
        """
        if self._task.is_done:  # a run that was killed between its last epoch and its end
            return
        leads = self._comm.rank == self._workers[0]
        cold = warm_start > 0
        if cold and not leads:
            self._await_go()
            self._began = self._clock()
        for number, batch in enumerate(self._task.passes()):
            heard = self._way.heard
            if cold and leads and heard.examples >= warm_start:
                self._say_go()
                cold = False
            if heard.stop or heard.examples + self._note.examples >= self._budget:
                break
            self._taken += len(batch)
            yield number, batch
            if self.labour.computed < self._taken:
                raise UsageError("a batch was taken and not accounted for: yield replica.step(loss, batch) for each.")
            self._listen()
        if cold and leads:
            self._say_go()

    def step(self, loss: float, batch: Batch) -> Step:
        """Account for a gradient that was computed."""
        self.labour.computed += len(batch)
        self._base = self._versions
        self._note = Note(self._note.examples + len(batch), self._note.loss + loss * len(batch))
        return self._task.step(loss, batch)

    def fetch(self, into: Tensor | None = None) -> None:
        """Get the parameters into `weights`, or `into` another tensor [P]; return when they are here."""
        self._begin_fetch(self.weights if into is None else into)
        self._wait(self._fetching)
        self._take_in()
        self._base = self._versions

    def refresh(self) -> None:
        """Start to get the parameters; `weights` take them when they are here, which need not be now.

        While one fetch is under way no other one is started. The first one is waited for.
        """
        if not self._overlap or not self.labour.fetches:
            self.fetch()
        elif self._fetching is None:
            self._begin_fetch(self._incoming)

    def catch_up(self) -> None:
        """Take what has come since the last step."""
        self._see_landed()
        if self._fetching is not None and self._fetching.done():
            self._take_in()

    def push(self, x: Tensor) -> Tensor:
        """Push `x` [P], which is given away; the memory that comes back for it holds zeros."""
        self._wait(self._pushing)
        self.labour.pushes += 1
        self.labour.pushed_bytes += x.nbytes
        self.labour.pushed += self._note.examples
        note = replace(self._note, waiting=self.labour.waiting - self._told)
        self._pushing = self._way.start_push(x, self._base, note)
        self._note, self._told = Note(), self.labour.waiting
        if not self._overlap:
            self._wait(self._pushing)
        back, self._spare = self._spare, x
        return back.zero_()

    def end(self) -> None:
        """Wait for what is under way."""
        self._wait(self._pushing)
        self._wait(self._fetching)
        self.labour.seconds = self._clock() - self._began

    def _await_go(self) -> None:
        """Wait for the first worker's word; its death is one, too."""
        try:
            self._comm.recv(torch.empty(1), self._workers[0], GO)
        except PeerLost as lost:
            if self._workers[0] not in lost.ranks:
                raise

    def _say_go(self) -> None:
        for rank in self._workers[1:]:
            try:
                self._comm.send(torch.zeros(1), rank, GO)
            except PeerLost as lost:
                if rank not in lost.ranks:
                    raise

    def _begin_fetch(self, into: Tensor) -> None:
        self._wait(self._fetching)
        self.labour.fetches += 1
        self.labour.fetched_bytes += into.nbytes
        self._into = into
        self._see_landed()
        self._fetching = self._way.start_fetch(into, self._taken)

    def _see_landed(self) -> None:
        """Whether the last push has; for in windows it is the pusher who makes the new version, once it sees that."""
        if self._pushing is not None:
            self._pushing.done()

    def _take_in(self) -> None:
        assert self._fetching is not None
        self._versions, self._fetching = list(self._fetching.versions), None
        if self._into is self._incoming:
            self.weights.copy_(self._incoming)

    def _wait(self, request: Request | None) -> None:
        if request is not None:
            stood = self._clock()
            request.wait()
            self.labour.waiting += self._clock() - stood

    def _listen(self) -> None:
        if signal_number := self._task.signal():
            self._way.wish(SIGNALLED + signal_number)
        if self._adopt is not None and self._way.heard.deaths != self._deaths:
            self._deaths = self._way.heard.deaths
            self._adopt()

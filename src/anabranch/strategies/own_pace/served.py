"""An asynchronous task whose parameters are served: the first ranks are servers, the others work.

Workers speak with servers alone, and servers go on without those that die; so a worker's death disturbs nobody.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import torch
from torch import Tensor

from anabranch.comm.base import Communicator, Feature, Json
from anabranch.errors import PeerLost
from anabranch.server.client import Client
from anabranch.server.keeper import Books, Keeper, Shelf, Worker
from anabranch.server.messages import Ask, Final
from anabranch.server.partition import Partition, partition
from anabranch.server.traffic import Traffic, added
from anabranch.server.transport import SIGNALLED
from anabranch.strategies.own_pace.clerk import Clerk
from anabranch.strategies.own_pace.paces import Paces, Totals
from anabranch.strategies.own_pace.plan import Plan, Work
from anabranch.strategies.own_pace.replica import Replica
from anabranch.strategies.task import Task
from anabranch.types import Step

C = TypeVar("C", bound=Communicator)


def survivors(comm: C, servers: int) -> C:
    """Those of `comm` that live, in their order; all, where this world ends with the first death. Collective.

    Raises:
        PeerLost: one of the first `servers` ranks is dead, or all others are.
    """
    if Feature.FAILURES not in comm.provides:
        return comm
    alive = cast(C, comm.shrink())
    dead = comm.failed()
    if any(rank < servers for rank in dead) or alive.size <= servers:
        raise PeerLost(dead)
    return alive


def served(task: Task, comm: Communicator, plan: Plan, work: Work) -> Iterator[Step]:
    """Run `task`: see `run.py`."""
    servers = plan.hosting.servers
    comm = survivors(comm, servers)
    numbers = torch.zeros(comm.size, dtype=torch.int64)
    comm.allgather(torch.tensor([task.shard.rank]), numbers)
    colleagues = comm.split(0 if comm.rank < servers else None) if servers > 1 else comm.alone()
    w = task.objective.weights
    shards = partition(len(w), servers, plan.hosting.placing, w.element_size())
    if comm.rank < servers:
        assert colleagues is not None
        workers = {rank: Worker(int(numbers[rank])) for rank in range(servers, comm.size)}
        yield from _Shop(task, comm, colleagues, plan, shards, workers).keep_open()
    else:
        yield from _work(task, comm, plan, shards, work)


def _work(task: Task, comm: Communicator, plan: Plan, shards: Partition, work: Work) -> Iterator[Step]:
    client, crew = Client(comm, shards, task.objective.buffers()), task.shard.size

    def adopt() -> None:
        task.shard = task.shard.adopting(client.roster(crew))

    replica = Replica(
        task,
        client,
        comm,
        range(plan.hosting.servers, comm.size),
        len(shards.pieces),
        overlap=plan.overlap,
        adopt=adopt if plan.hosting.reassign else None,
    )
    yield from work(task, replica)
    replica.end()
    final, errors = client.farewell(replica.labour, replica.weights)
    task.errors[:] = errors
    if final.stop > SIGNALLED:
        raise task.interrupted(final.stop - SIGNALLED)


class _Shop:
    """One server's part of a task."""

    def __init__(
        self,
        task: Task,
        comm: Communicator,
        colleagues: Communicator,
        plan: Plan,
        shards: Partition,
        workers: dict[int, Worker],
    ) -> None:
        self._task, self._comm, self._colleagues, self._shards = task, comm, colleagues, shards
        self._crew, self._workers, self._paces = task.shard.size, list(workers.values()), Paces(comm.clock)
        task.optimizer(plan.rule, torch.zeros(0))  # tells the learning rate
        self._shelf = Shelf(
            shards.of(comm.rank), task.objective.weights, plan.update, lambda d, part: task.optimizer(d.rule, part)
        )
        task.keep("shelf", self._shelf.memory)
        task.advance(task.epoch)
        gone = frozenset(range(self._crew)) - {worker.number for worker in workers.values()}
        self._clerk = Clerk(task, self._rest, gone) if comm.rank == 0 else None
        self._keeper = Keeper(
            comm,
            shards,
            self._shelf,
            workers,
            self._crew,
            self._clerk or Books(),
            task.objective.applied,
            self._join,
            task.objective.buffers(),
        )

    def keep_open(self) -> Iterator[Step]:
        """Serve until all workers have ended; then give everybody the weights."""
        for examples, loss in self._keeper.serve():
            yield self._task.tally(loss / examples, examples)
        if self._clerk:
            self._keeper.call(self._task.epoch, close=True)
        self._bring()
        self._task.check_finite()
        self._report()
        self._task.save(self._colleagues)
        signal_number = self._close()
        if signal_number:
            raise self._task.interrupted(signal_number)

    def _rest(self, conclude: Callable[[], None], epochs: int, save: bool) -> None:
        """As the first server: bring the weights together, conclude the epochs that end, and save if it is time."""
        self._keeper.call(self._task.epoch + epochs, save=save)
        self._bring()
        self._tell()
        conclude()
        self._task.advance(self._task.epoch)
        if save:
            self._task.save(self._colleagues)

    def _tell(self) -> None:
        """What each worker did; and how stale the pushes to this server's shards were."""
        totals = {worker.number: Totals(worker.applied, worker.waiting) for worker in self._workers}
        ages = sum(age * times for age, times in self._shelf.staleness.items())
        self._task.tell(self._paces.since(totals), self._paces.staleness(ages, self._shelf.staleness.total()))

    def _join(self, ask: Ask) -> None:
        """As another server: the same."""
        self._bring()
        self._task.advance(ask.version)
        if ask.examples:
            self._task.save(self._colleagues)

    def _bring(self) -> None:
        """All shards to the task's weights, on every server."""
        w = self._task.objective.weights
        for owner in range(self._shards.owners):
            mine = owner == self._colleagues.rank
            memory = self._shelf.memory if mine else w.new_empty(self._shards.held(owner))
            self._colleagues.broadcast(memory, root=owner)
            _spread(memory, w, self._shards, owner)

    def _report(self) -> None:
        ages: Json = [[age, times] for age, times in sorted(self._shelf.staleness.items())]
        histograms = cast(list[list[tuple[int, int]]] | None, self._colleagues.gather(ages))
        if self._clerk and histograms is not None:
            clerk, labour = self._clerk, added(self._keeper.labours)
            traffic = Traffic(
                computed=labour.computed + clerk.begun_by_dead,
                pushed=labour.pushed + clerk.applied_of_dead,
                applied=clerk.used,
                lost=clerk.lost,
                dead=sorted(clerk.dead),
                labour=labour,
            )
            for histogram in histograms:
                traffic.staleness.update(Counter(dict(histogram)))
            self._task.report(traffic.as_json(self._crew))

    def _close(self) -> int:
        """Let everybody know how the task has ended; the number of the signal that did it, or 0."""
        head = torch.tensor([self._clerk.stop if self._clerk else 0, len(self._task.errors)])
        self._colleagues.broadcast(head, root=0)
        errors = torch.tensor(self._task.errors, dtype=torch.float64)
        errors = errors if self._clerk else torch.zeros(int(head[1]), dtype=torch.float64)
        self._colleagues.broadcast(errors, root=0)
        self._task.errors[:] = errors.tolist()
        stop = int(head[0])
        self._keeper.dismiss(Final(stop, len(errors)), errors.tolist())
        if self._clerk and not self._keeper.labours:
            raise PeerLost(
                range(self._colleagues.size, self._colleagues.size + self._crew),
                f"no worker of {self._task.name} lives any more: start again with --resume, which goes on from the "
                "checkpoint that was just written.",
            )
        return max(stop - SIGNALLED, 0)


def _spread(memory: Tensor, w: Tensor, shards: Partition, owner: int) -> None:
    for piece in shards.of(owner):
        w[piece.start : piece.stop] = memory[piece.offset : piece.offset + piece.length]

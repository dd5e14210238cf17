"""An asynchronous task whose parameters lie in windows of its workers, or in memory that they share.

Every rank works. Rank 0 keeps the books besides, between its own steps.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import Tensor

from anabranch.comm.base import Communicator, Json
from anabranch.server.onesided import OneSided, opened
from anabranch.server.partition import partition
from anabranch.server.traffic import Labour, gathered
from anabranch.server.transport import SIGNALLED
from anabranch.server.update import Descend
from anabranch.strategies.judged import lent
from anabranch.strategies.own_pace.clerk import Clerk
from anabranch.strategies.own_pace.paces import Paces, Totals
from anabranch.strategies.own_pace.plan import Plan, Work
from anabranch.strategies.own_pace.replica import Replica
from anabranch.strategies.task import Task
from anabranch.types import Step


def windowed(task: Task, comm: Communicator, plan: Plan, work: Work) -> Iterator[Step]:
    """Run `task`: see `run.py`."""
    w = task.objective.weights  # [P]
    centre, squares = w.clone(), _squares(plan, w)
    task.keep("weights", centre)
    if squares is not None:
        task.keep("squares", squares)
    task.optimizer(plan.rule, torch.zeros(0))  # tells the learning rate
    task.advance(task.epoch)

    def rest(conclude: Callable[[], None], _epochs: int, save: bool) -> None:
        way.snapshot(centre, squares)
        totals, ages, pushes = _totals(way)
        task.tell(paces.since(totals), paces.staleness(ages, pushes))
        with lent(w, centre):
            conclude()
        task.advance(task.epoch)
        if save and clerk and not clerk.stop:
            task.save(comm.alone())

    clerk = Clerk(task, rest) if comm.rank == 0 else None
    totals = _agree(comm, clerk, centre, squares)
    w.copy_(centre)
    owners = 1 if plan.hosting.kind == "shared" else comm.size
    shards = partition(len(w), owners, plan.hosting.placing, w.element_size())
    paces = Paces(comm.clock)
    racing = comm.shared(centre) if plan.hosting.kind == "shared" else nullcontext()
    length = task.shard.total, task.stopping.limit
    with racing as memory, opened(comm, shards, plan.update, centre, squares, *length, totals, memory) as way:
        replica = Replica(task, way, comm, range(comm.size), len(shards.pieces), overlap=plan.overlap)
        for step in work(task, replica):
            if clerk:
                clerk.count(*way.books())
                if clerk.stop:
                    way.wish(clerk.stop)
            yield step
        replica.end()
        comm.barrier()
        if clerk:
            clerk.count(*way.books())
        way.snapshot(centre, squares)
        comm.barrier()
    w.copy_(centre)
    _end(task, comm, clerk, replica.labour, way.staleness)


def _totals(way: OneSided) -> tuple[dict[int, Totals], int, int]:
    """Of every worker; the ages of all pushes, and how many those are."""
    accounts = way.accounts()
    each = {number: Totals(int(row[1]), row[2]) for number, row in enumerate(accounts.tolist())}
    return each, int(accounts[:, 3].sum()), int(accounts[:, 4].sum())


def _squares(plan: Plan, w: Tensor) -> Tensor | None:
    adagrad = isinstance(plan.update, Descend) and plan.update.rule.name == "adagrad"
    return torch.zeros_like(w) if adagrad else None


def _agree(comm: Communicator, clerk: Clerk | None, centre: Tensor, squares: Tensor | None) -> tuple[int, float]:
    """Give everybody rank 0's parameters and books, which may come from a checkpoint."""
    comm.broadcast(centre, root=0)
    if squares is not None:
        comm.broadcast(squares, root=0)
    books = torch.tensor(clerk.totals if clerk else (0, 0.0), dtype=torch.float64)
    comm.broadcast(books, root=0)
    return int(books[0]), float(books[1])


def _end(task: Task, comm: Communicator, clerk: Clerk | None, labour: Labour, staleness: Counter[int]) -> None:
    """Bring the books together, save, and agree on how the task has ended."""
    task.check_finite()
    record: Json = {
        "labour": list(labour.numbers()),
        "staleness": [[age, times] for age, times in staleness.items()],
        "signal": task.signal(),
    }
    records = cast(list[dict[str, Any]] | None, comm.gather(record))
    signal_number = 0
    if clerk and records is not None:
        books = gathered(
            (Labour.of(each["labour"]) for each in records),
            (Counter(dict(each["staleness"])) for each in records),
        )
        task.report(books.as_json(comm.size))
        signal_number = 0 if task.is_done else max(clerk.stop - SIGNALLED, *(each["signal"] for each in records), 0)
        task.save(comm.alone())
    _tell(task, comm, signal_number)


def _tell(task: Task, comm: Communicator, signal_number: int) -> None:
    """Let all know the errors of rank 0, and whether a signal has ended the task; it is saved by then."""
    head = torch.tensor([signal_number, len(task.errors)])
    comm.broadcast(head, root=0)
    errors = torch.zeros(int(head[1]), dtype=torch.float64)
    if comm.rank == 0:
        errors = torch.tensor(task.errors, dtype=torch.float64)
    comm.broadcast(errors, root=0)
    task.errors[:] = errors.tolist()
    if head[0]:
        raise task.interrupted(int(head[0]))

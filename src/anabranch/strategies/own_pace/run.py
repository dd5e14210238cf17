"""An asynchronous task from its start to its end, wherever its parameters are."""

from collections.abc import Iterator

from anabranch.comm.base import Communicator
from anabranch.strategies.own_pace.plan import Plan, Work
from anabranch.strategies.own_pace.served import served
from anabranch.strategies.own_pace.windowed import windowed
from anabranch.strategies.task import Task
from anabranch.types import Step


def asynchronous(task: Task, comm: Communicator, plan: Plan, work: Work) -> Iterator[Step]:
    """Run `task` as `plan` says: every worker does its `work`, at its own pace; then all have the same weights.

    Raises:
        Interrupted: a signal came; a checkpoint was written.
        PeerLost: a rank died that cannot be done without.
    """
    task.at_own_pace()
    return (served if plan.hosting.servers else windowed)(task, comm, plan, work)

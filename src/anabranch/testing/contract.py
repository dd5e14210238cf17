"""The contract that a strategy must keep: `in_step.py` or `own_pace.py`, whichever is its kind."""

from anabranch.comm.base import Communicator
from anabranch.strategies import Strategy
from anabranch.testing import in_step, own_pace


def check_strategy(strategy: Strategy, comm: Communicator | None = None) -> None:
    """Check that `strategy` keeps its contract, on simulated workers; and, with `comm`, on the ranks of another world.

    It takes some seconds. A field `rule` is replaced by rules that suit the tasks. One that has a `hosting`, of type
    `Hosting`, lets workers go at their own pace, which is another contract; as a field it is replaced, too, so that the
    parameters have been everywhere. With `comm` every rank calls it (`anabranch.mpi()`, under mpirun).

    Raises:
        BrokenContract: says what the strategy did, and what it should do.
        CommunicationError: its ranks do not meet: says who waits for what.
    """
    if own_pace.is_own_pace(strategy):
        for each in own_pace.hosted(strategy):
            for check in own_pace.CHECKS.values():
                check(each)
    else:
        for check in in_step.CHECKS.values():
            check(strategy)
    if comm is not None:
        check_world(strategy, comm)


def check_world(strategy: Strategy, comm: Communicator) -> None:
    """Check `strategy` on the ranks of `comm` alone. Collective.

    In step they must end with the bits of as many simulated ones. At their own pace, with the parameters where the
    strategy's `hosting` says, they must find the minimum of a quadratic and end with the same weights.

    Raises:
        BrokenContract: says what the strategy did, and what it should do.
        UsageError: there are too few ranks for its servers.
    """
    (own_pace if own_pace.is_own_pace(strategy) else in_step).check_world(strategy, comm)

"""The contract of strategies whose workers go at their own pace, wherever their parameters are.

    converges   on a quadratic, on 1, 2 and 5 workers; all ranks end with the same weights and errors
    accounts    every example that went through a gradient was pushed and has reached the parameters
    repeats     in simulated time, under the same seed: the same bits
    resumes     stopped and resumed it goes on from what was learnt, and makes the epochs that are left
    diverges    a step that is no number is an error, not a result

A strategy with a field `hosting` is tried in windows and on one and two servers, save where it refuses one of these
with a `UsageError`. Each breach is one sentence that says what to do.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from anabranch.comm.base import Communicator
from anabranch.errors import Interrupted, UsageError
from anabranch.optim import Rule
from anabranch.strategies import FixedEpochs, Hosting, Strategy
from anabranch.testing.tasks import Outcome, examples, make_shard, train, train_on
from anabranch.testing.trying import (
    EPOCHS,
    OBJECTIVES,
    WORKERS,
    BrokenContract,
    Keeper,
    check_agree,
    check_diverges,
    same,
    with_rule,
)

NEAR = 0.15  # to the minimum, after EPOCHS
RULE = Rule("sgd", learning_rate=0.1)  # windows know no momentum
LIMIT, STOPPED = 20, 6  # epochs of a run, and of them when it is stopped
WORSE = 1.3  # the most that the error may rise by when a run goes on
PLACES = (Hosting(), Hosting("ranks", 1), Hosting("ranks", 2, "hashed"))


def is_own_pace(strategy: Strategy) -> bool:
    """Whether its workers do not meet: such a strategy says where the parameters are."""
    return isinstance(getattr(strategy, "hosting", None), Hosting)


def servers(strategy: Strategy) -> int:
    """Ranks that serve under it."""
    hosting: Hosting = strategy.hosting  # type: ignore[attr-defined]
    return hosting.servers


def hosted(strategy: Strategy) -> list[Strategy]:
    """`strategy` as it is, or everywhere that its parameters can be.

    Raises:
        UsageError: it can be nowhere.
    """
    changed: Any = strategy
    fields = {field.name for field in dataclasses.fields(changed)} if dataclasses.is_dataclass(changed) else set()
    if "hosting" not in fields:
        return [with_rule(strategy, RULE)]
    found, refusals = list[Strategy](), list[UsageError]()
    for hosting in PLACES:
        try:
            found.append(with_rule(dataclasses.replace(changed, hosting=hosting), RULE))
        except UsageError as refusal:
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    return found


def check_converges(strategy: Strategy) -> None:
    """The mean of the data is the minimum of the quadratic: it must be found."""
    for workers in WORKERS:
        outcomes = train(strategy, workers, stopping=FixedEpochs(EPOCHS), servers=servers(strategy))
        check_agree(outcomes, workers)
        _check_found(outcomes[0], workers)


def check_accounts(strategy: Strategy) -> None:
    """What was computed is what was pushed."""
    for objective in OBJECTIVES:
        keepers = [Keeper(0) for _ in range(3 + servers(strategy))]
        train(strategy, 3, objective, journals=keepers, servers=servers(strategy))
        used = keepers[0].traffic["examples"]
        if not used["computed"] == used["pushed"] == used["applied"] >= 3 * len(examples()):
            raise BrokenContract(
                f"of {used['computed']} examples that went through a gradient {used['pushed']} were pushed: after the "
                "last of replica.batches() push what is left."
            )


def check_repeats(strategy: Strategy) -> None:
    """Twice the same run."""
    for objective in OBJECTIVES:
        first, second = (train(strategy, 3, objective, servers=servers(strategy)) for _ in range(2))
        if not all(same(a, b) and a.losses == b.losses for a, b in zip(first, second, strict=True)):
            raise BrokenContract(
                "two simulated runs under one seed end with different bits: draw from generators that the seed and the "
                "rank determine (anabranch.seeding.generator), and keep nothing from one run to the next."
            )


def check_resumes(strategy: Strategy) -> None:
    """All ranks stop; what was learnt is there again, and the epochs that are left are made."""
    serving, stopping = servers(strategy), FixedEpochs(LIMIT)
    keepers = [Keeper(STOPPED if rank == 0 else 0) for rank in range(3 + serving)]
    try:
        train(strategy, 3, stopping=stopping, journals=keepers, servers=serving)
    except Interrupted:
        saved = [dataclasses.replace(each.saved, errors=keepers[0].saved.errors) for each in keepers]
    else:
        raise BrokenContract("asked to stop it went on: take the batches from replica.batches(), which end then.")
    before = list(saved[0].errors)
    after = train(strategy, 3, stopping=stopping, restored=saved, servers=serving)[0].errors[len(before) :]
    if not (after and after[0] < WORSE * min(before)):
        raise BrokenContract(
            f"stopped after {len(before)} epochs and resumed it goes on from an error of {after[:1]}, where it had "
            f"{min(before):.3g}: begin with replica.weights as they are, or fetch."
        )


def check_world(strategy: Strategy, comm: Communicator) -> None:
    """On the ranks of `comm` it must find the minimum, too, and end with the same weights everywhere. Collective.

    The parameters are where `strategy` says; on MPI the order of what workers push, and so the bits, is not fixed.
    """
    serving = servers(strategy)
    workers = comm.size - serving
    if workers < 1:
        raise UsageError(f"{serving} servers leave no worker of {comm.size} ranks: start more.")
    part = make_shard(comm.rank - serving, workers)
    here = train_on(comm, with_rule(strategy, RULE), stopping=FixedEpochs(EPOCHS), part=part)
    of_first = here.weights.clone()
    comm.broadcast(of_first, root=0)
    check_agree([Outcome(of_first, [], here.errors), here], workers)
    _check_found(here, workers)


def _check_found(outcome: Outcome, workers: int) -> None:
    if len(outcome.errors) != EPOCHS:
        raise BrokenContract(
            f"on {workers} workers {len(outcome.errors)} epochs of {EPOCHS} were counted: push what each batch gives, "
            "for pushes tell how far the training is."
        )
    off = float((outcome.weights - examples().features.mean(0)).abs().max())
    if not off < NEAR:
        raise BrokenContract(
            f"on {workers} workers it ends {off:.3g} from the minimum of a quadratic, after {EPOCHS} epochs at rate "
            f"{RULE.learning_rate}: what is pushed must suit the plan's update (gradients for Descend, differences for "
            "Add, weights for Put)."
        )


def _check_diverges(strategy: Strategy) -> None:
    check_diverges(strategy, servers(strategy))


CHECKS: dict[str, Callable[[Strategy], None]] = {
    "converges": check_converges,
    "accounts": check_accounts,
    "repeats": check_repeats,
    "resumes": check_resumes,
    "diverges": _check_diverges,
}

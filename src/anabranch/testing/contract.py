"""The contract of strategies whose ranks go in step: what each of them must do, on every objective, in every world.

    converges   on a quadratic, on 1, 2 and 5 workers
    agrees      all ranks end with the same weights and errors, after the same number of steps
    repeats     under the same seed: the same bits
    resumes     stopped at an epoch's end and resumed from what it keeps: the same bits as if it had never stopped
    diverges    a step that is no number is an error, not a result

Each breach is one sentence that says what to do.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch

from anabranch.comm.base import Communicator
from anabranch.errors import AnabranchError, DivergedError, Interrupted, UsageError
from anabranch.objectives import Objective
from anabranch.optim import Rule
from anabranch.strategies import EpochReport, FixedEpochs, Silent, Strategy, TaskState
from anabranch.testing.tasks import Outcome, classifier, examples, pcd, quadratic, train, train_on

WORKERS = (1, 2, 5)
NEAR = 0.1  # to the minimum, after 40 epochs
SIGNAL, STOPPED = 2, 3  # the signal that stops a run, and after how many of its five epochs
RULE = Rule("sgd", learning_rate=0.1, momentum=0.5)
RULES = (RULE, Rule("adam", 0.01), Rule("sgd", 0.1, 0.9, 0.5, 2, "cosine", 5))
OBJECTIVES = (quadratic, pcd, classifier)


class BrokenContract(AnabranchError, AssertionError):
    """A strategy does not do what every strategy must."""


def check_strategy(strategy: Strategy, comm: Communicator | None = None) -> None:
    """Check that `strategy` keeps the contract, on simulated workers; and, with `comm`, on the ranks of another world.

    It takes some seconds. A field `rule` is replaced by rules that suit the tasks. With `comm` every rank calls it
    (`anabranch.mpi()`, under mpirun); the bits there must be those of as many simulated workers.

    Raises:
        BrokenContract: says what the strategy did, and what it should do.
        UsageError: its workers go at their own pace: they keep another contract.
        CommunicationError: its ranks do not meet: says who waits for what.
    """
    if hasattr(strategy, "hosting"):
        raise UsageError(
            f"{type(strategy).__name__} lets workers go at their own pace; this contract is of strategies in step."
        )
    for check in CHECKS.values():
        check(strategy)
    if comm is not None:
        check_world(strategy, comm)


def check_converges(strategy: Strategy) -> None:
    """The mean of the data is the minimum of the quadratic: it must be found."""
    target = examples().features.mean(0)
    for workers in WORKERS:
        # Replicas that are averaged once in 40 epochs have a minimum each; the mean of those is that of the whole.
        outcomes = train(_with(strategy, RULE), workers, stopping=FixedEpochs(40))
        _check_agree(outcomes, workers)
        off = float((outcomes[0].weights - target).abs().max())
        if not off < NEAR:
            raise BrokenContract(
                f"on {workers} workers it ends {off:.3g} from the minimum of a quadratic, after 40 epochs at rate "
                f"{RULE.learning_rate}: every worker's gradient must count, once."
            )


def check_steps(strategy: Strategy) -> None:
    """Shards of 9 and of 8 examples make as many steps."""
    outcomes = train(_with(strategy, RULE), 7, classifier)
    _check_agree(outcomes, 7)
    counts = [len(outcome.losses) for outcome in outcomes]
    if not counts[0] or len(set(counts)) > 1:
        raise BrokenContract(
            f"its ranks yield {counts} steps in three epochs: yield task.step(loss, batch) once for each batch."
        )


def check_repeats(strategy: Strategy) -> None:
    """Twice the same run."""
    for objective in OBJECTIVES:
        first, second = (train(_with(strategy, RULE), 3, objective) for _ in range(2))
        if not all(_same(a, b) for a, b in zip(first, second, strict=True)):
            raise BrokenContract(
                "two runs under one seed end with different bits: draw from generators that the seed and the rank "
                "determine (anabranch.seeding.generator), and keep nothing from one run to the next."
            )


def check_resumes(strategy: Strategy) -> None:
    """Under every rule, on every objective."""
    for rule in RULES if _has_rule(strategy) else RULES[:1]:
        for objective in OBJECTIVES:
            check_resumes_on(_with(strategy, rule), objective)


def check_resumes_on(strategy: Strategy, objective: Callable[[], Objective]) -> None:
    """One rank alone is asked to stop; all stop, and go on as if nothing had been."""
    stopping = FixedEpochs(5)
    unbroken = train(strategy, 3, objective, stopping=stopping)
    keepers = [Keeper(STOPPED if rank == 1 else 0) for rank in range(3)]
    try:
        train(strategy, 3, objective, stopping=stopping, journals=keepers)
    except Interrupted:
        saved = [keeper.saved for keeper in keepers]
    else:
        raise BrokenContract("asked to stop it went on: take the batches from task.epochs(comm), which raises then.")
    if [len(state.errors) for state in saved] != [STOPPED] * 3:
        raise BrokenContract(f"asked to stop after epoch {STOPPED}, its ranks saved {[len(s.errors) for s in saved]}.")
    resumed = train(strategy, 3, objective, stopping=stopping, restored=saved)
    for after, before in zip(resumed, unbroken, strict=True):
        if not (_same(after, before) and after.losses == before.losses[-len(after.losses) :]):
            raise BrokenContract(
                "stopped and resumed it ends with other bits than unbroken: give every tensor that lives longer than "
                "an epoch to task.keep(name, tensor), before the first batch, and make optimizers by task.optimizer."
            )


def check_diverges(strategy: Strategy) -> None:
    """A rate of 1e30 must not pass unnoticed."""
    if not _has_rule(strategy):
        return
    try:
        train(_with(strategy, Rule("sgd", 1e30)), 2, stopping=FixedEpochs(30))
    except DivergedError:
        return
    raise BrokenContract("at a learning rate of 1e30 it ends as if well: report every loss by task.step(loss, batch).")


def check_world(strategy: Strategy, comm: Communicator) -> None:
    """The ranks of `comm` must end with the bits of as many simulated ones. Collective."""
    for objective in OBJECTIVES:
        here = train_on(comm, _with(strategy, RULE), objective)
        there = train(_with(strategy, RULE), comm.size, objective)[comm.rank]
        if not _same(here, there):
            raise BrokenContract(
                f"rank {comm.rank} of {comm.size} ends with other bits than simulated: use no state but the task's, "
                "and add up by comm.allreduce, which adds in the order of the ranks."
            )


CHECKS: dict[str, Callable[[Strategy], None]] = {
    "converges": check_converges,
    "steps": check_steps,
    "repeats": check_repeats,
    "resumes": check_resumes,
    "diverges": check_diverges,
}


class Keeper(Silent):
    """Asks to stop after so many epochs (0: never), and keeps the checkpoint."""

    def __init__(self, stop_after: int) -> None:
        self.stop_after, self.saved, self.reports = stop_after, TaskState(), 0

    def on_epoch(self, report: EpochReport) -> None:  # noqa: ARG002
        """Count it."""
        self.reports += 1

    def stop_signal(self) -> int:
        """At the end of that epoch."""
        return SIGNAL if self.reports + 1 == self.stop_after else 0

    def save(self, state: TaskState, comm: Communicator) -> None:  # noqa: ARG002
        """Keep a copy."""
        tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
        self.saved = TaskState(state.errors, state.steps, tensors)


def _has_rule(strategy: object) -> bool:
    return hasattr(strategy, "rule")


def _with(strategy: Strategy, rule: Rule) -> Strategy:
    """`strategy` with that rule, if it has one."""
    changed: Any = strategy
    return dataclasses.replace(changed, rule=rule) if _has_rule(strategy) else strategy


def _check_agree(outcomes: Sequence[Outcome], workers: int) -> None:
    first = outcomes[0]
    for rank, outcome in enumerate(outcomes):
        if not torch.equal(outcome.weights, first.weights):
            off = float((outcome.weights - first.weights).abs().max())
            raise BrokenContract(
                f"on {workers} workers ranks 0 and {rank} end with weights that differ by up to {off:.3g}: "
                "end with the same weights on every rank (comm.allreduce(w, op='mean'))."
            )
        if outcome.errors != first.errors:
            raise BrokenContract(f"on {workers} workers ranks 0 and {rank} end with different task.errors.")


def _same(one: Outcome, other: Outcome) -> bool:
    return torch.equal(one.weights, other.weights) and one.errors == other.errors

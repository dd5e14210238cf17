"""The contract of strategies whose ranks go in step: what each of them must do, on every objective, in every world.

    converges   on a quadratic, on 1, 2 and 5 workers
    steps       ranks with more and with fewer examples make as many
    repeats     under the same seed: the same bits
    resumes     stopped at an epoch's end and resumed from what it keeps: the same bits as if it had never stopped
    diverges    a step that is no number is an error, not a result

All ranks must end with the same weights and errors. Each breach is one sentence that says what to do.
"""

from collections.abc import Callable

from anabranch.comm.base import Communicator
from anabranch.errors import Interrupted
from anabranch.objectives import Objective
from anabranch.optim import Rule
from anabranch.strategies import FixedEpochs, Strategy
from anabranch.testing.tasks import classifier, examples, train, train_on
from anabranch.testing.trying import (
    EPOCHS,
    OBJECTIVES,
    WORKERS,
    BrokenContract,
    Keeper,
    check_agree,
    check_diverges,
    has_rule,
    same,
    with_rule,
)

NEAR = 0.1  # to the minimum, after EPOCHS
STOPPED = 3  # of its five epochs, when a run is stopped
RULE = Rule("sgd", learning_rate=0.1, momentum=0.5)
RULES = (RULE, Rule("adam", 0.01), Rule("sgd", 0.1, 0.9, 0.5, 2, "cosine", 5))


def check_converges(strategy: Strategy) -> None:
    """The mean of the data is the minimum of the quadratic: it must be found."""
    target = examples().features.mean(0)
    for workers in WORKERS:
        # Replicas that are averaged once in all that time have a minimum each; the mean of those is that of the whole.
        outcomes = train(with_rule(strategy, RULE), workers, stopping=FixedEpochs(EPOCHS))
        check_agree(outcomes, workers)
        off = float((outcomes[0].weights - target).abs().max())
        if not off < NEAR:
            raise BrokenContract(
                f"on {workers} workers it ends {off:.3g} from the minimum of a quadratic, after {EPOCHS} epochs at "
                f"rate {RULE.learning_rate}: every worker's gradient must count, once."
            )


def check_steps(strategy: Strategy) -> None:
    """Shards of 9 and of 8 examples make as many steps."""
    outcomes = train(with_rule(strategy, RULE), 7, classifier)
    check_agree(outcomes, 7)
    counts = [len(outcome.losses) for outcome in outcomes]
    if not counts[0] or len(set(counts)) > 1:
        raise BrokenContract(
            f"its ranks yield {counts} steps in three epochs: yield task.step(loss, batch) once for each batch."
        )


def check_repeats(strategy: Strategy) -> None:
    """Twice the same run."""
    for objective in OBJECTIVES:
        first, second = (train(with_rule(strategy, RULE), 3, objective) for _ in range(2))
        if not all(same(a, b) for a, b in zip(first, second, strict=True)):
            raise BrokenContract(
                "two runs under one seed end with different bits: draw from generators that the seed and the rank "
                "determine (anabranch.seeding.generator), and keep nothing from one run to the next."
            )


def check_resumes(strategy: Strategy) -> None:
    """Under every rule, on every objective."""
    for rule in RULES if has_rule(strategy) else RULES[:1]:
        for objective in OBJECTIVES:
            check_resumes_on(with_rule(strategy, rule), objective)


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
        if not (same(after, before) and after.losses == before.losses[-len(after.losses) :]):
            raise BrokenContract(
                "stopped and resumed it ends with other bits than unbroken: give every tensor that lives longer than "
                "an epoch to task.keep(name, tensor), before the first batch, and make optimizers by task.optimizer."
            )


def check_world(strategy: Strategy, comm: Communicator) -> None:
    """The ranks of `comm` must end with the bits of as many simulated ones. Collective."""
    for objective in OBJECTIVES:
        here = train_on(comm, with_rule(strategy, RULE), objective)
        there = train(with_rule(strategy, RULE), comm.size, objective)[comm.rank]
        if not same(here, there):
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

"""DiLoCo: replicas learn alone for hundreds of steps; their mean update is a gradient for an outer optimizer.

Douillard et al. 2023, "DiLoCo: Distributed low-communication training of language models", Algorithm 1:

    for outer step t = 1 … T
        for worker i = 1 … k
            θ_i(t) ← θ(t-1)
            for inner step h = 1 … H
                x ~ D_i;  L ← f(x, θ_i(t))
                θ_i(t) ← InnerOpt(θ_i(t), ∇L)           `rule`; the paper's is AdamW (--optimizer adamw)
        Δ(t) ← 1/k Σ (θ(t-1) - θ_i(t))                  `outer.py`
        θ(t) ← OuterOpt(θ(t-1), Δ(t))                   SGD with Nesterov's momentum

The state of InnerOpt stays with its worker, and goes on from one outer step to the next.

Deviations: the inner rule is SGD unless another is given (`DiLoCo()`: without momentum). A run that does not end on a
multiple of H makes one more outer step, with what was learnt since the last.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anabranch.comm.base import Communicator
from anabranch.optim import DEFAULT_RULE, Rule
from anabranch.strategies.outer import check_outer, train_in_rounds
from anabranch.strategies.rounds import check_every
from anabranch.strategies.task import Task
from anabranch.types import Step


@dataclass(frozen=True)
class DiLoCo:
    """Inner steps alone, outer steps together.

    Attributes:
        rule: the inner optimizer, of each replica.
        every: inner steps from one outer step to the next (H).
        outer_learning_rate: of the outer optimizer.
        outer_momentum: of the outer optimizer, Nesterov's.
    """

    rule: Rule = DEFAULT_RULE
    every: int = 500
    outer_learning_rate: float = 0.7
    outer_momentum: float = 0.9

    def __post_init__(self) -> None:
        check_every(self.every)
        check_outer(self.outer_learning_rate, self.outer_momentum)

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train replicas that meet rarely."""
        outer = Rule("sgd", self.outer_learning_rate, self.outer_momentum, nesterov=True)
        return train_in_rounds(task, comm, self.rule, outer, self.every)

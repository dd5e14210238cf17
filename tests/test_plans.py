"""From options to the parts they name."""

import pytest

from anabranch.config import Config, FineTuningOptions, ParallelOptions, TrainingOptions
from anabranch.plans import with_momenta


@pytest.mark.parametrize(
    ("strategy", "momentum", "early", "found"),
    [
        ("averaging", None, None, (0.9, 0.5)),
        ("averaging", 0.0, None, (0.0, 0.0)),  # plain descent from the first epoch on
        ("averaging", 0.3, None, (0.3, 0.3)),
        ("averaging", 0.8, None, (0.8, 0.5)),
        ("averaging", 0.0, 0.4, (0.0, 0.4)),
        ("averaging", None, 0.0, (0.9, 0.0)),
        ("downpour", None, None, (0.0, 0.0)),
        ("downpour", 0.9, None, (0.9, 0.5)),
    ],
)
def test_momenta_that_are_left_open(
    strategy: str, momentum: float | None, early: float | None, found: tuple[float, float]
) -> None:
    training = TrainingOptions(momentum=momentum, early_momentum=early)
    made = with_momenta(Config(parallel=ParallelOptions(strategy=strategy), training=training)).training
    assert (made.momentum, made.early_momentum) == found


def test_other_rules_than_sgd_have_no_momentum() -> None:
    config = Config(training=TrainingOptions(optimizer="adam"))
    made = with_momenta(config)
    assert (made.training.momentum, made.training.early_momentum, made.finetuning.finetune_momentum) == (0, 0, 0.9)
    made = with_momenta(Config(finetuning=FineTuningOptions(finetune_optimizer="adagrad")))
    assert (made.training.momentum, made.training.early_momentum, made.finetuning.finetune_momentum) == (0.9, 0.5, 0)

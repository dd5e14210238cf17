"""Options that a run would not heed are refused: they were meant for another kind of model or of strategy."""

from dataclasses import fields, replace

from anabranch.config import Config, FineTuningOptions, ModelOptions, TrainingOptions
from anabranch.errors import UsageError
from anabranch.plans import with_momenta
from anabranch.strategies.catalogue import find

_OF_ALL = ("finetune_epochs", "finetune_batch_size")
"""Of fine-tuning: how long may be said of many models at once; how large a minibatch is decided for every one."""


def check_heeded(config: Config) -> None:
    """Refuse changed options that nothing in this run heeds.

    Args:
        config: all options, resolved.

    Raises:
        UsageError: naming them, and what they are for.
    """
    name, strategy = config.model.model, config.parallel.strategy
    kind = name.partition(":")[0]
    if kind != "dbn":
        _refuse(_of_rbms(config), f"for the RBMs of a dbn, of which {name} has none")
        _refuse(_of_finetuning(config), f"for the fine-tuning of a dbn, which {name} is not")
    if kind != "mlp":
        _refuse(_of_mlps(config), f"for an mlp, which {name} is not")
    if not find(strategy).ruled:
        _refuse(_of_rules(config), f"for an update rule, and --strategy {strategy} has none")


def _of_rbms(config: Config) -> dict[str, bool]:
    m, t, usual = config.model, config.training, TrainingOptions()
    return {
        f"--units {m.units}": m.units != ModelOptions().units,
        f"--initial-std {m.initial_std}": m.initial_std != ModelOptions().initial_std,
        f"--weight-cost {t.weight_cost}": t.weight_cost != usual.weight_cost,
        f"--gibbs-steps {t.gibbs_steps}": t.gibbs_steps != usual.gibbs_steps,
        "--persistent": t.persistent != usual.persistent,
    }


def _of_mlps(config: Config) -> dict[str, bool]:
    m = config.model
    return {
        f"--activation {m.activation}": m.activation != ModelOptions().activation,
        f"--mlp-start {m.mlp_start}": m.mlp_start != ModelOptions().mlp_start,
    }


def _of_finetuning(config: Config) -> dict[str, bool]:
    f = config.finetuning
    left_open = with_momenta(replace(config, finetuning=replace(f, finetune_momentum=None))).finetuning
    usual = FineTuningOptions(finetune_momentum=left_open.finetune_momentum)
    names = [one.name for one in fields(f) if one.name not in _OF_ALL]
    return {
        f"--{name.replace('_', '-')} {getattr(f, name)}": getattr(f, name) != getattr(usual, name) for name in names
    }


def _of_rules(config: Config) -> dict[str, bool]:
    t, usual = config.training, TrainingOptions()
    left_open = with_momenta(replace(config, training=replace(t, momentum=None))).training
    return {
        f"--optimizer {t.optimizer}": t.optimizer != usual.optimizer,
        f"--learning-rate {t.learning_rate}": t.learning_rate != usual.learning_rate,
        f"--momentum {t.momentum}": t.momentum != left_open.momentum,
        f"--schedule {t.schedule}": t.schedule != usual.schedule,
    }


def _refuse(options: dict[str, bool], why: str) -> None:
    if found := [option for option, is_changed in options.items() if is_changed]:
        named = f"{', '.join(found)} {'is' if len(found) == 1 else 'are'}"
        raise UsageError(f"{named} {why}: leave {'it' if len(found) == 1 else 'them'} out.")

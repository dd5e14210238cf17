"""From options to the parts they name: update rules, stopping criteria, strategies, ranks."""

from dataclasses import replace

from anabranch.config import Config, FineTuningOptions, ParallelOptions, TrainingOptions
from anabranch.errors import UsageError
from anabranch.optim import Rule, RuleName
from anabranch.pretrain import Pretraining
from anabranch.seeding import derive_seed
from anabranch.strategies import Convergence, FixedEpochs, Stopping, Strategy, strategy
from anabranch.strategies.catalogue import CATALOGUE, Options, find
from anabranch.strategies.own_pace.hosting import Hosting
from anabranch.supervise import Supervision

FINE_TUNING, TRAINING = "fine-tuning", "training"  # names of tasks

USUAL_BATCH = 100  # Hinton's guide, section 6
LEAST_STEPS = 64  # an epoch, where the batch size is ours to choose


_LAYERS = int.from_bytes(b"layers")


def pretraining_plan(config: Config, batch: int) -> Pretraining:
    """How the layers of a DBN are trained, on minibatches of `batch` examples.

    Raises:
        UsageError: an option is out of its range, or two do not go together.
    """
    options = config.training
    return Pretraining(
        strategy=training_strategy(config),
        stopping=training_stopping(options),
        k=options.gibbs_steps,
        chains=batch if options.persistent else 0,
        weight_cost=options.weight_cost,
        precision=options.precision,
        seed=derive_seed(config.training.seed, _LAYERS),
    )


def training_plan(config: Config) -> Supervision:
    """How a model that is no DBN is trained.

    Raises:
        UsageError: as `pretraining_plan`.
    """
    options = config.training
    return Supervision(
        strategy=training_strategy(config),
        stopping=training_stopping(options),
        outputs=config.model.outputs,
        penalty=options.penalty,
        precision=options.precision,
        seed=options.seed,
        by_error=options.stop == "convergence",
    )


def finetuning_plan(config: Config) -> Supervision:
    """How a pretrained DBN is fine-tuned.

    Raises:
        UsageError: as `pretraining_plan`.
    """
    options = config.finetuning
    return Supervision(
        strategy=finetuning_strategy(config),
        stopping=finetuning_stopping(options),
        outputs=config.model.outputs,
        precision=config.training.precision,
        seed=config.training.seed,
        by_error=options.finetune_stop == "convergence",
    )


def batch_size(config: Config, examples: int) -> int:
    """Examples of a minibatch on each worker: as asked, or 100, or less where an epoch would have too few steps."""
    asked = config.training.batch_size
    return fitting_batch(examples, config.parallel.workers) if asked is None else asked


def finetuning_workers(config: Config) -> int:
    """How many workers fine-tune."""
    return 1 if config.finetuning.finetune_workers == "one" else config.parallel.workers


def finetuning_batch_size(config: Config, examples: int) -> int:
    """As `batch_size`, of fine-tuning."""
    asked = config.finetuning.finetune_batch_size
    return fitting_batch(examples, finetuning_workers(config)) if asked is None else asked


def fitting_batch(examples: int, workers: int) -> int:
    """Examples of a minibatch on each worker, where nobody asks for a number."""
    return max(min(USUAL_BATCH, examples // workers // LEAST_STEPS), min(2, examples // workers), 1)


def hosting(config: Config) -> Hosting | None:
    """Where the parameters are; None where every worker has its own.

    Raises:
        UsageError: options that do not go together, or with the strategy.
    """
    p = config.parallel
    if not find(p.strategy).hosted:
        given = {"--reassign": p.reassign, f"--server {p.server}": p.server != "auto"}
        given[f"--shards {p.shards}"] = p.shards != ParallelOptions().shards
        if what := next((option for option, changed in given.items() if changed), None):
            hosted = ", ".join(name for name, entry in CATALOGUE.items() if entry.hosted)
            raise UsageError(f"{what} does not go with --strategy {p.strategy}: it goes with {hosted}.")
        return None
    return Hosting.parse("window" if p.server == "auto" else p.server, p.shards, reassign=p.reassign)


def servers(config: Config) -> int:
    """Ranks that serve parameters; they come before the workers."""
    found = hosting(config)
    return found.servers if found else 0


def ranks(config: Config) -> int:
    """All ranks, workers and servers."""
    return config.parallel.workers + servers(config)


def with_momenta(config: Config) -> Config:
    """`config` with the momenta that it leaves open: Hinton's guide, section 9, or none under a plain strategy.

    Update rules other than sgd have none. The early one is at most the later one, so that `--momentum 0` is plain
    descent from the first epoch on.
    """
    t, f = config.training, config.finetuning
    of_sgd = 0.0 if find(config.parallel.strategy).plain else 0.9
    usual = of_sgd if t.optimizer == "sgd" else 0.0
    momentum = usual if t.momentum is None else t.momentum
    early = min(0.5, momentum) if t.early_momentum is None else t.early_momentum
    training = replace(t, momentum=momentum, early_momentum=early)
    usual = of_sgd if f.finetune_optimizer == "sgd" else 0.0
    tuned = usual if f.finetune_momentum is None else f.finetune_momentum
    return replace(config, training=training, finetuning=replace(f, finetune_momentum=tuned))


def check_momentum(momentum: float | None, rule: RuleName) -> None:
    """Refuse a momentum that somebody asks for, and `rule` does not have.

    Raises:
        UsageError: naming both.
    """
    if momentum and rule != "sgd":
        raise UsageError(f"momentum {momentum} is for sgd, but the update rule is {rule}: leave momentum out.")


def training_strategy(config: Config) -> Strategy:
    """The strategy of the main training, with its update rule."""
    t = with_momenta(config).training
    momentum, early = t.momentum or 0.0, t.early_momentum or 0.0
    rule = Rule(t.optimizer, t.learning_rate, momentum, early, t.early_epochs, t.schedule, t.epochs)
    return strategy(config.parallel.strategy, rule, _options(config))


def finetuning_strategy(config: Config) -> Strategy:
    """The strategy of fine-tuning, with its update rule."""
    f = with_momenta(config).finetuning
    rule = Rule(
        f.finetune_optimizer,
        f.finetune_learning_rate,
        f.finetune_momentum or 0.0,
        schedule=f.finetune_schedule,
        epochs=f.finetune_epochs,
    )
    return strategy(config.parallel.strategy, rule, _options(config))


def _options(config: Config) -> Options:
    p = config.parallel
    return Options(
        every=p.every,
        fetch_every=p.fetch_every,
        push_every=p.push_every,
        overlap=p.overlap or None,
        warm_start=p.warm_start,
        elasticity=p.elasticity,
        sample=p.sample,
        draws=p.draws,
        directions=p.directions,
        outer_learning_rate=p.outer_learning_rate,
        outer_momentum=p.outer_momentum,
        local_after=p.local_after,
        hosting=hosting(config),
    )


def training_stopping(options: TrainingOptions) -> Stopping:
    """When a layer, or the model, has been trained enough."""
    if options.stop == "convergence":
        return Convergence(options.tolerance, options.epochs)
    return FixedEpochs(options.epochs)


def finetuning_stopping(options: FineTuningOptions) -> Stopping:
    """When fine-tuning ends."""
    if options.finetune_stop == "convergence":
        return Convergence(options.finetune_tolerance, options.finetune_epochs)
    return FixedEpochs(options.finetune_epochs)

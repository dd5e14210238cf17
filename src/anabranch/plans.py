"""From options to the parts they name: update rules, stopping criteria, strategies."""

from anabranch.config import Config, FineTuningOptions, TrainingOptions
from anabranch.optim import Rule
from anabranch.pretrain import Pretraining
from anabranch.seeding import derive_seed
from anabranch.strategies import Convergence, FixedEpochs, Stopping, Strategy, strategy
from anabranch.strategies.catalogue import Options

FINE_TUNING, TRAINING = "fine-tuning", "training"  # names of tasks

USUAL_BATCH = 100  # Hinton's guide, section 6
LEAST_STEPS = 64  # an epoch, where the batch size is ours to choose


_LAYERS, _SUPERVISED = (int.from_bytes(word) for word in (b"layers", b"superv"))


def supervised_seed(config: Config, rank: int) -> int:
    """The seed of a rank's noise in fine-tuning, and in the training of a model that is no DBN."""
    return derive_seed(config.training.seed, _SUPERVISED, rank)


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


def batch_size(config: Config, examples: int) -> int:
    """Examples of a minibatch on each worker: as asked, or 100, or less where an epoch would have too few steps."""
    asked = config.training.batch_size
    return _fitting_batch(examples, config.parallel.workers) if asked is None else asked


def finetuning_workers(config: Config) -> int:
    """How many workers fine-tune."""
    return 1 if config.finetuning.finetune_workers == "one" else config.parallel.workers


def finetuning_batch_size(config: Config, examples: int) -> int:
    """As `batch_size`, of fine-tuning."""
    asked = config.finetuning.finetune_batch_size
    return _fitting_batch(examples, finetuning_workers(config)) if asked is None else asked


def _fitting_batch(examples: int, workers: int) -> int:
    return max(min(USUAL_BATCH, examples // workers // LEAST_STEPS), min(2, examples // workers), 1)


def training_strategy(config: Config) -> Strategy:
    """The strategy of the main training, with its update rule."""
    t = config.training
    rule = Rule(t.optimizer, t.learning_rate, t.momentum, t.early_momentum, t.early_epochs, t.schedule, t.epochs)
    return strategy(config.parallel.strategy, rule, Options(config.parallel.every))


def finetuning_strategy(config: Config) -> Strategy:
    """The strategy of fine-tuning, with its update rule."""
    f = config.finetuning
    rule = Rule(
        f.finetune_optimizer,
        f.finetune_learning_rate,
        f.finetune_momentum,
        schedule=f.finetune_schedule,
        epochs=f.finetune_epochs,
    )
    return strategy(config.parallel.strategy, rule, Options(config.parallel.every))


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

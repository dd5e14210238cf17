"""The speed of a run's tasks, and the part it is of what the machine's matrix products alone would allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from anabranch.config import Config
from anabranch.data.sharding import shard_length, steps_per_epoch
from anabranch.limit import Products, back_propagation, contrastive_divergence, step_seconds
from anabranch.models import DBN
from anabranch.objectives import Precision
from anabranch.plans import FINE_TUNING, TRAINING, batch_size, finetuning_batch_size, finetuning_workers
from anabranch.pretrain import layer_name

WORTH_SECONDS = 1.0  # of training, from where measuring a task's limit is worth its time


@dataclass(frozen=True)
class Work:
    """What a task does over and over.

    Attributes:
        products: of one step of one worker.
        batch: examples of that step.
        processes: how many take steps at the same time.
    """

    products: Products
    batch: int
    processes: int

    def limit(self, precision: Precision) -> float:
        """Examples a second that the products alone would allow, if all processes were as fast as this one is now."""
        return self.processes * self.batch / step_seconds(self.products, self.batch, precision)


def works(config: Config, model: nn.Module, network: nn.Module | None, examples: int) -> dict[str, Work]:
    """The work of each task by its name. What a module of the user's own computes is not known: it has none.

    Args:
        config: all options.
        model: what was trained: a DBN, or another network.
        network: what classifies: the fine-tuned copy of a DBN, or `model` itself; None for an unsupervised run.
        examples: in the training data.
    """
    workers, most = config.parallel.workers, batch_size(config, examples)
    if isinstance(model, DBN):
        t = config.training
        steps = partial(contrastive_divergence, k=t.gibbs_steps, persistent=t.persistent)
        found = {
            layer_name(number, rbm): _work(config, steps(rbm.visible, rbm.hidden), examples, workers, most)
            for number, rbm in enumerate(model.layers)
        }
        if network is not None:
            products, most = back_propagation(_sizes(network)), finetuning_batch_size(config, examples)
            found[FINE_TUNING] = _work(config, products, examples, finetuning_workers(config), most)
        return found
    if config.model.model.startswith("mlp:"):
        return {TRAINING: _work(config, back_propagation(_sizes(model)), examples, workers, most)}
    return {}


def with_speeds(
    tasks: Sequence[dict[str, Any]], works: Mapping[str, Work], precision: Precision
) -> list[dict[str, Any]]:
    """The tasks' summaries with their speeds; the limits are measured now, by this process."""
    return [task | speed(task["examples"], task["seconds"], works.get(task["task"]), precision) for task in tasks]


def speed(examples: int, seconds: float, work: Work | None, precision: Precision) -> dict[str, float | None]:
    """The speed of a task that used `examples` in `seconds`.

    Figures that are not known are None: of a task without `work`, and the limit of one too short to measure it.
    """
    rate = examples / seconds if seconds else None
    limit = work.limit(precision) if work and seconds >= WORTH_SECONDS else None
    return {
        "samples_per_second": round(rate, 1) if rate else None,
        "gflop_per_second": round(rate * work.products.flop / 1e9, 3) if rate and work else None,
        "limit_samples_per_second": round(limit, 1) if limit else None,
        "fraction_of_limit": round(rate / limit, 3) if rate and limit else None,
    }


def _work(config: Config, products: Products, examples: int, workers: int, most: int) -> Work:
    """The work of `workers` that take at most so many examples a step."""
    steps = steps_per_epoch(examples, workers, most)
    batch = -(-shard_length(examples, 0, workers) // steps)
    return Work(products, batch, workers if config.parallel.world == "mpi" else 1)


def _sizes(network: nn.Module) -> list[int]:
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return [linear[0].in_features, *(layer.out_features for layer in linear)]

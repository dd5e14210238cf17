"""What is simulated on each number of workers: the options resolved, and the stage that they ask for."""

import torch

from anabranch.build import outlined
from anabranch.cluster import Cluster
from anabranch.config import Config
from anabranch.data import Dataset
from anabranch.errors import UsageError
from anabranch.models import DBN
from anabranch.objectives.base import weight_dtype
from anabranch.plans import servers
from anabranch.simulate.loads import loads
from anabranch.simulate.stage import Stage
from anabranch.strategies.catalogue import find
from anabranch.trainer import COMMON, Parts


def make_stage(
    config: Config, dataset: Dataset, cluster: Cluster, per_node: int | None, parts: Parts = COMMON
) -> Stage:
    """The stage for a run with these options, which must be resolved, and these parts of a program's.

    Raises:
        UsageError: the cluster has no room for the workers, no speed for their work, or no memory that they share.
    """
    precision = config.training.precision
    model = outlined(parts.build, config.model, dataset, config.training.seed, weight_dtype(precision))
    network = None
    if isinstance(model, DBN) and config.finetuning.finetune_epochs and dataset.classes:
        with torch.device("meta"):
            network = model.classifier(dataset.classes, dropout=config.finetuning.finetune_dropout)
    work = loads(config, dataset, model, network, parts.loss)
    stage = Stage(cluster, config.parallel.workers, per_node, work, precision, servers(config), config.training.seed)
    strategy = config.parallel.strategy
    if find(strategy).one_node and (used := stage.placement.nodes_used) > 1:
        raise UsageError(
            f"the workers of --strategy {strategy} share one memory, but lie on {used} nodes of {cluster.name}: take "
            "fewer, or more on a node (--tasks-per-node), or another strategy."
        )
    for name in work:
        stage.seconds(name)(1, True)
    _ = stage.world()  # refuses what a network cannot be, before hours of the first counts
    return stage

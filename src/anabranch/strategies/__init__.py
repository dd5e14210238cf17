"""Strategies: one algorithm, one paper, one file; and the catalogue of them."""

from anabranch.strategies.allreduce import Allreduce
from anabranch.strategies.averaging import Averaging
from anabranch.strategies.base import Staged, Strategy, as_it_is, carry_out
from anabranch.strategies.bmuf import BMUF
from anabranch.strategies.catalogue import CATALOGUE, strategy
from anabranch.strategies.diloco import DiLoCo
from anabranch.strategies.downpour import Downpour
from anabranch.strategies.elastic import Elastic, ElasticSync
from anabranch.strategies.fetch_push import FetchAdd, FetchPut
from anabranch.strategies.hogwild import Hogwild
from anabranch.strategies.monitor import EpochReport, Journal, Monitor, Silent, TaskState, Throughput
from anabranch.strategies.own_pace.hosting import Hosting
from anabranch.strategies.post_local import PostLocal
from anabranch.strategies.sampled_averaging import SampledAveraging
from anabranch.strategies.shard import Shard
from anabranch.strategies.stopping import Convergence, FixedEpochs, Stopping
from anabranch.strategies.task import Task

__all__ = [
    "BMUF",
    "CATALOGUE",
    "Allreduce",
    "Averaging",
    "Convergence",
    "DiLoCo",
    "Downpour",
    "Elastic",
    "ElasticSync",
    "EpochReport",
    "FetchAdd",
    "FetchPut",
    "FixedEpochs",
    "Hogwild",
    "Hosting",
    "Journal",
    "Monitor",
    "PostLocal",
    "SampledAveraging",
    "Shard",
    "Silent",
    "Staged",
    "Stopping",
    "Strategy",
    "Task",
    "TaskState",
    "Throughput",
    "as_it_is",
    "carry_out",
    "strategy",
]

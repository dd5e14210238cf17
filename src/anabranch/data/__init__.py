"""Data: where examples come from, how their values are scaled, and which worker trains on which of them.

`load` reads a named data set or a file, `from_torch` takes a PyTorch data set, and both give a checked `Dataset` of two
`Examples`. `shard` and `epoch_batches` are pure functions that say who trains on what, in which order.
"""

from anabranch.data.checks import check_unit_interval
from anabranch.data.dataset import Dataset
from anabranch.data.examples import Examples, in_memory
from anabranch.data.given import Source, as_dataset
from anabranch.data.parts import Division
from anabranch.data.scaling import Scale, Scaling, fit
from anabranch.data.sharding import (
    check_sharding,
    epoch_batches,
    shard,
    shard_length,
    smallest_batch,
    steps_per_epoch,
)
from anabranch.data.sketch import Sketch, sketch
from anabranch.data.sources import FORMATS, SOURCES, load, load_unscaled
from anabranch.data.torch_dataset import from_torch

__all__ = [
    "FORMATS",
    "SOURCES",
    "Dataset",
    "Division",
    "Examples",
    "Scale",
    "Scaling",
    "Sketch",
    "Source",
    "as_dataset",
    "check_sharding",
    "check_unit_interval",
    "epoch_batches",
    "fit",
    "from_torch",
    "in_memory",
    "load",
    "load_unscaled",
    "shard",
    "shard_length",
    "sketch",
    "smallest_batch",
    "steps_per_epoch",
]

"""Anabranch: distributed neural-network training, simulated and on MPI, with the same code.

What a program may use is here, and imported when it is looked up: `import anabranch` waits for nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anabranch.comm import Communicator as Communicator
    from anabranch.data import Dataset as Dataset
    from anabranch.data import load as load
    from anabranch.estimators import BernoulliRBM as BernoulliRBM
    from anabranch.estimators import DBNClassifier as DBNClassifier
    from anabranch.estimators import MLPClassifier as MLPClassifier
    from anabranch.fitting import Epoch as Epoch
    from anabranch.fitting import Fit as Fit
    from anabranch.fitting import fit as fit
    from anabranch.fitting import mpi as mpi
    from anabranch.fitting import simulated as simulated
    from anabranch.fitting import task as task
    from anabranch.optim import Rule as Rule
    from anabranch.strategies import BMUF as BMUF
    from anabranch.strategies import Allreduce as Allreduce
    from anabranch.strategies import Averaging as Averaging
    from anabranch.strategies import DiLoCo as DiLoCo
    from anabranch.strategies import Downpour as Downpour
    from anabranch.strategies import Elastic as Elastic
    from anabranch.strategies import ElasticSync as ElasticSync
    from anabranch.strategies import FetchAdd as FetchAdd
    from anabranch.strategies import FetchPut as FetchPut
    from anabranch.strategies import Hogwild as Hogwild
    from anabranch.strategies import PostLocal as PostLocal
    from anabranch.strategies import SampledAveraging as SampledAveraging
    from anabranch.strategies import Strategy as Strategy
    from anabranch.strategies import Task as Task
    from anabranch.types import Batch as Batch
    from anabranch.types import Step as Step

__version__ = "0.1.0"

_STRATEGIES = (
    *("Allreduce", "Averaging", "BMUF", "DiLoCo", "Downpour", "Elastic", "ElasticSync", "FetchAdd", "FetchPut"),
    *("Hogwild", "PostLocal", "SampledAveraging", "Strategy", "Task"),
)
_PUBLIC = {
    **dict.fromkeys(("Epoch", "Fit", "fit", "mpi", "simulated", "task"), "anabranch.fitting"),
    **dict.fromkeys(("BernoulliRBM", "DBNClassifier", "MLPClassifier"), "anabranch.estimators"),
    **dict.fromkeys(_STRATEGIES, "anabranch.strategies"),
    **dict.fromkeys(("Dataset", "load"), "anabranch.data"),
    **dict.fromkeys(("Batch", "Step"), "anabranch.types"),
    "Communicator": "anabranch.comm",
    "Rule": "anabranch.optim",
}
"""Where each public name is found."""


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'anabranch' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})

"""Anabranch: distributed neural-network training, simulated and on MPI, with the same code."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["BernoulliRBM", "DBNClassifier", "MLPClassifier", "__version__"]

if TYPE_CHECKING:
    from anabranch.estimators import BernoulliRBM, DBNClassifier, MLPClassifier
else:  # a type checker must not take every name for one of these

    def __getattr__(name: str) -> object:
        """The estimators, when they are asked for: torch and scikit-learn take seconds to import."""
        if name in __all__:
            return getattr(import_module("anabranch.estimators"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

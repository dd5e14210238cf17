"""Estimators in scikit-learn's manner: restricted Boltzmann machines, deep belief networks, multilayer perceptrons.

They train in this process, on as many simulated workers as one likes: the same training as `anabranch train`, without
its files. Workers that are processes of their own are the command's affair.
"""

from anabranch.estimators.dbn import DBNClassifier
from anabranch.estimators.mlp import MLPClassifier
from anabranch.estimators.rbm import BernoulliRBM

__all__ = ["BernoulliRBM", "DBNClassifier", "MLPClassifier"]

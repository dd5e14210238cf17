"""Models: plain torch modules whose parameters are views of one flat tensor."""

from anabranch.models.dbn import DBN
from anabranch.models.flat import flat_parameters, trained_parameters
from anabranch.models.mlp import Activation, Start, mlp
from anabranch.models.rbm import RBM, VisibleUnits

__all__ = ["DBN", "RBM", "Activation", "Start", "VisibleUnits", "flat_parameters", "mlp", "trained_parameters"]

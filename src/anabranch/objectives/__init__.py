"""Objectives: flat weights, and the gradient of a loss on one batch."""

from anabranch.objectives.backprop import BackPropagation, Loss
from anabranch.objectives.base import Objective, Precision
from anabranch.objectives.contrastive import ContrastiveDivergence
from anabranch.objectives.feedforward import SigmoidBackPropagation
from anabranch.objectives.outputs import Outputs, back_propagation
from anabranch.objectives.penalised import Penalised, check_penalty
from anabranch.objectives.plain import PlainContrastiveDivergence
from anabranch.objectives.warm import warm_up

__all__ = [
    "BackPropagation",
    "ContrastiveDivergence",
    "Loss",
    "Objective",
    "Outputs",
    "Penalised",
    "PlainContrastiveDivergence",
    "Precision",
    "SigmoidBackPropagation",
    "back_propagation",
    "check_penalty",
    "warm_up",
]

"""Update rules of torch.optim on one flat tensor, with their schedules; and minimising by line searches."""

from anabranch.optim.line_search import Directions, minimise
from anabranch.optim.rule import DEFAULT_RULE, FlatOptimizer, Momentum, Rule, RuleName, Schedule

__all__ = ["DEFAULT_RULE", "Directions", "FlatOptimizer", "Momentum", "Rule", "RuleName", "Schedule", "minimise"]

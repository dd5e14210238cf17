"""Update rules of torch.optim on one flat tensor, with their schedules."""

from anabranch.optim.rule import DEFAULT_RULE, FlatOptimizer, Momentum, Rule, RuleName, Schedule

__all__ = ["DEFAULT_RULE", "FlatOptimizer", "Momentum", "Rule", "RuleName", "Schedule"]

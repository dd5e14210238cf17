"""For strategies of a user's own: the contract that ours keep, and the small tasks that it tries them on."""

from anabranch.testing.contract import CHECKS, BrokenContract, check_strategy, check_world

__all__ = ["CHECKS", "BrokenContract", "check_strategy", "check_world"]

"""For strategies of a user's own: the contract that ours keep, and the small tasks that it tries them on."""

from anabranch.testing.contract import check_strategy, check_world
from anabranch.testing.trying import BrokenContract

__all__ = ["BrokenContract", "check_strategy", "check_world"]

"""What the process has imported that the cells of an experiment are forked from: all that takes seconds."""

from anabranch.cli import simulate, train  # noqa: F401
from anabranch.objectives.warm import warm_up

warm_up("float32")  # reads what Numba has compiled

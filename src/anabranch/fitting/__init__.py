"""Training from a Python program: `fit`, which is `anabranch train` as a function; parts for a loop of one's own."""

from anabranch.fitting.loop import mpi, simulated, task
from anabranch.fitting.result import Epoch, Fit
from anabranch.fitting.run import fit

__all__ = ["Epoch", "Fit", "fit", "mpi", "simulated", "task"]

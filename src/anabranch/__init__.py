"""Anabranch: distributed neural-network training, simulated and on MPI, with the same code."""

__version__ = "0.1.0"

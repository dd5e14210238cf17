"""Experiments in the simulated world: sweeps over the number of workers."""

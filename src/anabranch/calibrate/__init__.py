"""Measuring a machine: how fast it trains and how fast its ranks talk, as a cluster on which training is simulated."""

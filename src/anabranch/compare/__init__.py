"""`anabranch compare`: strategies on equal terms.

Each contender has the same network and data, the same initial weights and order of the data for the same seed, the same
evaluator and the same budget of learning rates, tried on a validation part; then each trains with several seeds. The
ranking says which differences are beyond the noise.
"""

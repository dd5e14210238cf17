"""The papers' own experiments: what they ran, what they found, and what comes out here. One file a paper."""

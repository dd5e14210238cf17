"""What this machine offers and what is wrong with it: sights are gathered, and checks make findings of them.

A sight is plain data (`sights.py`), a check a pure function from a sight to findings (`checks_*.py`), so that every
problem can be put before its check without a machine that has it. Nothing here imports torch, MPI or Numba before it is
looked at: where one is broken, the others are still to be checked.
"""

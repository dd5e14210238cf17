"""Whether commands end with a page, and sweeps with pictures."""

import os

PAGES = "ANABRANCH_PAGES"
"""Environment variable: with "none" `train`, `simulate` and `reproduce` write no page, which takes five megabytes, and
`simulate` draws no picture of its table, which takes longer than a small run.

It is set for the runs of an experiment. `anabranch report` writes a page all the same.
"""


def wanted() -> bool:
    """Whether a command that has made something is to show it."""
    return os.environ.get(PAGES) != "none"

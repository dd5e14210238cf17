"""Whether commands end with a page."""

import os

PAGES = "ANABRANCH_PAGES"
"""Environment variable: "none" has `train`, `simulate` and `reproduce` write no page, which takes five megabytes.

It is set for the runs of an experiment. `anabranch report` writes a page all the same.
"""


def wanted() -> bool:
    """Whether a command that has made something is to write its page."""
    return os.environ.get(PAGES) != "none"

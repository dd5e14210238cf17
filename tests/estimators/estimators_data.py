"""Small data that several tests of estimators share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

PATTERNS = (np.random.RandomState(0).rand(60, 12) > 0.6).astype(np.float64)
"""Binary, [60, 12]."""

_CENTRES = np.random.RandomState(1).rand(3, 12)
NUMBERS = np.arange(60) % 3
CLOUDS = np.clip(_CENTRES[NUMBERS] + np.random.RandomState(2).normal(0, 0.1, (60, 12)), 0, 1)
"""Three classes that are easy to tell apart, [60, 12] in [0, 1]."""

NAMES = np.array(["ape", "bear", "cat"])[NUMBERS]

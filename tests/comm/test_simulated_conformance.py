"""The table of checks in the simulated world, bare and counted."""

import pytest
from conformance import CHECKS

from anabranch.comm import Counting, SimulatedWorld


@pytest.mark.parametrize("size", [1, 2, 4, 7])
@pytest.mark.parametrize("name", CHECKS)
def test_simulated(name: str, size: int) -> None:
    SimulatedWorld(size).run(CHECKS[name])


@pytest.mark.parametrize("name", CHECKS)
def test_counted(name: str) -> None:
    SimulatedWorld(3).run(lambda comm: CHECKS[name](Counting(comm)))

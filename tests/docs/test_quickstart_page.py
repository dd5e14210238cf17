"""docs/quickstart.md: a newcomer's first network learns."""

import re

from running import Ran

PAGE = "docs/quickstart.md"


def test_the_network_of_ones_own_learns(ran: Ran) -> None:
    (python,) = ran.of_python()
    (error,) = re.findall(r"test error (\d+\.\d)%", python.said)
    assert float(error) < 10


def test_every_kind_of_world_was_tried(ran: Ran) -> None:
    trained = [each.command for each in ran.of_commands("anabranch", "train")]
    assert any("mpi" in command for command in trained)
    assert any("8" in command for command in trained)
    assert ran.of_commands("anabranch", "simulate")
    assert ran.of_commands("anabranch", "compare")

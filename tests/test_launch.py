"""What can be told of launching without starting anything."""

import pytest

from anabranch.comm.cores import share_of_cores
from anabranch.comm.simulated import SimulatedWorld
from anabranch.comm.text import share_text
from anabranch.launch import useful_threads


def test_short_steps_get_one_thread_and_long_ones_all_cores() -> None:
    assert useful_threads(parameters=150_000, batch=22, cores=8) == 1
    assert useful_threads(parameters=1_600_000, batch=125, cores=8) == 8


@pytest.mark.parametrize(
    ("users", "share"),
    [
        ([1], 1),  # bound to a core of its own
        ([1, 1, 1, 1], 4),  # four cores for each task
        ([2, 2, 2, 2], 2),  # two ranks that may run anywhere on four cores
        ([3, 3, 3, 3], 1),
        ([3, 3, 3], 1),  # three thirds are one, not 0.999…
        ([40, 40], 1),  # oversubscribed
    ],
)
def test_cores_are_shared_out_among_those_that_may_use_them(users: list[int], share: int) -> None:
    assert share_of_cores(users) == share


@pytest.mark.parametrize("text", ["", "runs/digits", "Größe/日本"])
def test_a_text_reaches_all_ranks(text: str) -> None:
    assert SimulatedWorld(3).run(lambda comm: share_text(comm, text if comm.rank == 0 else "")) == [text] * 3

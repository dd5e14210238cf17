"""Memory that is shared without order has the methods of a window."""

import pytest
import torch

from anabranch.server.racing import Racing


def ramp() -> Racing:
    return Racing(torch.arange(6.0))


def test_get_put_accumulate() -> None:
    window, out = ramp(), torch.zeros(2)
    window.get(0, out, 3)
    assert out.tolist() == [3, 4]
    window.put(0, torch.tensor([-1.0, -2.0]), 1)
    window.accumulate(0, torch.tensor([10.0]), 5)
    assert window.local.tolist() == [0, -1, -2, 3, 4, 15]
    window.get_accumulate(0, torch.ones(2), out, 1)
    assert out.tolist() == [-1, -2]
    assert window.local.tolist() == [0, 0, -1, 3, 4, 15]


def test_the_default_is_to_start_at_the_first() -> None:
    window, out = ramp(), torch.zeros(6)
    window.accumulate(0, torch.ones(6))
    window.get(0, out)
    assert out.tolist() == [1, 2, 3, 4, 5, 6]


def test_what_is_started_is_done() -> None:
    window, out = ramp(), torch.zeros(6)
    adding = window.start_accumulate(0, torch.ones(2), 4)
    assert adding.done()
    getting = window.start_get(0, out)
    assert getting.done()
    getting.wait()
    adding.wait()
    assert out.tolist() == [0, 1, 2, 3, 5, 6]


def test_a_copy_is_a_copy() -> None:
    window, out = ramp(), torch.zeros(6)
    window.get(0, out)
    window.put(0, torch.zeros(6))
    assert out.tolist() == [0, 1, 2, 3, 4, 5]


def test_several_see_one_memory() -> None:
    memory = torch.zeros(3)
    for window in (Racing(memory), Racing(memory)):
        window.accumulate(0, torch.ones(3))
    assert memory.tolist() == [2, 2, 2]


def test_it_cannot_count() -> None:
    with pytest.raises(NotImplementedError, match="open a window for the counters"):
        ramp().fetch_add(0, 0, 1)

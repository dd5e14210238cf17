"""Ranks share a thread, but not torch's modes."""

import pytest
import torch

from anabranch.comm import SimulatedCommunicator, SimulatedWorld

Mode = tuple[bool, bool]


def mode() -> Mode:
    return torch.is_grad_enabled(), torch.is_inference_mode_enabled()


@pytest.mark.parametrize("block", [torch.no_grad, torch.inference_mode])
def test_a_block_of_one_rank_does_not_reach_the_others(block: type[torch.no_grad]) -> None:
    def program(comm: SimulatedCommunicator) -> list[Mode]:
        seen = []
        for _ in range(2):
            if comm.rank == 1:
                with block():
                    comm.barrier()
                    seen.append(mode())
                    comm.elapse(1 + comm.rank)
                    seen.append(mode())
            else:
                comm.barrier()
                seen.append(mode())
                comm.elapse(1)
                seen.append(mode())
            seen.append(mode())
        return seen

    with block():
        inside = mode()
    normal = (True, False)
    zero, one, two = SimulatedWorld(3).run(program)
    assert zero == two == [normal] * 6
    assert one == [inside, inside, normal] * 2
    assert mode() == normal


@pytest.mark.parametrize("block", [torch.no_grad, torch.inference_mode])
def test_the_block_around_the_world_holds_in_it(block: type[torch.no_grad]) -> None:
    def program(comm: SimulatedCommunicator) -> list[Mode]:
        seen = [mode()]
        with torch.enable_grad():
            comm.barrier()
            seen.append(mode())
        comm.barrier()
        return [*seen, mode()]

    with block():
        outside = mode()
        results = SimulatedWorld(2).run(program)
        assert mode() == outside
    assert results == [[outside, (True, outside[1]), outside]] * 2
    assert mode() == (True, False)


@pytest.mark.parametrize("block", [torch.no_grad, torch.inference_mode])
def test_a_failure_leaves_the_callers_modes(block: type[torch.no_grad]) -> None:
    def program(comm: SimulatedCommunicator) -> None:
        with block():
            comm.barrier()
            if comm.rank == 1:
                raise ValueError("broken")
            comm.barrier()

    with pytest.raises(ValueError, match="broken"):
        SimulatedWorld(3).run(program)
    assert mode() == (True, False)
    x = torch.ones(1, requires_grad=True)
    assert (2 * x).requires_grad

"""A run goes on with the data with which it began, and all ranks have the same."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.data import Dataset, Examples
from anabranch.errors import CheckpointError, DataError
from anabranch.runfolder import RunFolder
from anabranch.samedata import check_same_data


def drawn(seed: int) -> Dataset:
    rows = torch.rand(12, 4, generator=torch.Generator().manual_seed(seed))
    return Dataset("drawn", Examples(rows[:9]), Examples(rows[9:]))


def check_here(data: Dataset, folder: RunFolder | None) -> None:
    SimulatedWorld(1).run(lambda comm: check_same_data(data, comm, folder))


def test_a_folder_keeps_to_the_data_with_which_it_began(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    check_here(drawn(0), folder)
    noted = folder.data.read_bytes()
    check_here(drawn(0), folder)
    with pytest.raises(DataError, match=r"began with \(other values\): put the data back as they were, or start a new"):
        check_here(drawn(1), folder)
    shorter = replace(drawn(0), train=drawn(0).train.subset(torch.arange(8)))
    with pytest.raises(DataError, match=r"\(8 examples in place of 9\)"):
        check_here(shorter, folder)
    assert folder.data.read_bytes() == noted


@pytest.mark.parametrize("content", ["", "[1]", '{"examples": 9}', '{"values": [], "colour": 3}'])
def test_a_damaged_note(content: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.data.write_text(content)
    with pytest.raises(CheckpointError, match=r"data\.json cannot be read: delete it to take the data as they are"):
        check_here(drawn(0), folder)
    folder.data.unlink()
    check_here(drawn(0), folder)


def test_ranks_with_other_data_are_named_and_take_no_virtual_time() -> None:
    def check(comm: Communicator) -> float:
        check_same_data(drawn(int(comm.rank == 2 and odd)), comm, None)
        return comm.clock()

    odd = False
    assert SimulatedWorld(4).run(check) == [0.0] * 4
    odd = True
    with pytest.raises(DataError, match=r"on rank 2 is not what rank 0 has \(other values\): give all ranks the same"):
        SimulatedWorld(4).run(check)

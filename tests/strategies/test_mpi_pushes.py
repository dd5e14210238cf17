"""What becomes of concurrent pushes on MPI: additions are all kept, puts are not."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "comm"))

from launching import find_mpirun, run_mpi
from mpi_pushes import TIMES

pytestmark = pytest.mark.skipif(find_mpirun() is None, reason="no mpirun beside this Python or on the path")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("pushes")
    done = run_mpi(4, Path(__file__).parent / "mpi_pushes.py", [str(folder / "out.json")], folder)
    assert (folder / "out.json").exists(), f"{done.returncode}: {done.stdout} {done.stderr}"
    content: dict[str, Any] = json.loads((folder / "out.json").read_text())
    return content


@pytest.mark.parametrize(
    ("hosting", "workers", "shards"),
    [("window contiguous", 4, 4), ("window hashed", 4, 1), ("ranks:1 contiguous", 3, 1), ("ranks:2 hashed", 2, 3)],
)
def test_no_addition_is_lost(found: dict[str, Any], hosting: str, workers: int, shards: int) -> None:
    assert found[f"{hosting} Add"] == [workers * TIMES, workers * TIMES]
    assert found[f"{hosting} Add pushes"] == workers * TIMES * shards


@pytest.mark.parametrize(("hosting", "first"), [("ranks:1 contiguous", 1), ("ranks:2 hashed", 2)])
def test_the_first_server_has_the_buffers_of_the_first_worker(found: dict[str, Any], hosting: str, first: int) -> None:
    assert found[f"{hosting} Add buffers"] == first


@pytest.mark.parametrize("hosting", ["window contiguous", "ranks:1 contiguous"])
def test_puts_overwrite_each_other(found: dict[str, Any], hosting: str) -> None:
    """Of three or four workers' updates far from all are left, but at least the last worker's own."""
    workers = 3 if hosting.startswith("ranks") else 4
    _, most = found[f"{hosting} Put"]
    assert 1 <= most < workers * TIMES
    assert found[f"{hosting} Put pushes"] % TIMES == 0


def test_racing_additions_may_be_lost_but_few(found: dict[str, Any]) -> None:
    least, most = found["shared contiguous Add"]
    assert 0.5 * 4 * TIMES < least <= most <= 4 * TIMES

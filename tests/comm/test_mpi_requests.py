"""What goes on while a rank computes, where MPI needs more than the table of checks: one mpirun of two ranks."""

import json
from pathlib import Path

import pytest
from launching import find_mpirun, run_mpi

pytestmark = pytest.mark.skipif(find_mpirun() is None, reason="no mpirun beside this Python or on the path")
MAIN = Path(__file__).parent / "mpi_requests.py"


def test_requests(tmp_path: Path) -> None:
    done = run_mpi(2, MAIN, [str(tmp_path)], tmp_path)
    output = f"mpirun ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    tables = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    for rank, table in enumerate(tables):
        for name, trace in table.items():
            assert trace is None, f"rank {rank}, {name}: {trace}\n{output}"
    assert len(tables[0]) == len(tables[1]) == 15, output
    assert done.returncode == 0, output

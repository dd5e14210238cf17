"""The table of checks on MPI: one mpirun for each number of ranks."""

import json
from functools import cache
from pathlib import Path

import pytest
from conformance import CHECKS
from launching import find_mpirun, run_mpi

pytestmark = pytest.mark.skipif(find_mpirun() is None, reason="no mpirun beside this Python or on the path")
MAIN = Path(__file__).parent / "mpi_main.py"
Outcomes = dict[str, list[str | None]]


class Runs:
    """The outcomes of each number of ranks, run when first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.outcomes = cache(self._run)

    def _run(self, ranks: int) -> tuple[Outcomes, str]:
        out = self._directory / f"{ranks}.json"
        done = run_mpi(ranks, MAIN, [str(out)], self._directory)
        table: Outcomes = json.loads(out.read_text()) if out.exists() else {}
        return table, f"mpirun ended with {done.returncode}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("mpi"))


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("name", CHECKS)
def test_mpi(name: str, ranks: int, runs: Runs) -> None:
    table, output = runs.outcomes(ranks)
    assert name in table, f"the check never ended: {output}"
    for rank, trace in enumerate(table[name]):
        assert trace is None, f"rank {rank}: {trace}"
    assert len(table[name]) == ranks

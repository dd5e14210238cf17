"""A death under ULFM. mpirun's exit code does not tell how it went: the survivors' files do."""

import json
from pathlib import Path

import pytest
from launching import find_mpirun, run_mpi

pytestmark = pytest.mark.skipif(find_mpirun() is None, reason="no mpirun beside this Python or on the path")
MAIN = Path(__file__).parent / "mpi_death.py"


def test_the_survivors_shrink_and_go_on(tmp_path: Path) -> None:
    done = run_mpi(3, MAIN, [str(tmp_path)], tmp_path, extra=["--with-ft", "ulfm"])
    seen = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    waited = 4 * [[1]]  # a receive and a send, each asked twice
    expected = {"waited": waited, "lost": [1], "failed": [1], "size": 2, "sum": [4.0], "provides": True}
    assert seen == {
        "0": expected | {"heard": ["lost [1]", "message from 2"]},
        "2": expected | {"heard": []},
    }, f"{done.stdout}\n{done.stderr}"

"""The benchmark of the parameter server's transports, on few parameters: its tables have what they should have."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "benchmarks" / "parameter_server.py"
OPERATIONS = [
    ("raw", "fetch"),
    ("raw", "push"),
    ("window", "fetch"),
    ("window", "push"),
    ("served", "fetch"),
    ("served", "push"),
    ("served", "push, applied"),
    ("served, SGD", "fetch"),
    ("served, SGD", "push"),
    ("served, SGD", "push, applied"),
]

pytestmark = pytest.mark.benchmark


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True, check=False)


def test_both_transports(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    sizes = ["--parameters", "5000", "--seconds", "0.5", "--rounds", "2", "--repeats", "3"]
    done = run(*sizes, "--out", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    content: dict[str, Any] = json.loads(file.read_text())
    assert set(content) == {"machine", "settings", "progress", "transports"}

    computed = content["progress"]
    assert computed["owner_seconds"] >= 0.5
    assert computed["products"] > 0
    assert [row["operation"] for row in computed["rows"]] == ["fetch", "push"]
    for row in computed["rows"]:
        assert 0 < row["finished"] <= row["tried"]
        assert 0 < row["median_ms"] <= row["worst_ms"]
        assert row["first_ms"] < 1000 * computed["owner_seconds"]
        assert f"| {row['operation']} " in done.stdout

    rows = content["transports"]["rows"]
    assert [(row["transport"], row["operation"]) for row in rows] == 2 * OPERATIONS
    assert [row["bytes"] for row in rows] == [4] * len(OPERATIONS) + [20_000] * len(OPERATIONS)
    for row in rows:
        assert row["gb_per_second"] == pytest.approx(row["bytes"] / row["us"] / 1e3)
        assert row["of_memcpy"] > 0
        assert len(row["rounds"]) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--parts", "hosts"], "--rig"),
        (["--parts", "progress,speed"], "progress,transports,hosts"),
        (["--rounds", "0"], "a round"),
    ],
)
def test_what_cannot_be_run_is_refused(options: list[str], said: str) -> None:
    done = run(*options)
    assert done.returncode == 2
    assert said in done.stderr

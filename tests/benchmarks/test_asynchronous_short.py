"""The benchmarks of work at the workers' own pace, on the digits: their figures fit together, whatever the time."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
TRAIN = ["--strategy", "downpour", "--data", "digits", "--model", "mlp", "--epochs", "40", "--learning-rate", "0.1"]

pytestmark = pytest.mark.benchmark


def run(name: str, out: Path, *options: str) -> tuple[dict[str, Any], str]:
    """The JSON report of a benchmark that ends well, and what it prints."""
    file = out / f"{name}.json"
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--out", str(file), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    content: dict[str, Any] = json.loads(file.read_text())
    return content, done.stdout


def kill_one(out: Path, *options: str) -> tuple[dict[str, Any], str]:
    """The row of a run that loses one of two workers, and what is printed."""
    common = ["--times", "1", "--workers", "2", "--limit", "120", "--folder", str(out / "runs"), *options]
    content, printed = run("kill_workers", out, *common, "--", *TRAIN)
    (row,) = content["rows"]
    assert row["complaints"] == []
    assert 0 < row["epoch"] < 36
    assert "1 of 1 pass" in printed
    return row, printed


def test_a_simulated_straggler(tmp_path: Path) -> None:
    content, printed = run("stragglers", tmp_path, "--worlds", "simulated", "--data", "digits", "--epochs", "4")
    window, served, in_step = content["rows"]
    assert [window["server"], served["server"], in_step["server"]] == ["window", "ranks:1", "in step"]
    for row in (window, served):
        assert row["strategy"] == "downpour"
        assert row["of_ideal"] > 0.75
        assert row["one_slow"] < row["all_fast"]
        assert row["one_slow"] > in_step["one_slow"]
    assert in_step["one_slow"] < in_step["all_fast"] / 2
    assert in_step["of_slowest"] == pytest.approx(4 * in_step["one_slow"] / in_step["all_fast"])
    assert in_step["of_ideal"] == pytest.approx(in_step["of_slowest"] / 3.25)
    assert content["least_of_ideal"] == min(window["of_ideal"], served["of_ideal"])
    assert f"at least {content['least_of_ideal']:.3f} of the ideal" in printed


def test_a_worker_is_killed_and_the_others_go_on(tmp_path: Path) -> None:
    row, _ = kill_one(tmp_path)
    assert row["victim"] in (1, 2)  # rank 0 serves
    assert row["dead_workers"] == [row["victim"] - 1]
    assert row["code"] == 0
    assert row["computed"] == row["applied"] + row["lost"]
    assert row["recorded"] == row["applied"] > 0
    assert 0 <= row["error"] < 0.5


def test_without_servers_a_death_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    row, printed = kill_one(tmp_path, "--server", "window")
    assert row["victim"] in (0, 1)
    assert row["code"] != 0
    (sentence,) = row["sentences"]
    assert f"said: {sentence}" in printed
    assert row["error"] is None

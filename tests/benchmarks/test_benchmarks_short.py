"""The benchmarks run from end to end and fill their reports. Whether the figures are good is not asked here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
SPEEDS = ("samples_per_second", "gflop_per_second", "of_float32_limit", "of_own_limit", "peak_memory_mb")
CONTESTANTS = ["GEMM float32", "GEMM bf16-mixed", "Anabranch float32", "Anabranch bf16-mixed"]

pytestmark = pytest.mark.benchmark


def run(name: str, out: Path, *options: str) -> dict[str, Any]:
    """The JSON report of a benchmark's short form; its table has the same contestants."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--short", "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (out / f"{name}.md").read_text().strip() in done.stdout
    content: dict[str, Any] = json.loads((out / f"{name}.json").read_text())
    assert {"cpu", "cores", "instructions", "torch", "python", "anabranch"} == set(content["machine"])
    return content


def check_speeds(rows: list[dict[str, Any]], rounds: int) -> None:
    assert [row["name"] for row in rows] == CONTESTANTS
    for row in rows:
        assert row["failure"] is None
        assert len(row["rounds"]) == rounds
        assert all(row[key] > 0 for key in SPEEDS), row
    assert rows[0]["of_float32_limit"] == rows[0]["of_own_limit"] == rows[1]["of_own_limit"] == 1


def test_throughput_of_contrastive_divergence(tmp_path: Path) -> None:
    content = run("cd_throughput", tmp_path, "--data", "digits", "--hidden", "50")
    assert (content["settings"]["visible"], content["settings"]["hidden"]) == (64, 50)
    check_speeds(content["contestants"], rounds=3)
    for row in content["contestants"][2:]:
        assert -64 < row["pseudo_likelihood"] < 0
        assert 0 < row["reconstruction_error"] < 64


def test_throughput_on_noise_of_any_width(tmp_path: Path) -> None:
    content = run("cd_throughput", tmp_path, "--data", "random", "--visible", "30", "--hidden", "20")
    assert content["settings"]["examples"] == 1000
    check_speeds(content["contestants"], rounds=3)


def test_estimators(tmp_path: Path) -> None:
    content = run("estimators", tmp_path)
    rows = content["contestants"]
    kinds = [(row["name"].partition(" ")[0].strip(","), row["precision"]) for row in rows]
    assert kinds[:2] == [("scikit-learn", "float32"), ("scikit-learn", "float64")]
    assert {precision for name, precision in kinds if name == "Anabranch"} == {"float32", "float64", "bf16-mixed"}
    for row in rows:
        assert row["failure"] is None
        assert len(row["rounds"]) == 3
        assert row["speed_up"] > 0
        assert -64 < row["pseudo_likelihood"] < 0
    assert rows[0]["speed_up"] == rows[1]["speed_up"] == 1


def test_peers(tmp_path: Path) -> None:
    """One that is there, and one that is not in its environment: it is named, and the others go on."""
    version = f"py{sys.version_info[0]}.{sys.version_info[1]}"
    for peer in ("scikit-learn-1.9.1", "rbms-0.6.0"):
        pretend_to_install(tmp_path / f"{peer}-{version}")
    options = ["--data", "digits", "--hidden", "50", "--peers", "scikit-learn", "rbms"]
    content = run("cd_throughput", tmp_path, *options, "--environments", str(tmp_path))
    *ours, there, missing = content["contestants"]
    check_speeds(ours, rounds=3)
    assert there["name"] == "scikit-learn"
    assert there["of_float32_limit"] == there["of_own_limit"] > 0
    assert -64 < there["pseudo_likelihood"] < 0
    assert missing["name"] == "rbms"
    assert "No module named 'rbms'" in missing["failure"]


def pretend_to_install(environment: Path) -> None:
    """An environment that holds what this one does."""
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (environment / "installed").touch()


def test_a_whole_network(tmp_path: Path) -> None:
    options = ["--data", "digits", "--layers", "64-30-20", "--cores", "1x1", "2x1"]
    content = run("dbn_pretrain", tmp_path, *options)
    rows = content["pretraining"]
    tasks = ["layer 1 (64-30)", "layer 2 (30-20)", "whole network"]
    assert [row["task"] for row in rows] == tasks * (len(rows) // len(tasks))
    for row in rows:
        assert row["seconds"] > 0
        assert row["gemm_seconds"] > 0
        assert row["of_limit"] > 0
        assert row["speed_up"] > 0
    assert all(row["speed_up"] == 1 for row in rows[: len(tasks)])
    check_speeds(content["finetuning"], rounds=5)

"""The test error after an epoch is that of what the run would end in there, not of one worker's replica."""

import json
from pathlib import Path
from typing import Any

import pytest

from anabranch.cli.main import main

STRATEGIES = [
    ["averaging", "--every", "16"],
    ["averaging"],
    ["post-local", "--local-after", "1"],
    ["bmuf", "--every", "16", "--outer-momentum", "0.5"],
    ["diloco", "--every", "50"],
    ["easgd-sync", "--every", "7"],
    ["allreduce"],
]
LENGTH = ["--model", "mlp:64-16-10", "--epochs", "3", "--learning-rate", "0.05"]


def trained(out: Path, *options: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary, and the epochs of the record."""
    assert main(["train", *LENGTH, *options, "--out", str(out)]) == 0
    lines = [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()]
    return json.loads((out / "summary.json").read_text()), [line for line in lines if line["kind"] == "epoch"]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=" ".join)
def test_it_is_that_of_a_run_of_so_many_epochs(strategy: list[str], tmp_path: Path) -> None:
    """bmuf and diloco end with a step of their outer rule, which is not made in between."""
    options = ["--workers", "3", "--strategy", *strategy, "--test-each-epoch"]
    summary, epochs = trained(tmp_path / "long", *options)
    assert len(epochs) == 3
    if strategy[0] not in ("bmuf", "diloco"):
        assert epochs[-1]["test_error"] == summary["test_error"]
        shorter, _ = trained(tmp_path / "short", *options, "--epochs", "2")
        assert epochs[1]["test_error"] == shorter["test_error"]
    unwatched, silent = trained(tmp_path / "unwatched", *options[:-1])
    assert unwatched["weights_sha256"] == summary["weights_sha256"]
    assert "test_error" not in silent[0]


def test_it_takes_no_virtual_time(tmp_path: Path) -> None:
    clocks = []
    for watched in (["--test-each-epoch"], []):
        out = tmp_path / f"sweep{len(watched)}"
        simulate = ["simulate", "--workers", "3", "--cluster", "ethernet-1g", "--tasks-per-node", "1"]
        options = [*simulate, "--strategy", "averaging", "--every", "16", *watched, "--out", str(out)]
        assert main([*options, *LENGTH]) == 0
        (row,) = json.loads((out / "sweep.json").read_text())
        clocks.append((row["virtual_seconds"], row["bytes_per_worker"]))
    assert clocks[0] == clocks[1]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="Open MPI shares memory in /dev/shm here")
def test_mpi_measures_the_same(tmp_path: Path) -> None:
    options = ["--workers", "2", "--strategy", "averaging", "--every", "16", "--test-each-epoch", "--world"]
    (here, simulated), (there, real) = (trained(tmp_path / world, *options, world) for world in ("simulated", "mpi"))
    assert here["weights_sha256"] == there["weights_sha256"]
    assert [line["test_error"] for line in simulated] == [line["test_error"] for line in real]

"""`anabranch simulate`: one training on several numbers of workers."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import TINY, broken_off, sentence, summary, train, write_data

from anabranch.cli.main import main

Captured = pytest.CaptureFixture[str]


def simulate(data: str, out: Path, *options: str) -> int:
    return main(["simulate", "--data", data, *TINY, *options, "--out", str(out)])


def test_a_table_over_worker_counts(tmp_path: Path, capsys: Captured) -> None:
    data, out = write_data(tmp_path), tmp_path / "sweep"
    assert simulate(data, out, "--workers", "1,2,3") == 0
    said = capsys.readouterr().out
    rows = json.loads((out / "sweep.json").read_text())
    assert [row["workers"] for row in rows] == [1, 2, 3]
    for row in rows:
        content = summary(out / f"workers-{row['workers']}")
        assert row["test_error"] == content["test_error"]
        assert row["weights_sha256"] == content["weights_sha256"]
        assert row["layer_errors"] == [task["error"] for task in content["tasks"][:2]]
        assert row["epochs"] == [3, 3, 3]
        assert f"{row['layer_errors'][0]:.3f}" in said
        assert f"{100 * row['test_error']:.2f} %" in said
        assert (content["world"], content["workers"]) == ("simulated", row["workers"])
    assert "error against workers" in said
    assert f"results in {out}:" in said
    assert max(len(line) for line in said.splitlines() if str(tmp_path) not in line) <= 80


def test_a_simulated_run_is_the_run_that_train_makes(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    assert simulate(data, tmp_path / "sweep", "--workers", "3") == 0
    assert train(data, tmp_path / "run", "--workers", "3") == 0
    one, other = summary(tmp_path / "sweep" / "workers-3"), summary(tmp_path / "run")
    assert one["weights_sha256"] == other["weights_sha256"]


def test_finished_runs_are_left_out_and_broken_ones_resumed(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out, whole = write_data(tmp_path), tmp_path / "sweep", tmp_path / "whole"
    assert simulate(data, whole, "--workers", "1,2,3") == 0
    with broken_off(monkeypatch, saves=13):  # 9 of the first run, 4 of the second
        assert simulate(data, out, "--workers", "1,2,3", "--checkpoint-seconds", "0") == 130
    assert (out / "workers-1" / "summary.json").exists()
    assert not (out / "workers-2" / "summary.json").exists()
    finished = (out / "workers-1" / "summary.json").read_bytes()
    capsys.readouterr()
    assert simulate(data, out, "--workers", "1,2,3") == 0
    said = capsys.readouterr().out
    assert (out / "workers-1" / "summary.json").read_bytes() == finished
    assert said.count("layer 1 (16-8): up to") == 1  # of the third alone: the second was past it
    assert "layer 2 (8-6): up to 3 epochs of 3 steps, 1 done before" in said
    again = [json.loads((folder / "sweep.json").read_text()) for folder in (whole, out)]
    assert [row["weights_sha256"] for row in again[0]] == [row["weights_sha256"] for row in again[1]]


def test_more_counts_may_follow_but_no_other_options(tmp_path: Path, capsys: Captured) -> None:
    data, out = write_data(tmp_path), tmp_path / "sweep"
    assert simulate(data, out, "--workers", "1") == 0
    assert simulate(data, out, "--workers", "1,2") == 0
    assert [row["workers"] for row in json.loads((out / "sweep.json").read_text())] == [1, 2]
    said = sentence(capsys, 2, "simulate", "--data", data, *TINY, "--out", str(out), "--workers", "1", "--seed", "4")
    assert said.startswith(f"the run in {out}/workers-1 has --seed 0, not 4: ")


def test_two_runs_on_forty_workers_have_one_hash(tmp_path: Path) -> None:
    data = write_data(tmp_path, x=np.random.default_rng(1).random((200, 16), np.float32), y=np.arange(200) % 3)
    options = ["--workers", "40", "--batch-size", "1", "--finetune-batch-size", "1", "--every", "1"]
    for name in ("a", "b"):
        assert train(data, tmp_path / name, *options) == 0
    assert summary(tmp_path / "a")["weights_sha256"] == summary(tmp_path / "b")["weights_sha256"]
    assert summary(tmp_path / "a")["workers"] == 40

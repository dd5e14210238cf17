"""Model averaging by line searches, from the command line."""

from pathlib import Path

import pytest
from cli_helpers import assert_same_result, broken_off, record, resume, sentence, summary, train, write_data

Captured = pytest.CaptureFixture[str]
OPTIONS = ["--model", "mlp:16-6-3", "--activation", "sigmoid", "--outputs", "logistic", "--penalty", "0.7"]
OPTIONS += ["--strategy", "sampled-averaging", "--mlp-start", "glorot", "--dtype", "float64", "--epochs", "4"]


def test_a_run_records_its_errors_and_no_speed_of_single_gradients(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    assert train(data, tmp_path / "run", *OPTIONS, "--test-each-epoch") == 0
    (task,) = summary(tmp_path / "run")["tasks"]
    assert task["limit_samples_per_second"] is None
    assert task["samples_per_second"] > 0
    epochs = [line for line in record(tmp_path / "run") if line["kind"] == "epoch"]
    assert len(epochs) == 4
    assert all(line["learning_rate"] is None for line in epochs)
    assert epochs[-1]["test_error"] == summary(tmp_path / "run")["test_error"]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert task["examples"] == sum(line["examples"] for line in epochs) == 4 * 5 * round(0.9 * 48)


@pytest.mark.parametrize("more", [[], ["--workers", "3"], ["--workers", "3", "--draws", "shard", "--sample", "1"]])
def test_broken_off_and_resumed_it_ends_with_the_same_bits(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_data(tmp_path)
    assert train(data, tmp_path / "whole", *OPTIONS, *more) == 0
    with broken_off(monkeypatch, steps=12):
        assert train(data, tmp_path / "broken", *OPTIONS, *more, "--checkpoint-seconds", "0") == 130
    assert resume(tmp_path / "broken") == 0
    assert_same_result(tmp_path / "whole", tmp_path / "broken")


def test_a_start_from_the_unit_interval_saturates(tmp_path: Path) -> None:
    """Alowaisheq & Dhami's: all logits begin high, so that the loss does."""
    data = write_data(tmp_path)
    losses = []
    for start in ("glorot", "unit-interval"):
        assert train(data, tmp_path / start, *OPTIONS, "--mlp-start", start, "--epochs", "1") == 0
        losses.append(record(tmp_path / start)[0]["loss"])
    assert losses[1] > 3 * losses[0]


def test_what_does_not_go_together(tmp_path: Path, capsys: Captured) -> None:
    data = write_data(tmp_path)
    base = ["train", "--data", data, "--out", str(tmp_path / "run")]
    dbn = [*base, "--model", "dbn:16-8", "--penalty", "0.1"]
    assert "--penalty 0.1 is for an mlp or a module" in sentence(capsys, 2, *dbn)
    assert "must be 0 or more, not -1" in sentence(capsys, 2, *base, "--model", "mlp", "--penalty", "-1")
    assert "--sample 0.5 does not go with --strategy averaging" in sentence(capsys, 2, *base, "--sample", "0.5")
    timing = ["simulate", "--data", data, *OPTIONS, "--timing-only", "--out", str(tmp_path / "timed")]
    assert "leave out --timing-only" in sentence(capsys, 2, *timing)

"""`--tensorboard` and `--verbose`: what a run shows while it goes, and what it leaves for TensorBoard."""

import json
import re
from pathlib import Path

import pytest
from cli_helpers import (
    assert_same_result,
    broken_off,
    record,
    resume,
    sentence,
    train,
    write_data,
)
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

Captured = pytest.CaptureFixture[str]
Figures = dict[str, list[tuple[int, float]]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_data(tmp_path_factory.mktemp("data"))


def figures(run: Path) -> Figures:
    """Every tag's steps and values, as TensorBoard reads them from all event files together."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def steady(found: Figures) -> Figures:
    """Without what depends on the machine's time."""
    return {tag: values for tag, values in found.items() if not re.search("second|waiting", tag)}


OPTIONS = ["--tensorboard", "--workers", "2", "--test-each-epoch"]


def test_event_files_hold_every_epoch_of_every_task(data: str, tmp_path: Path, capsys: Captured) -> None:
    assert train(data, tmp_path / "run", *OPTIONS) == 0
    found = figures(tmp_path / "run")
    layers = {f"{layer}/{name}" for layer in ("layer_1_16-8", "layer_2_8-6") for name in ("loss", "error")}
    assert layers < set(found)
    epochs = [line for line in record(tmp_path / "run") if line["kind"] == "epoch" and line["task"] == "fine-tuning"]
    for name in ("loss", "error", "test_error", "learning_rate"):
        assert [step for step, _ in found[f"fine-tuning/{name}"]] == [line["epoch"] + 1 for line in epochs]
        values = [value for _, value in found[f"fine-tuning/{name}"]]
        assert values == pytest.approx([line[name] for line in epochs], rel=1e-6)
    assert all(rate > 0 for _, rate in found["fine-tuning/samples_per_second"])
    assert f"tensorboard/ (tensorboard --logdir {tmp_path}/run)" in capsys.readouterr().out


def test_workers_at_their_own_pace_have_staleness(data: str, tmp_path: Path) -> None:
    options = ["--tensorboard", "--strategy", "downpour", "--model", "mlp:16-8-3", "--workers", "3"]
    for server in ("window", "ranks:1"):
        run = tmp_path / server
        assert train(data, run, *options, "--server", server) == 0
        found = figures(run)
        (traffic,) = [line for line in record(run) if line["kind"] == "traffic"]
        assert [step for step, _ in found["training/staleness"]] == [1, 2, 3]
        assert all(0 <= age <= 6 for _, age in found["training/staleness"])
        ((step, mean),) = found["training/mean_staleness"]
        assert step == 3
        assert mean == pytest.approx(traffic["mean_staleness"])


def test_a_resumed_run_has_each_epoch_once(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(data, tmp_path / "whole", *OPTIONS) == 0
    for stopped, options in enumerate((*[OPTIONS] * 4, [])):
        with broken_off(monkeypatch, **({"steps": 5} if stopped % 2 else {"saves": 1})):
            often = ["--checkpoint-seconds", "0"]
            code = resume(tmp_path / "run", *often) if stopped else train(data, tmp_path / "run", *options, *often)
            assert code in (0, 130)
    assert resume(tmp_path / "run") == 0
    assert_same_result(tmp_path / "whole", tmp_path / "run")
    assert steady(figures(tmp_path / "run")) == steady(figures(tmp_path / "whole"))


def test_it_can_be_asked_for_when_a_run_goes_on(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with broken_off(monkeypatch, saves=2):
        assert train(data, tmp_path / "run", "--workers", "2") == 130
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert resume(tmp_path / "run", "--tensorboard") == 0
    assert [step for step, _ in figures(tmp_path / "run")["layer_1_16-8/loss"]] == [1, 2, 3]


def test_without_tensorboard_a_sentence(
    data: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anabranch.eventfiles.importlib.util.find_spec", lambda _: None)
    said = sentence(capsys, 2, "train", "--data", data, "--tensorboard", "--out", str(tmp_path / "run"))
    assert said == (
        "--tensorboard needs the package tensorboard, which is not installed: pip install 'anabranch[tensorboard]'."
    )
    assert not (tmp_path / "run").exists()


def test_verbose_names_every_rank(data: str, tmp_path: Path, capsys: Captured) -> None:
    assert train(data, tmp_path / "run", "--workers", "3", "--verbose") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("  3 ranks: fastest ")]) == 3  # tasks
    ranks = [line for line in lines if re.match(r"    rank +\d  ━+ +[\d,]+/s$", line)]
    assert [int(line.split()[1]) for line in ranks] == [0, 1, 2] * 3
    assert train(data, tmp_path / "quiet", "--workers", "3") == 0
    assert "rank " not in capsys.readouterr().out
    assert_same_result(tmp_path / "run", tmp_path / "quiet")


def test_on_a_cluster_ranks_tell_what_they_waited(data: str, tmp_path: Path, capsys: Captured) -> None:
    from anabranch.cli.main import main

    sizes = ["--model", "mlp:16-8-3", "--epochs", "2", "--batch-size", "4", "--threads", "1", "--trace", "0"]
    options = ["--data", data, *sizes, "--cluster", "padova-2012", "--strategy", "allreduce", "--verbose"]
    assert main(["simulate", "--workers", "4", *options, "--out", str(tmp_path / "out")]) == 0
    assert len(re.findall(r"rank +\d  ━+ +[\d,]+/s  waited +\d+%", capsys.readouterr().out)) == 4
    steps = (tmp_path / "out" / "workers-4" / "steps.jsonl").read_text().splitlines()
    epochs = [line for line in map(json.loads, steps) if line["kind"] == "epoch"]
    assert all(0 < line["waiting"] < 1 for line in epochs)

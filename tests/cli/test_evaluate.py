"""`anabranch evaluate` from its command line."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_helpers import CLASSES, sentence, summary, train, write_data

from anabranch.cli.figures import judgement_lines
from anabranch.cli.main import main
from anabranch.data import load
from anabranch.judgement import Judgement
from anabranch.runfolder import RunFolder

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    data = write_data(folder)
    assert train(data, folder / "dbn") == 0
    assert train(data, folder / "chosen", "--validation-fraction", "0.25", "--model", "mlp:16-4-3") == 0
    assert train(write_data(folder, "unlabelled.npz", y=None), folder / "stack") == 0
    return folder


def evaluated(run: Path, out: Path, *options: str) -> dict[str, Any]:
    assert main(["evaluate", str(run), *options, "--json", str(out / "result.json")]) == 0
    content: dict[str, Any] = json.loads((out / "result.json").read_text())
    return content


def test_the_error_is_that_of_the_runs_summary(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    found = evaluated(folder / "dbn", tmp_path)
    assert found["error"] == summary(folder / "dbn")["test_error"]
    assert (found["examples"], len(found["confusion"])) == (12, CLASSES)
    assert sum(map(sum, found["confusion"])) == 12
    assert found["wrong"] == 12 - sum(found["confusion"][k][k] for k in range(CLASSES))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"dbn:16-8-6 of {folder / 'dbn'}"
    assert lines[1].endswith("tiny.npz, test part: 12 examples")
    figures = f"error {100 * found['error']:.2f} % ({found['wrong']} of 12 wrong), loss {found['loss']:.4g}"
    assert lines[2] == figures
    assert lines[4].split() == ["class", "examples", "error", "0", "1", "2"]
    assert len(lines) == 5 + CLASSES + 1


def test_a_run_that_kept_a_validation_part_was_measured_on_that(folder: Path, tmp_path: Path) -> None:
    found = evaluated(folder / "chosen", tmp_path)
    assert found["error"] == summary(folder / "chosen")["test_error"]
    assert (found["data"].split(", ")[-1], found["examples"]) == ("validation part", 12)
    assert evaluated(folder / "chosen", tmp_path, "--part", "train")["examples"] == 36


def test_the_same_examples_from_another_file_give_the_same_figures(folder: Path, tmp_path: Path) -> None:
    dataset = load(write_data(tmp_path))
    x, y = dataset.test.features.numpy(), dataset.test.labels
    assert y is not None
    other = write_data(tmp_path, "other.npz", x=x, y=y.numpy())
    here, there = evaluated(folder / "dbn", tmp_path), evaluated(folder / "dbn", tmp_path, "--data", other)
    assert {key: here[key] for key in here if key != "data"} == {key: there[key] for key in there if key != "data"}


def test_a_stack_without_labels_is_measured_layer_by_layer(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    found = evaluated(folder / "stack", tmp_path)
    assert [layer["layer"] for layer in found["layers"]] == ["layer 1 (16-8)", "layer 2 (8-6)"]
    assert all(layer["pseudo_log_likelihood"] < 0 < layer["reconstruction_error"] for layer in found["layers"])
    said = capsys.readouterr().out
    assert "  layer 2 (8-6)          reconstruction error " in said
    assert f"  up and down again      reconstruction error {found['reconstruction_error']:.4g}" in said
    # A classifier's RBMs can be measured where there are no labels.
    assert len(evaluated(folder / "dbn", tmp_path, "--data", str(folder / "unlabelled.npz"))["layers"]) == 2


def test_what_does_not_fit_is_one_sentence(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    def refused(run: str, *options: str, code: int = 2) -> str:
        return sentence(capsys, code, "evaluate", str(folder / run), *options)

    narrow = write_data(tmp_path, "narrow.npz", x=np.zeros((60, 9), dtype=np.float32))
    assert "the model has 16 inputs, but" in refused("dbn", "--data", narrow)
    more = write_data(tmp_path, "more.npz", y=np.arange(60) % 5)
    assert "there are 5 classes, but the model knows 3" in refused("dbn", "--data", more)
    assert "there are no labels" in refused("chosen", "--data", str(folder / "unlabelled.npz"))
    assert "--test-fraction 0.5 is for other data (--data)" in refused("dbn", "--test-fraction", "0.5")
    assert "has no validation part" in refused("dbn", "--part", "validation")
    large = write_data(tmp_path, "large.npz", x=np.full((60, 16), 3.0), y=None)
    assert "Bernoulli units take values in [0, 1]" in refused("stack", "--data", large, code=1)
    assert "there is no run in" in refused("nowhere")
    assert "unknown data set 'digit': did you mean 'digits'?" in refused("dbn", "--data", "digit")


def test_a_runs_own_files_are_spared(folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    run = folder / "dbn"
    own = RunFolder(run).own
    assert set(run.iterdir()) <= set(own)
    monkeypatch.chdir(run)
    for path in (*(path.name for path in own), "checkpoints/000001/state.json"):
        said = sentence(capsys, 2, "evaluate", str(run), "--json", path)
        assert said == f"{path} is a file of the run itself, which --json {path} would replace: choose another."
    assert summary(run)["test_error"] is not None


def test_a_run_whose_data_were_exchanged(tmp_path: Path, capsys: Captured) -> None:
    data = write_data(tmp_path)
    assert train(data, tmp_path / "run") == 0
    write_data(tmp_path, x=np.zeros((60, 9), dtype=np.float32))
    changed = "no longer the data that it has learnt from"
    assert changed in sentence(capsys, 2, "evaluate", str(tmp_path / "run"))
    assert changed in sentence(capsys, 2, "sample", str(tmp_path / "run"), "--class", "1")


def test_a_module_of_the_users_own(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "from torch import nn\n\n\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))\n"
    (tmp_path / "evaluated_net.py").write_text(code)
    assert train(write_data(tmp_path), tmp_path / "run", "--model", "evaluated_net:net") == 0
    assert evaluated(tmp_path / "run", tmp_path)["error"] == summary(tmp_path / "run")["test_error"]
    narrow = write_data(tmp_path, "narrow.npz", x=np.zeros((60, 9), dtype=np.float32))
    assert "the model cannot take" in sentence(capsys, 2, "evaluate", "run", "--data", narrow)


def test_under_mpirun_it_refuses(folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.cli.finished.started_ranks", lambda: 2)
    for command in ("evaluate", "sample", "export"):
        assert "start it without mpirun or srun" in sentence(capsys, 2, command, str(folder / "dbn"))


def test_stopped_by_ctrl_c_it_does_not_speak_of_checkpoints(
    folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anabranch.cli.evaluate.judge", interrupted)
    assert sentence(capsys, 130, "evaluate", str(folder / "dbn")) == "stopped at once; nothing was written."


def test_many_classes_are_listed_by_their_confusions() -> None:
    lines = judgement_lines(Judgement(torch.full((40,), 1234), Counter({(3, 5): 7, (20, 0): 9}), 0.5))
    assert max(map(len, lines)) <= 80
    assert lines[-3:] == [
        "the most frequent confusions (--json writes all):",
        "  20 taken for 0: 9 times",
        "  3 taken for 5: 7 times",
    ]
    wide = judgement_lines(Judgement(torch.full((10,), 1_000), Counter(), 0.5))
    assert max(map(len, wide)) <= 80
    assert wide[3].split() == ["0", "1,000", "0.00", "%", "1000", *"·" * 9]


def test_help_teaches(capsys: Captured) -> None:
    assert main(["evaluate", "--help"]) == 0
    assert "anabranch evaluate runs/digits-dbn-… --part train" in capsys.readouterr().out

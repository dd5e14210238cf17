"""`anabranch export`: what it writes computes the same without Anabranch."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_helpers import sentence, train, write_data
from onnx import checker, load_from_string
from onnx.reference import ReferenceEvaluator
from safetensors.torch import load_file
from torch import Tensor

from anabranch.cli.main import main
from anabranch.trained import read_trained

Captured = pytest.CaptureFixture[str]
X = torch.rand(7, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    data = write_data(folder)
    assert train(data, folder / "dbn", "--finetune-dropout", "0.2") == 0
    assert train(data, folder / "stack", "--finetune-epochs", "0") == 0
    assert train(data, folder / "mlp", "--model", "mlp:16-4-3", "--dtype", "float64") == 0
    return folder


def exported(run: Path, capsys: Captured, *options: str) -> list[str]:
    """What the command says."""
    capsys.readouterr()
    assert main(["export", str(run), *options]) == 0
    return capsys.readouterr().out.splitlines()


def run_recipe(said: list[str]) -> dict[str, Any]:
    """The variables that the printed lines leave."""
    lines = said[said.index("import torch") :]
    assert not any("anabranch" in line for line in lines if "load_file(" not in line)
    names: dict[str, Any] = {}
    exec(compile("\n".join(lines), "recipe", "exec"), names)
    return names


def outputs(run: Path, x: Tensor) -> Tensor:
    trained = read_trained(run)
    model = trained.dbn if trained.network is None else trained.network
    assert model is not None
    with torch.no_grad():
        result: Tensor = model(x)
    return result


@pytest.mark.parametrize(("name", "result", "shape"), [("dbn", "logits", (1, 3)), ("stack", "codes", (1, 6))])
def test_the_printed_lines_load_it_and_compute_the_same(
    name: str, result: str, shape: tuple[int, int], folder: Path, capsys: Captured
) -> None:
    said = exported(folder / name, capsys)
    assert said[0] == f"dbn:16-8-6 as safetensors in {folder / name / 'exported.safetensors'}"
    assert max(len(line) for line in said if str(folder) not in line) <= 80
    names = run_recipe(said)
    assert tuple(names[result].shape) == shape
    with torch.no_grad():
        assert torch.equal(names["model"](X), outputs(folder / name, X))
    assert set(load_file(folder / name / "exported.safetensors")) == set(names["model"].state_dict())


def test_float64_stays_float64(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    names = run_recipe(exported(folder / "mlp", capsys, "--out", str(tmp_path / "deep" / "mlp.safetensors")))
    with torch.no_grad():
        assert torch.equal(names["model"](X.double()), outputs(folder / "mlp", X.double()))


def test_onnx_computes_the_same_for_batches_of_any_size(folder: Path, capsys: Captured) -> None:
    pytest.importorskip("onnxscript")
    exported(folder / "dbn", capsys, "--format", "onnx")
    model = load_from_string((folder / "dbn" / "exported.onnx").read_bytes())
    checker.check_model(model, full_check=True)
    evaluator = ReferenceEvaluator(model)
    assert (evaluator.input_names, evaluator.output_names) == (["x"], ["logits"])
    for n in (1, 2, 7):
        (found,) = map(torch.from_numpy, evaluator.run(None, {"x": X[:n].numpy()}))
        assert torch.allclose(found, outputs(folder / "dbn", X[:n]), rtol=0, atol=1e-5)


def test_a_module_of_the_users_own(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    code = """from torch import nn


def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Dropout(0.5), nn.ReLU(), nn.Linear(4, 3))
"""
    (tmp_path / "exported_net.py").write_text(code)
    assert train(write_data(tmp_path), tmp_path / "run", "--model", "exported_net:net") == 0
    said = exported(Path("run"), capsys)
    assert "from exported_net import net" in said
    assert said[-2] == "# logits = model(torch.zeros(1, ...))"  # it does not tell its inputs
    with torch.no_grad():
        assert torch.equal(run_recipe(said)["model"](X), outputs(Path("run"), X))
    assert "does not tell how many inputs it takes" in sentence(capsys, 2, "export", "run", "--format", "onnx")


def test_missing_packages_are_named(folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    said = sentence(capsys, 2, "export", str(folder / "dbn"), "--format", "onnx")
    assert said == "ONNX needs the package onnxscript: install it with  pip install 'anabranch[onnx]'"


def test_what_cannot_be_is_one_sentence(folder: Path, capsys: Captured) -> None:
    run = str(folder / "dbn")
    assert "use --out a.onnx" in sentence(capsys, 2, "export", run, "--format", "onnx", "--out", "a.safetensors")
    for own in (f"{run}/model.safetensors", f"{run}/pictures.safetensors"):
        assert "is a file of the run itself" in sentence(capsys, 2, "export", run, "--out", own)
    assert "there is no run in" in sentence(capsys, 2, "export", f"{run}-not")


def test_help_teaches(capsys: Captured) -> None:
    assert main(["export", "--help"]) == 0
    assert "anabranch export runs/mnist-dbn-… --format onnx" in capsys.readouterr().out

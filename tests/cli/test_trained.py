"""Runs are read back from their folders."""

import re
from pathlib import Path

import pytest
import torch
from cli_helpers import summary, train, write_data
from torch import nn

from anabranch.config import Config, read_toml
from anabranch.errors import CheckpointError, UsageError
from anabranch.evaluate import classification_error
from anabranch.selection import own_part
from anabranch.trained import read_trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    data = write_data(folder)
    assert train(data, folder / "dbn", "--finetune-dropout", "0.2", "--dtype", "float64") == 0
    assert train(data, folder / "stack", "--finetune-epochs", "0", "--units", "gaussian") == 0
    assert train(data, folder / "mlp", "--model", "mlp:16-4-3", "--activation", "tanh") == 0
    return folder


def test_a_fine_tuned_dbn(folder: Path) -> None:
    trained = read_trained(folder / "dbn")
    assert trained.dbn is not None
    assert trained.dbn.sizes == [16, 8, 6]
    assert trained.inputs == 16
    assert isinstance(trained.network, nn.Sequential)
    assert not trained.network.training
    assert any(isinstance(layer, nn.Dropout) for layer in trained.network)
    weights = [layer.weight for layer in trained.network if isinstance(layer, nn.Linear)]
    assert [tuple(weight.shape) for weight in weights] == [(8, 16), (6, 8), (3, 6)]
    assert weights[0].dtype == torch.float64
    assert not torch.equal(weights[0], trained.dbn.layers[0].weight)  # it was fine-tuned since
    assert not weights[0].requires_grad
    test = own_part(trained.config).examples
    error = classification_error(trained.network, test.chunks(dtype=torch.float64))
    assert error == summary(folder / "dbn")["test_error"]


def test_a_stack_without_a_classifier(folder: Path) -> None:
    trained = read_trained(folder / "stack")
    assert trained.network is None
    assert trained.dbn is not None
    assert trained.dbn.layers[0].units == "gaussian"


def test_an_mlp(folder: Path) -> None:
    trained = read_trained(folder / "mlp")
    assert trained.dbn is None
    assert isinstance(trained.network, nn.Sequential)
    assert [type(layer).__name__ for layer in trained.network] == ["Linear", "Tanh", "Linear"]
    assert trained.inputs == 16


def test_what_is_no_finished_run(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no run in .*nowhere \(no config.toml\): give the folder that anabranch"):
        read_trained(tmp_path / "nowhere")
    (tmp_path / "config.toml").write_bytes((folder / "dbn" / "config.toml").read_bytes())
    with pytest.raises(UsageError, match=r"has not ended \(no model.safetensors\).*--resume"):
        read_trained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((folder / "mlp" / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=r"does not hold the model that config.toml describes"):
        read_trained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="is damaged"):
        read_trained(tmp_path)


def test_what_a_python_program_gave_is_not_looked_for(folder: Path, tmp_path: Path) -> None:
    text = (folder / "stack" / "config.toml").read_text()
    (tmp_path / "config.toml").write_text(re.sub(r'^(data|model) = ".*"', r'\1 = "python:Thing"', text, flags=re.M))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(UsageError, match=r"is a module that a Python program gave \(Thing\)"):
        read_trained(tmp_path)
    with pytest.raises(UsageError, match=r"data were given by a Python program.*name others with  --data"):
        own_part(read_toml(tmp_path / "config.toml", Config()))

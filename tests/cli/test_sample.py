"""`anabranch sample` from its command line."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from cli_helpers import sentence, train, write_data
from matplotlib import image
from safetensors import safe_open
from safetensors.torch import load_file

from anabranch.cli.main import main
from anabranch.cli.sample import picture_shape
from anabranch.trained import read_trained

Captured = pytest.CaptureFixture[str]
SHORT = ["--steps", "50"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    data = write_data(folder)
    assert train(data, folder / "dbn", "--epochs", "30", "--finetune-epochs", "30") == 0
    assert train(write_data(folder, "unlabelled.npz", y=None), folder / "stack") == 0
    assert train(data, folder / "gaussian", "--units", "gaussian", "--finetune-epochs", "0") == 0
    assert train(data, folder / "mlp", "--model", "mlp:16-4-3") == 0
    return folder


def sampled(run: Path, out: Path, *options: str, steps: Sequence[str] = SHORT) -> dict[str, torch.Tensor]:
    assert main(["sample", str(run), *options, *steps, "--out", str(out / "pictures.png")]) == 0
    return load_file(out / "pictures.safetensors")


def test_pictures_and_their_numbers(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    found = sampled(folder / "dbn", tmp_path)
    assert set(found) == {"samples"}
    assert found["samples"].shape == (64, 16)
    assert 0 <= float(found["samples"].min()) <= float(found["samples"].max()) <= 1
    tiles = 8 * 4 + 7  # of 4 by 4 pixels with gaps of one, enlarged
    assert image.imread(tmp_path / "pictures.png").shape[:2] == (900 // tiles * tiles,) * 2
    with safe_open(tmp_path / "pictures.safetensors", "pt") as file:
        assert json.loads(file.metadata()["anabranch"])["steps"] == 50
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "64 chains of 50 Gibbs steps in layer 2 (8-6)",
        f"64 pictures in {tmp_path}/pictures.png, their numbers in pictures.safetensors",
    ]


def test_a_seed_repeats_its_pictures(folder: Path, tmp_path: Path) -> None:
    one, same = (sampled(folder / "stack", tmp_path, "--count", "3")["samples"] for _ in range(2))
    other = sampled(folder / "stack", tmp_path, "--count", "3", "--seed", "1")["samples"]
    assert one.shape == (3, 16)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_pictures_of_a_class_are_taken_for_that_class(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    found = sampled(folder / "dbn", tmp_path, "--class", "all", "--count", "40")
    network = read_trained(folder / "dbn").network
    assert network is not None
    assert found["labels"].tolist() == [0] * 40 + [1] * 40 + [2] * 40
    right = network(found["samples"]).argmax(dim=1) == found["labels"]
    said = capsys.readouterr().out
    assert "learning the label units of classes 0, 1, 2 from 48 examples" in said
    assert f"the run's classifier takes {int(right.sum())} of 120 for what they are meant to be" in said
    free = network(sampled(folder / "dbn", tmp_path, "--count", "120")["samples"]).argmax(dim=1)
    assert int(right.sum()) > int((free == found["labels"]).sum()) + 20
    for k in range(3):  # no class is left to chance
        assert right[found["labels"] == k].double().mean() > 0.5


def test_one_class(folder: Path, tmp_path: Path) -> None:
    found = sampled(folder / "dbn", tmp_path, "--class", "2", "--count", "5")
    assert found["labels"].tolist() == [2] * 5


def test_the_lowest_layer_alone_and_gaussian_units(folder: Path, tmp_path: Path) -> None:
    assert sampled(folder / "dbn", tmp_path, "--layer", "1", "--count", "2")["samples"].shape == (2, 16)
    free = sampled(folder / "gaussian", tmp_path, "--layer", "1", "--class", "1", "--count", "2")["samples"]
    assert torch.isfinite(free).all()
    shades = image.imread(tmp_path / "pictures.png")[..., 0]
    assert (float(shades.min()), float(shades.max())) == (0, 1)  # the least value is black, the largest white


def test_the_picture_lies_in_the_runs_folder_unless_a_place_is_given(folder: Path) -> None:
    assert main(["sample", str(folder / "stack"), "--count", "1", *SHORT]) == 0
    assert (folder / "stack" / "samples.png").exists()
    assert (folder / "stack" / "samples.safetensors").exists()


def test_without_its_data_a_run_still_gives_squares(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    data = write_data(tmp_path, "gone.npz")
    assert train(data, tmp_path / "run") == 0
    Path(data).unlink()
    capsys.readouterr()
    assert sampled(tmp_path / "run", tmp_path, "--count", "1")["samples"].shape == (1, 16)
    assert "the run's data cannot be read" in capsys.readouterr().out
    assert "there is no data at" in sentence(capsys, 2, "sample", str(tmp_path / "run"), "--class", "1")


@pytest.mark.parametrize(
    ("inputs", "known", "shape"), [(64, None, (8, 8)), (64, (4, 16), (4, 16)), (10, None, (1, 10))]
)
def test_the_shape_of_a_picture(inputs: int, known: tuple[int, int] | None, shape: tuple[int, int]) -> None:
    assert picture_shape(inputs, known) == shape


def test_what_cannot_be_is_one_sentence(folder: Path, capsys: Captured) -> None:
    def refused(run: str, *options: str) -> str:
        return sentence(capsys, 2, "sample", str(folder / run), *options)

    assert "is mlp:16-4-3, which knows classes but no pictures: give the run of a dbn" in refused("mlp")
    assert "--layer must be from 1 to 2, the top one of" in refused("dbn", "--layer", "3")
    assert "--count must be 1 or more, not 0" in refused("dbn", "--count", "0")
    assert "--steps must be 1 or more, not -1" in refused("dbn", "--steps", "-1")
    assert "use one of 0, 1, 2, or all" in refused("dbn", "--class", "3")
    assert "use one of 0, 1, 2, or all" in refused("dbn", "--class", "any")
    assert "there are no labels, by which to know a class" in refused("stack", "--class", "0")
    assert "use --out here.png" in refused("dbn", "--out", "here.jpg")
    for name in ("model", "pictures"):
        own = folder / "dbn" / name
        assert f"{own}.safetensors is a file of the run itself, which --out {own}.png" in refused(
            "dbn", "--out", f"{own}.png"
        )
    assert "there is no run in" in refused("nowhere")


def test_help_teaches(capsys: Captured) -> None:
    assert main(["sample", "--help"]) == 0
    said = capsys.readouterr().out
    assert "anabranch sample runs/mnist-dbn-… --class 3" in said
    assert "Hinton, Osindero & Teh 2006" in said

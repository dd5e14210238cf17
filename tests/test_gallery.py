"""What a run leaves to be looked at: shapes, bytes, identities, and what is left out."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save
from torch import nn

from anabranch.data import Dataset, load
from anabranch.gallery import SHOWN, as_bytes, layer_images, limits, write_gallery
from anabranch.judgement import judge
from anabranch.models import DBN
from anabranch.report.layers import weights
from anabranch.report.records import Run


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load("digits")


@pytest.fixture(scope="module")
def dbn() -> DBN:
    return DBN([64, 20, 10], std=0.3, generator=torch.Generator().manual_seed(0))


def test_the_files_of_a_dbn_with_a_classifier(dataset: Dataset, dbn: DBN, tmp_path: Path) -> None:
    found = judge(dbn.classifier(10), dataset.test.chunks(100))
    write_gallery(tmp_path, dataset, dbn, found, torch.float32, 0)
    images = load_file(tmp_path / "pictures.safetensors")
    assert set(images) == {
        "mistakes", "originals", "reconstructions.1", "reconstructions.2", "samples.1", "samples.2"
    }  # fmt: skip
    assert all(image.dtype == torch.uint8 and image.shape[1:] == (8, 8) for image in images.values())
    assert {len(image) for name, image in images.items() if name != "mistakes"} == {SHOWN}
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert (content["image_shape"], content["gibbs_steps"]) == ([8, 8], 100)
    assert sum(map(sum, content["confusion"])) == content["examples"] == len(dataset.test)
    row = content["mistakes"][0]["row"]
    pixels = (255 * dataset.test.take(torch.tensor([row])).x).round().view(8, 8)
    assert torch.equal(images["mistakes"][0], pixels.to(torch.uint8))


def test_the_same_seed_gives_the_same_bytes(dataset: Dataset, dbn: DBN, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        write_gallery(tmp_path / name, dataset, dbn, None, torch.float32, seed)
    a, b, c = ((tmp_path / name / "pictures.safetensors").read_bytes() for name in "abc")
    assert a == b != c


def test_reconstructions_are_the_network_s_own(dataset: Dataset, dbn: DBN) -> None:
    x = dataset.test.take(torch.arange(5)).x
    images = layer_images(dbn, x, 0)
    assert torch.equal(images["reconstructions.2"], dbn.reconstruct(x))
    assert torch.equal(images["reconstructions.1"], dbn.layers[0].visible_mean(dbn.layers[0](x)))
    assert all(float(image.min()) >= 0 and float(image.max()) <= 1 for image in images.values())


def test_samples_of_a_layer_that_is_sure_are_what_it_is_sure_of() -> None:
    dbn = DBN([4, 3], std=0.0)
    dbn.layers[0].visible_bias.copy_(torch.tensor([50.0, -50.0, 50.0, -50.0]))
    sampled = layer_images(dbn, torch.rand(2, 4, generator=torch.Generator().manual_seed(0)), 0)["samples.1"]
    assert sampled.round().tolist() == [[1.0, 0.0, 1.0, 0.0]] * 2


def test_bytes_of_probabilities_and_of_other_values() -> None:
    assert limits(torch.tensor([0.2, 0.7])) == (0.0, 1.0)
    assert limits(torch.tensor([-2.0, 6.0])) == (-2.0, 6.0)
    scaled = as_bytes({"x": torch.tensor([[-2.0, 2.0, 6.0, 99.0]])}, (2, 2), (-2.0, 6.0))["x"]
    assert scaled.tolist() == [[[0, 128], [255, 255]]]


def test_the_first_layer_of_a_network_is_its_own_first(dataset: Dataset, tmp_path: Path) -> None:
    """Not that of the alphabet, in which its tensors lie in the file."""

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lower, self.act, self.head = nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return cast(torch.Tensor, self.head(self.act(self.lower(x))))

    network = Named()
    found = judge(network, dataset.test.chunks(100))
    write_gallery(tmp_path, dataset, network, found, torch.float32, 0)
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    (tmp_path / "model.safetensors").write_bytes(save(tensors))
    evaluation = json.loads((tmp_path / "evaluation.json").read_text())
    (first,) = weights(Run(tmp_path, "a run", {}, evaluation=evaluation))
    assert np.array_equal(first, network.lower.weight.detach().numpy())


def test_examples_that_are_no_images_leave_their_counts_alone(dataset: Dataset, tmp_path: Path) -> None:
    shapeless = Dataset("table", dataset.train, dataset.test, dataset.classes)
    found = judge(nn.Linear(64, 10), shapeless.test.chunks(100))
    write_gallery(tmp_path, shapeless, nn.Linear(64, 10), found, torch.float32, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["evaluation.json"]
    assert json.loads((tmp_path / "evaluation.json").read_text())["image_shape"] is None

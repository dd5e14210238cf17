"""What a finished run leaves to be looked at, for reports that have neither the network nor the data.

`evaluation.json`: how many test examples there are, the shape of their images, the name of the first matrix of weights
of a network that is no DBN, and what the classifier made of them.
`pictures.safetensors`, where the examples are images, each [images, height, width] bytes:

    mistakes            the test examples that `evaluation.json` lists, the worst first
    originals           the first test examples
    reconstructions.K   the same, up through K layers of the DBN and down again, mean-field
    samples.K           visible means after GIBBS_STEPS of block Gibbs sampling in layer K, begun at the originals
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anabranch.data import Dataset
from anabranch.files import write_bytes, write_json
from anabranch.judgement import Judgement
from anabranch.models import DBN
from anabranch.seeding import generator
from anabranch.tensorfile import tensor_bytes

SHOWN = 16
GIBBS_STEPS = 100
_STREAM = int.from_bytes(b"gallery")


def write_gallery(
    folder: Path, dataset: Dataset, model: nn.Module, judgement: Judgement | None, dtype: torch.dtype, seed: int
) -> None:
    """Write `evaluation.json` and, of images, `pictures.safetensors`.

    Args:
        folder: of the run.
        dataset: whose test examples are shown.
        model: what was trained; of a DBN the layers are shown, too.
        judgement: of the classifier, if there is one.
        dtype: of the model's arithmetic.
        seed: of the sampling.

    Raises:
        StorageError: a file cannot be written.
    """
    shape = dataset.image_shape
    content: dict[str, Any] = {"image_shape": shape, "gibbs_steps": GIBBS_STEPS}
    if not isinstance(model, DBN):
        content["first_layer"] = _first_layer(model)
    content |= judgement.as_json() if judgement else {"examples": len(dataset.test)}
    write_json(folder / "evaluation.json", content)
    if shape is None:
        return
    originals = dataset.test.take(torch.arange(min(SHOWN, len(dataset.test))), dtype).x
    images = {"originals": originals}
    if judgement and judgement.mistakes:
        images["mistakes"] = dataset.test.take(torch.tensor([one.row for one in judgement.mistakes]), dtype).x
    if isinstance(model, DBN):
        images |= layer_images(model, originals, seed)
    tensors = as_bytes(images, shape, limits(originals))
    write_bytes(folder / "pictures.safetensors", tensor_bytes(tensors))


def _first_layer(model: nn.Module) -> str | None:
    """The name of the first matrix of weights, in the order of the module's own making."""
    return next((name for name, p in model.named_parameters() if name.endswith(".weight") and p.ndim == 2), None)


@torch.no_grad()
def layer_images(dbn: DBN, originals: Tensor, seed: int) -> dict[str, Tensor]:
    """Reconstructions and samples of every layer, by name, from `originals` [n, input] to [n, input] each."""
    found, below = dict[str, Tensor](), originals
    for number, rbm in enumerate(dbn.layers, 1):
        chance = generator(_STREAM, seed, number)
        visible = rbm.sample(len(below), steps=GIBBS_STEPS - 1, generator=chance, start=below)
        found[f"samples.{number}"] = dbn.down_from(rbm.visible_mean(rbm.sample_hidden(visible, chance)), number - 1)
        below = rbm(below)
        found[f"reconstructions.{number}"] = dbn.down_from(below, number)
    return found


def limits(originals: Tensor) -> tuple[float, float]:
    """The values that are drawn black and white: 0 and 1 of probabilities, else the least and the greatest."""
    low, high = float(originals.min()), float(originals.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def as_bytes(images: dict[str, Tensor], shape: tuple[int, int], limits: tuple[float, float]) -> dict[str, Tensor]:
    """[n, height * width] values to [n, height, width] bytes; what is beyond the limits is cut off."""
    low, high = limits
    scaled = {name: (values.double() - low) / max(high - low, 1e-12) for name, values in images.items()}
    return {name: (255 * x).round_().clamp_(0, 255).to(torch.uint8).view(-1, *shape) for name, x in scaled.items()}

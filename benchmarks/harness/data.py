"""The data of a benchmark as files that every contestant can read, whatever its environment."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anabranch.data import Examples, load

RANDOM = "random"
BYTES = "bytes.npz"  # beside the data, where the source has bytes: features [n, width], scale and shift [width]
RANDOM_EXAMPLES = 60_000
RANDOM_TEST, RANDOM_CLASSES = 1000, 10


@dataclass(frozen=True)
class Files:
    """Training data on disk.

    Attributes:
        data: .npy [examples, width] float32 in [0, 1].
        labels: .npy [examples] int64; empty without labels.
        examples: their number.
        width: their features.
        classes: of the labels.
        test: [n, width] float32, test data in memory.
    """

    data: str
    labels: str
    examples: int
    width: int
    classes: int
    test: Tensor


def write_data(name: str, folder: Path, *, most: int | None = None, width: int | None = None) -> Files:
    """The first `most` training examples of a data set, in `folder`.

    Args:
        name: as for `anabranch train --data`; or random, for uniform noise.
        folder: exists.
        most: examples; all unless given.
        width: features of random data.

    Raises:
        SystemExit: random data without a width, or a width that the data do not have.
    """
    train, test, classes = _random(width, most) if name == RANDOM else _loaded(name, width)
    count = min(most or len(train), len(train))
    batch = train.take(torch.arange(count))
    np.save(folder / "data.npy", batch.x.numpy())
    if batch.y is not None:
        np.save(folder / "labels.npy", batch.y.numpy())
    if train.features.dtype == torch.uint8 and train.rows is None:
        # Anabranch keeps bytes as bytes; nobody else does.
        scale, shift = (x.expand(train.width).numpy() for x in (train.scale, train.shift))
        np.savez(folder / BYTES, features=train.features[:count].numpy(), scale=scale, shift=shift)
    labels = "" if batch.y is None else str(folder / "labels.npy")
    return Files(str(folder / "data.npy"), labels, count, train.width, classes, test.take(torch.arange(len(test))).x)


def _loaded(name: str, width: int | None) -> tuple[Examples, Examples, int]:
    dataset = load(name)
    if width not in (None, dataset.train.width):
        raise SystemExit(f"{name} has {dataset.train.width} features, not {width}: use --data {RANDOM}.")
    return dataset.train, dataset.test, dataset.classes


def _random(width: int | None, most: int | None) -> tuple[Examples, Examples, int]:
    if width is None:
        raise SystemExit(f"--data {RANDOM} needs --visible.")
    chance = torch.Generator().manual_seed(0)
    count = most or RANDOM_EXAMPLES
    labels = torch.randint(RANDOM_CLASSES, (count,), generator=chance)
    train = Examples(torch.rand(count, width, generator=chance), labels)
    return train, Examples(torch.rand(RANDOM_TEST, width, generator=chance)), RANDOM_CLASSES

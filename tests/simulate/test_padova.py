"""The times of De Filippo De Grazia, Stoianov & Zorzi 2012, figure 1, on the cluster that was fitted to them."""

import math

import numpy as np
import pytest
import torch

from anabranch.cluster import load_cluster
from anabranch.config import PRESETS, Config, updated
from anabranch.data import Dataset, Examples
from anabranch.progress import Silence
from anabranch.session import fitted
from anabranch.simulate.plan import make_stage
from anabranch.simulate.timing import Timing, timed_tasks

EPOCHS = 50


@pytest.fixture(scope="module")
def images() -> Dataset:
    """As many and as large as MNIST's; what they show takes no time."""
    train, test = (Examples(torch.zeros(n, 784, dtype=torch.uint8), torch.arange(n) % 10) for n in (60_000, 10))
    return Dataset("blank", train, test, classes=10)


def seconds_of_the_paper(workers: int, images: Dataset) -> float:
    """Seconds of its 50 epochs a layer, from one."""
    tables = {
        "training": {"epochs": 1, "dtype": "float64"},
        "finetuning": {"finetune_epochs": 0},
        "parallel": {"workers": workers, "world": "simulated", "threads": 1},
    }
    config = fitted(updated(updated(Config(), PRESETS["degrazia"], ""), tables, ""), images, 1, Silence())
    stage = make_stage(config, images, load_cluster("padova-2012"), None)
    tasks = timed_tasks(config, len(images.train), stage.loads)
    timing = Timing(tasks, len(images.train), config.training.seed, torch.float64, stage, Silence())
    done = stage.world().run(timing.run)[0]
    return EPOCHS * float(sum(task["virtual_seconds"] for task in done))


def test_its_times_and_its_exponent(images: Dataset) -> None:
    """Fitted: the ends. What lies between follows, and so does the power law that the paper gives as -0.86."""
    counts = (1, 2, 4, 8, 16, 20, 40)
    seconds = [seconds_of_the_paper(workers, images) for workers in counts]
    assert math.isclose(seconds[0], 16_500, rel_tol=0.01)
    assert math.isclose(seconds[-1], 900, rel_tol=0.01)
    assert seconds == sorted(seconds, reverse=True)
    exponent = float(np.polyfit(np.log(counts), np.log(seconds), 1)[0])
    assert abs(exponent - -0.86) < 0.04

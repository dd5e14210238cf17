"""Speeds and fractions of the limit, from timings that are given."""

from dataclasses import replace

import pytest
from torch import nn

from anabranch import speed
from anabranch.config import Config, FineTuningOptions, ModelOptions, ParallelOptions, TrainingOptions
from anabranch.limit import Products, back_propagation, contrastive_divergence
from anabranch.models import DBN, mlp
from anabranch.objectives import Precision
from anabranch.speed import Work, with_speeds, works

WORK = Work(contrastive_divergence(784, 500, 1), batch=125, processes=1)


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Products, int, Precision]]:
    """What was measured; every step takes 5 ms."""
    asked = []

    def step_seconds(products: Products, batch: int, precision: Precision) -> float:
        asked.append((products, batch, precision))
        return 0.005

    monkeypatch.setattr(speed, "step_seconds", step_seconds)
    return asked


def test_the_fraction_is_of_what_the_products_alone_would_allow(
    measured: list[tuple[Products, int, Precision]],
) -> None:
    assert speed.speed(100_000, 5.0, WORK, "bf16-mixed") == {
        "samples_per_second": 20_000.0,
        "gflop_per_second": 78.4,  # 20,000 times five products of 2 · 784 · 500
        "limit_samples_per_second": 25_000.0,  # 125 in 5 ms
        "fraction_of_limit": 0.8,
    }
    assert measured == [(WORK.products, 125, "bf16-mixed")]


def test_processes_have_a_limit_together() -> None:
    found = speed.speed(100_000, 2.5, replace(WORK, processes=4), "float32")
    assert (found["limit_samples_per_second"], found["fraction_of_limit"]) == (100_000.0, 0.4)


def test_short_tasks_are_not_held_up(measured: list[tuple[Products, int, Precision]]) -> None:
    found = speed.speed(5000, 0.5, WORK, "float32")
    assert (found["samples_per_second"], found["gflop_per_second"]) == (10_000.0, 39.2)
    assert found["limit_samples_per_second"] is found["fraction_of_limit"] is None
    assert measured == []


def test_tasks_without_known_work_have_samples_alone(measured: list[tuple[Products, int, Precision]]) -> None:
    tasks = with_speeds([{"task": "training", "examples": 300, "seconds": 3.0}], {}, "float32")
    assert tasks == [
        {
            "task": "training",
            "examples": 300,
            "seconds": 3.0,
            "samples_per_second": 100.0,
            "gflop_per_second": None,
            "limit_samples_per_second": None,
            "fraction_of_limit": None,
        }
    ]
    assert measured == []


def test_a_task_that_took_no_time_has_no_speed() -> None:
    assert set(speed.speed(0, 0.0, WORK, "float32").values()) == {None}


def config(model: str, *, world: str = "simulated", workers: int = 4, finetune_workers: str = "all") -> Config:
    parallel = ParallelOptions(workers=workers, world=world)  # type: ignore[arg-type]
    finetuning = FineTuningOptions(finetune_batch_size=50, finetune_workers=finetune_workers)  # type: ignore[arg-type]
    return Config(
        model=ModelOptions(model=model),
        parallel=parallel,
        training=TrainingOptions(batch_size=125, gibbs_steps=2),
        finetuning=finetuning,
    )


def test_the_work_of_a_dbn() -> None:
    dbn = DBN([8, 6, 5])
    assert works(config("dbn:8-6-5"), dbn, dbn.classifier(3, dropout=0.5), examples=2000) == {
        "layer 1 (8-6)": Work(contrastive_divergence(8, 6, 2), 125, 1),
        "layer 2 (6-5)": Work(contrastive_divergence(6, 5, 2), 125, 1),
        "fine-tuning": Work(back_propagation([8, 6, 5, 3]), 50, 1),
    }
    assert list(works(config("dbn:8-6-5"), dbn, None, examples=2000)) == ["layer 1 (8-6)", "layer 2 (6-5)"]


def test_ranks_of_mpi_compute_at_the_same_time() -> None:
    dbn = DBN([8, 6])
    network = dbn.classifier(3)
    found = works(config("dbn:8-6", world="mpi"), dbn, network, examples=2000)
    assert {name: work.processes for name, work in found.items()} == {"layer 1 (8-6)": 4, "fine-tuning": 4}
    found = works(config("dbn:8-6", world="mpi", finetune_workers="one"), dbn, network, examples=2000)
    assert {name: work.processes for name, work in found.items()} == {"layer 1 (8-6)": 4, "fine-tuning": 1}


def test_the_work_of_an_mlp_is_of_the_batches_that_it_really_sees() -> None:
    found = works(config("mlp:8-6-3"), mlp([8, 6, 3]), None, examples=1200)
    assert found == {"training": Work(back_propagation([8, 6, 3]), 100, 1)}  # 300 on each worker, in 3 steps


def test_a_module_of_the_users_own_has_no_known_work() -> None:
    network = nn.Sequential(nn.Linear(8, 3))
    assert works(config("mine:net"), network, network, examples=2000) == {}

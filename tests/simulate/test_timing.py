"""Time without the mathematics: the same as with it."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from anabranch.cluster import Cluster, Failure, Link, Network, Nodes, Speed, Straggling
from anabranch.comm.ledger import Account
from anabranch.config import Config, updated
from anabranch.data import Dataset, Examples
from anabranch.errors import PeerLost, UsageError
from anabranch.progress import Silence
from anabranch.runfolder import RunFolder
from anabranch.seeding import generator
from anabranch.session import fitted, train_here
from anabranch.simulate.plan import make_stage
from anabranch.simulate.stage import Stage
from anabranch.simulate.timing import Lengths, Timing, timed_tasks

CLUSTER = Cluster(
    "disturbed",
    Nodes(3, 2),
    Network(Link(1e-6, 5e9), Link(3e-5, 1e8), add_bandwidth=4e9, interface_latency=1e-6),
    (Speed(1e9, activities_per_second=1e7, parameters_per_second=1e8, updates_per_second=1e8, step_seconds=1e-5),),
    stragglers=(Straggling("log-normal", sigma=0.3), Straggling("pauses", every=0.01, seconds=0.002)),
    seed=5,
)


def dataset() -> Dataset:
    x = torch.rand(90, 16, generator=generator(1))
    part = Examples(x, torch.arange(90) % 3)
    return Dataset("random", part, part, classes=3)


def config(workers: int, model: str = "dbn:16-8-6", **parallel: Any) -> Config:
    tables = {
        "model": {"model": model},
        "parallel": {"workers": workers, "world": "simulated", "threads": 1} | parallel,
        "training": {"epochs": 3, "batch_size": 4, "seed": 2},
        "finetuning": {"finetune_epochs": 2, "finetune_batch_size": 4},
    }
    return fitted(updated(Config(), tables, "a test"), dataset(), 1, Silence())


def timed(one: Config, cluster: Cluster = CLUSTER) -> tuple[list[dict[str, Any]], list[Account]]:
    stage = make_stage(one, dataset(), cluster, None)
    world = stage.world()
    tasks = timed_tasks(one, 90, stage.loads)
    results = world.run(Timing(tasks, 90, one.training.seed, torch.float32, stage, Silence()).run)
    return results[0], world.ledger.accounts()


def learnt(one: Config, folder: Path, cluster: Cluster = CLUSTER) -> tuple[list[dict[str, Any]], list[Account]]:
    stage = make_stage(one, dataset(), cluster, None)
    place, world = RunFolder(folder), stage.world()
    place.create(one)
    summary = train_here(one, dataset(), place, Silence(), world, staged=stage.staged)
    return summary["tasks"], world.ledger.accounts()


def test_what_needs_one_memory_needs_one_node() -> None:
    make_stage(config(2, strategy="hogwild"), dataset(), CLUSTER, None)
    with pytest.raises(UsageError, match="share one memory, but lie on 3 nodes of disturbed: take fewer"):
        make_stage(config(5, strategy="hogwild"), dataset(), CLUSTER, None)


@pytest.mark.parametrize(
    "parallel",
    [
        {"strategy": "allreduce"},
        {"strategy": "averaging"},
        {"strategy": "averaging", "every": 2},
        {"strategy": "bmuf"},
        {"strategy": "diloco", "every": 3},
        {"strategy": "post-local", "every": 2, "local_after": 1},
        {"strategy": "downpour"},
        {"strategy": "downpour", "overlap": True, "fetch_every": 2, "push_every": 3},
        {"strategy": "downpour", "server": "ranks:1"},
        {"strategy": "downpour", "server": "ranks:2", "shards": "hashed", "overlap": True},
        {"strategy": "easgd", "every": 3},
        {"strategy": "easgd-sync", "every": 3},
        {"strategy": "fetch-put", "server": "ranks:1"},
        {"strategy": "fetch-add"},
        {"strategy": "hogwild"},
    ],
    ids=lambda parallel: "-".join(str(value) for value in parallel.values()),
)
@pytest.mark.parametrize("workers", [1, 5])
def test_it_is_the_time_of_the_run_with_the_mathematics(workers: int, parallel: dict[str, Any], tmp_path: Path) -> None:
    one = config(workers, **parallel)
    cluster = dataclasses.replace(CLUSTER, nodes=Nodes(1, 5)) if parallel["strategy"] == "hogwild" else CLUSTER
    tasks, accounts = timed(one, cluster)
    full, books = learnt(one, tmp_path / "run", cluster)
    assert accounts == books
    for task, other in zip(tasks, full, strict=True):
        assert {key: other[key] for key in task} == task


@pytest.mark.parametrize("server", ["window", "ranks:1", "ranks:2"])
def test_buffers_take_their_time(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go with the pushes to a server."""
    (tmp_path / "normalised.py").write_text(
        "from torch import nn\n\ndef net():\n    return nn.Sequential(nn.BatchNorm1d(16), nn.Linear(16, 3))\n"
    )
    monkeypatch.chdir(tmp_path)
    one = config(3, model="normalised:net", strategy="downpour", server=server)
    tasks, accounts = timed(one)
    full, books = learnt(one, tmp_path / "run")
    assert accounts == books
    assert [{key: other[key] for key in task} for task, other in zip(tasks, full, strict=True)] == tasks


def test_post_local_that_never_leaves_lockstep_takes_the_time_of_allreduce() -> None:
    """Down to the last message: 15 steps a layer do not end a round of two, but no round has begun."""
    assert (
        timed(config(5, strategy="post-local", every=2, local_after=3))[1] == timed(config(5, strategy="allreduce"))[1]
    )


def test_fine_tuning_on_one_worker(tmp_path: Path) -> None:
    one = config(4)
    one = dataclasses.replace(one, finetuning=dataclasses.replace(one.finetuning, finetune_workers="one"))
    _, accounts = timed(one)
    _, books = learnt(one, tmp_path / "run")
    assert accounts == books
    assert accounts[1].computing < accounts[0].computing
    assert accounts[1].clock == accounts[0].clock


def test_a_lost_worker_ends_both_alike(tmp_path: Path) -> None:
    cluster = dataclasses.replace(CLUSTER, failures=(Failure("die", rank=2, at=0.002),))
    one = config(4, strategy="allreduce")
    with pytest.raises(PeerLost, match="rank 2 is lost"):
        timed(one, cluster)
    with pytest.raises(PeerLost, match="rank 2 is lost"):
        learnt(one, tmp_path / "run", cluster)


def test_two_runs_agree_and_another_seed_does_not() -> None:
    one = config(5, strategy="allreduce")
    assert timed(one) == timed(one)
    assert timed(one)[1] != timed(one, dataclasses.replace(CLUSTER, seed=6))[1]


def test_convergence_needs_the_mathematics() -> None:
    one = config(2)
    one = dataclasses.replace(one, training=dataclasses.replace(one.training, stop="convergence"))
    stage: Stage = make_stage(one, dataset(), CLUSTER, None)
    with pytest.raises(UsageError, match="timing alone cannot know when training converges: use --stop epochs"):
        timed_tasks(one, 90, stage.loads)


def test_examples_without_content() -> None:
    rows = Lengths(7)
    assert len(rows) == 7
    assert len(rows.take(torch.tensor([1, 5]), torch.float32)) == 2
    assert [len(batch) for batch in rows.chunks(3, torch.float32)] == [3, 3, 1]

"""`anabranch.fit` is `anabranch train` with objects in place of names: the same bits, and whatever torch can train."""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))

from cli_helpers import summary, train, write_data

import anabranch
from anabranch import Allreduce, Averaging, Epoch, Rule, Task
from anabranch.build import build_model
from anabranch.cli.main import main
from anabranch.cluster import Cluster, load_cluster
from anabranch.config import Config, ModelOptions, read_toml
from anabranch.data import load
from anabranch.errors import DataError, DivergedError, Interrupted, UsageError
from anabranch.models import RBM
from anabranch.strategies import CATALOGUE, Hosting
from anabranch.testing.tasks import Quadratic
from anabranch.types import Step

SIZES: dict[str, Any] = {"batch_size": 8, "threads": 1, "epochs": 3, "progress": False}
MLP = "mlp:16-8-3"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_data(tmp_path_factory.mktemp("data"))


def weights(module: nn.Module) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in module.state_dict().values()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def module_of(data: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Module:
    """What `anabranch train --model mlp:16-8-3` begins with."""
    return build_model(ModelOptions(MLP), load(data), seed, dtype)


# --- the same bits as the command line


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], {}),
        (["--workers", "3", "--every", "2"], {"workers": 3, "every": 2}),
        (
            ["--workers", "2", "--strategy", "allreduce", "--optimizer", "adam", "--learning-rate", "0.01"],
            {"workers": 2, "strategy": "allreduce", "optimizer": "adam", "learning_rate": 0.01},
        ),
        (
            ["--workers", "2", "--strategy", "bmuf", "--schedule", "cosine", "--momentum", "0.5", "--seed", "7"],
            {"workers": 2, "strategy": "bmuf", "schedule": "cosine", "momentum": 0.5, "seed": 7},
        ),
        (["--workers", "3", "--strategy", "downpour"], {"workers": 3, "strategy": "downpour"}),
        (["--dtype", "float64", "--test-each-epoch"], {"dtype": "float64", "test_each_epoch": True}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_it_gives_the_bits_of_the_command_line(
    words: list[str], options: dict[str, Any], data: str, tmp_path: Path
) -> None:
    assert train(data, tmp_path / "run", "--model", MLP, *words) == 0
    told, named = summary(tmp_path / "run"), anabranch.fit(MLP, data, **SIZES, **options)
    dtype = torch.float64 if "dtype" in options else torch.float32
    network = module_of(data, options.get("seed", 0), dtype)
    given = anabranch.fit(network, data, **SIZES, **options)
    assert named.summary["weights_sha256"] == given.summary["weights_sha256"] == told["weights_sha256"]
    assert named.test_error == given.test_error == told["test_error"]
    assert [task["error"] for task in told["tasks"]] == [given.errors[-1]]
    assert given.model is network
    assert same(weights(network), weights(named.model))


@pytest.mark.parametrize("given", [False, True])
def test_a_deep_belief_network_too(given: bool, data: str, tmp_path: Path) -> None:
    assert train(data, tmp_path / "run", "--workers", "2", "--finetune-epochs", "20", "--finetune-batch-size", "2") == 0
    model = build_model(ModelOptions("dbn:16-8-6"), load(data), 0, torch.float32) if given else "dbn:16-8-6"
    fitted = anabranch.fit(model, data, workers=2, **SIZES)
    tasks = summary(tmp_path / "run")["tasks"]
    assert [task["task"] for task in tasks] == list(dict.fromkeys(epoch.task for epoch in fitted.epochs))
    assert [task["error"] for task in tasks[:2]] == [fitted.epochs[2].error, fitted.epochs[5].error]
    assert isinstance(fitted.model, nn.Sequential)
    assert fitted.test_error == summary(tmp_path / "run")["test_error"]
    assert fitted.summary["weights_sha256"] == summary(tmp_path / "run")["weights_sha256"]


def test_a_strategy_may_be_a_name_a_class_or_an_object(data: str) -> None:
    rule = Rule("sgd", 0.1, 0.9, 0.5, 5, epochs=3)  # what the command line makes of its defaults
    found = [
        anabranch.fit(module_of(data), data, strategy=strategy, workers=2, **SIZES)
        for strategy in ("allreduce", Allreduce, Allreduce(rule))
    ]
    assert len({fitted.summary["weights_sha256"] for fitted in found}) == 1
    assert [fitted.summary["strategy"] for fitted in found] == ["allreduce", *["python:Allreduce"] * 2]


def test_a_loop_of_ones_own_gives_the_bits_of_fit(data: str) -> None:
    rule = Rule("sgd", 0.1, epochs=3)
    fitted = anabranch.fit(module_of(data), data, strategy=Averaging(rule), workers=3, **SIZES)

    def program(comm: anabranch.Communicator) -> tuple[list[Tensor], list[float], int]:
        network = module_of(data)
        task = anabranch.task(network, data, comm, epochs=3, batch_size=8)
        assert isinstance(task, Task)
        examples = sum(step.examples for step in Averaging(rule).run(task, comm))
        return weights(network), task.errors, examples

    for tensors, errors, examples in anabranch.simulated(3).run(program):
        assert same(tensors, weights(fitted.model))
        assert tuple(errors) == fitted.errors
        assert examples == 3 * 16


def test_an_rbm_in_a_loop_of_ones_own(data: str) -> None:
    def program(comm: anabranch.Communicator) -> list[float]:
        task = anabranch.task(RBM(16, 8), data, comm, epochs=4)
        assert len(list(Averaging().run(task, comm))) == task.steps
        return task.errors

    errors = anabranch.simulated(2).run(program)
    assert errors[0] == errors[1]
    assert errors[0][-1] < errors[0][0]


# --- any module


class Tied(nn.Module):
    """A shared matrix, a frozen one, buffers, and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.frozen, self.top = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 3)
        self.other = nn.Linear(16, 16)
        self.other.weight = self.one.weight
        self.frozen.requires_grad_(False)
        self.norm, self.drop = nn.BatchNorm1d(16), nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.top(self.drop(self.norm(self.other(torch.tanh(self.frozen(self.one(x)))))))
        return found


@pytest.mark.parametrize("strategy", ["allreduce", "averaging", "downpour"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_shared_and_frozen_parameters_and_buffers(strategy: str, optimizer: Any, data: str) -> None:
    if (strategy, optimizer) == ("downpour", "adamw"):
        optimizer = "adagrad"
    torch.manual_seed(1)
    network = Tied()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fitted = anabranch.fit(
        network, data, strategy=strategy, workers=2, optimizer=optimizer, learning_rate=0.01, **SIZES
    )
    assert network.one.weight is network.other.weight
    assert not torch.equal(network.one.weight, before["one.weight"])
    assert torch.equal(network.frozen.weight, before["frozen.weight"])
    steps = network.norm.num_batches_tracked
    assert steps is not None
    assert 0 < int(steps) <= (9 if strategy != "downpour" else 20), "of the first worker, not of all"
    assert network.training
    assert fitted.losses[-1] < fitted.losses[0]


def test_a_module_in_evaluation_mode_learns_as_one_in_training_mode_and_keeps_its_mode(data: str) -> None:
    found = []
    for training in (True, False):
        torch.manual_seed(3)
        network = nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)).train(training)
        found.append(anabranch.fit(network, data, workers=2, **SIZES).summary["weights_sha256"])
        assert all(part.training is training for part in network.modules())
    assert found[0] == found[1]


def test_a_server_takes_the_buffers_of_a_worker(data: str) -> None:
    """Its own copy of the module saw no examples."""
    network = nn.Sequential(nn.BatchNorm1d(16), nn.Linear(16, 3))
    strategy = anabranch.Downpour(Rule("sgd", 0.05), hosting=Hosting("ranks", 1))
    fitted = anabranch.fit(network, data, strategy=strategy, workers=2, **SIZES)
    assert fitted.summary["servers"] == 1
    assert [worker.rank for worker in fitted.workers] == [0, 1]
    norm = network[0]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert float(norm.running_mean.abs().sum()) > 0


class Masked(nn.Module):
    """A buffer that is no contiguous memory, and one that is in no state dict."""

    mask: Tensor
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 3)
        self.register_buffer("mask", torch.ones(3, 16).T)
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen += 1
        logits: Tensor = self.layer(x) + 0 * (x @ self.mask)
        return logits


@pytest.mark.parametrize("strategy", ["averaging", "downpour"])
def test_buffers_of_any_kind_come_back(strategy: str, data: str) -> None:
    module = Masked()
    anabranch.fit(module, data, strategy=strategy, workers=2, epochs=1, learning_rate=0.01, progress=False)
    assert module.seen > 0
    assert torch.equal(module.mask, torch.ones(16, 3))


@pytest.mark.parametrize("name", ["fetch-put", "fetch-add", "downpour", "hogwild"])
def test_a_strategy_of_ours_is_the_same_by_its_class(name: str, data: str) -> None:
    """Its momentum, too, is 0 unless given."""
    options: dict[str, Any] = {"workers": 2, "epochs": 1, "learning_rate": 0.02, "progress": False}
    make: Any = CATALOGUE[name].make
    by_name, by_class = (anabranch.fit("mlp", data, strategy=way, **options) for way in (name, make))
    assert by_name.summary["weights_sha256"] == by_class.summary["weights_sha256"]


def test_hogwild_may_be_an_object(data: str) -> None:
    trained = anabranch.fit(
        "mlp", data, strategy=anabranch.Hogwild(Rule("sgd", 0.05)), workers=2, epochs=5, progress=False
    )
    assert trained.summary["workers"] == 2
    assert trained.losses[-1] < trained.losses[0]


def test_a_regression_on_data_in_their_own_shape() -> None:
    x = torch.randn(120, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    y = x.sum((1, 2, 3), keepdim=True).reshape(-1, 1).double()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(18, 1))
    options: dict[str, Any] = {
        "loss": F.mse_loss,
        "workers": 2,
        "learning_rate": 0.003,
        "batch_size": 8,
        "progress": False,
    }
    fitted = anabranch.fit(network, (x, y), epochs=25, **options)
    assert fitted.test_error is None
    assert fitted.test_loss is not None
    assert fitted.test_loss < 0.5 < float(y.var())
    assert fitted.losses[-1] < fitted.losses[0]
    tested = anabranch.fit(network, TensorDataset(x, y), test=(x.numpy(), y.numpy()), epochs=1, **options)
    assert tested.test_loss == pytest.approx(F.mse_loss(network(x), y.float()).item(), rel=1e-3)


def test_any_loss_on_classes(data: str) -> None:
    plain = anabranch.fit(nn.Linear(16, 3), data, **SIZES)
    smoothed = anabranch.fit(nn.Linear(16, 3), data, loss=nn.CrossEntropyLoss(label_smoothing=0.2), **SIZES)
    assert plain.test_loss is None
    assert smoothed.test_loss is not None
    assert smoothed.test_error is not None
    summed = anabranch.fit(nn.Linear(16, 1), data, loss=lambda out, y: (out[:, 0] - y).square().mean(), **SIZES)
    assert summed.test_error is None, "one output is no logits of three classes"
    x, years = torch.rand(50, 16), torch.arange(1975, 2025)
    dated = anabranch.fit(
        nn.Linear(16, 1), (x, years), loss=lambda out, y: (out[:, 0] - y / 2000).abs().mean(), **SIZES
    )
    assert dated.test_loss is not None
    with pytest.raises(DataError, match="the data has labels up to 2,024, but only 50 examples"):
        anabranch.fit(nn.Linear(16, 1), (x, years), **SIZES)


# --- what comes back, and what is left behind


def test_what_it_returns(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    heard: list[Epoch] = []
    threads = torch.get_num_threads()
    options = SIZES | {"threads": threads + 1, "workers": 3, "test_each_epoch": True}
    fitted = anabranch.fit(module_of(data), data, on_epoch=heard.append, **options)
    assert list(fitted.epochs) == heard
    assert [(epoch.task, epoch.number) for epoch in heard] == [("training", 1), ("training", 2), ("training", 3)]
    assert heard[-1].test_error == fitted.test_error
    assert [worker.examples for worker in fitted.workers] == [48, 48, 48]
    assert all(worker.working > 0 and worker.waiting is None for worker in fitted.workers)
    assert fitted.virtual_seconds is None
    assert fitted.seconds > 0
    assert torch.get_num_threads() == threads
    assert not list(tmp_path.iterdir()), "nothing is written unless asked"


def test_virtual_time(data: str) -> None:
    fitted = anabranch.fit(nn.Linear(16, 3), data, workers=3, cluster="ethernet-1g", **SIZES)
    assert fitted.virtual_seconds is not None
    for worker in fitted.workers:
        assert worker.waiting is not None
        assert 0 < worker.working + worker.waiting <= fitted.virtual_seconds


def test_a_cluster_is_named_or_given(data: str, tmp_path: Path) -> None:
    cluster, path = load_cluster("ethernet-1g"), tmp_path / "ours.toml"
    path.write_text('based_on = "ethernet-1g"\n')
    given: list[Cluster | str | Path] = ["ethernet-1g", path, str(path), cluster]
    times = {anabranch.fit(module_of(data), data, workers=2, cluster=one, **SIZES).virtual_seconds for one in given}
    assert len(times) == 1
    slow = replace(cluster, compute=tuple(replace(one, step_seconds=1.0) for one in cluster.compute))
    slowed = anabranch.fit(module_of(data), data, workers=2, cluster=slow, **SIZES).virtual_seconds
    assert slowed is not None
    assert slowed > max(filter(None, times)) + 3  # seconds: an epoch has a step at least


def test_a_run_with_a_folder_goes_on_to_the_same_bits(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = SIZES | {"epochs": 5, "workers": 2}
    whole = anabranch.fit(module_of(data), data, **options)
    network, out = module_of(data), tmp_path / "run"

    def stop(epoch: Epoch) -> None:
        if epoch.number == 3:
            raise KeyboardInterrupt

    before = weights(network)
    monkey = pytest.MonkeyPatch()
    monkey.setattr("anabranch.journal.RunJournal.checkpoint_due", lambda _: True)
    with pytest.raises(KeyboardInterrupt):
        anabranch.fit(network, data, out=out, on_epoch=stop, **options)
    monkey.undo()
    assert same(before, weights(network)), "what did not end leaves the module as it was"
    with pytest.raises(UsageError, match="is not empty: choose another out, or go on with it by resume"):
        anabranch.fit(network, data, out=out, **options)
    assert main(["train", "--resume", str(out)]) == 2
    assert "has parts that a Python program gave it" in capsys.readouterr().err
    resumed = anabranch.fit(network, data, out=out, resume=True, **options)
    assert resumed.summary["weights_sha256"] == whole.summary["weights_sha256"] == summary(out)["weights_sha256"]
    assert resumed.summary["earlier_seconds"] > 0
    assert same(weights(network), weights(whole.model))


def test_a_run_on_a_cluster_goes_on_in_its_virtual_time(data: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = SIZES | {"workers": 2, "cluster": "ethernet-1g", "strategy": "allreduce"}
    model = "dbn:16-8-6"
    whole = anabranch.fit(model, data, **options)

    def stop(epoch: Epoch) -> None:
        if (epoch.task, epoch.number) == ("layer 2 (8-6)", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        anabranch.fit(model, data, out=out, on_epoch=stop, **options)
    for other in ("laptop", None):
        with pytest.raises(UsageError, match=r"is on another cluster .*: give cluster as it was then, or another out"):
            anabranch.fit(model, data, out=out, resume=True, **options | {"cluster": other})
    resumed = anabranch.fit(model, data, out=out, resume=True, **options)
    assert resumed.summary["weights_sha256"] == whole.summary["weights_sha256"]
    # The broken task sends its weights around once more, as a real one would: 2 µs of 20 ms.
    for mine, its in zip(resumed.summary["tasks"], whole.summary["tasks"], strict=True):
        for key in ("virtual_began", "virtual_seconds"):
            assert mine[key] == pytest.approx(its[key], abs=5e-6), key
    assert resumed.virtual_seconds == pytest.approx(whole.virtual_seconds, abs=5e-6)


def test_a_run_without_a_cluster_goes_on_without_one(data: str, tmp_path: Path) -> None:
    options = SIZES | {"workers": 2, "out": tmp_path / "run"}
    anabranch.fit(MLP, data, **options)
    with pytest.raises(UsageError, match="is on no cluster: give cluster as it was then, or another out"):
        anabranch.fit(MLP, data, resume=True, cluster="laptop", **options)


def test_what_was_decided_stays_when_a_run_goes_on(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads, and arithmetic that was measured: either might come out otherwise now."""
    monkeypatch.setattr("anabranch.journal.RunJournal.checkpoint_due", lambda _: True)

    def fitted(threads: int, dtype: str, out: str, last: int, **more: Any) -> anabranch.Fit:
        monkeypatch.setattr("anabranch.session.useful_threads", Mock(return_value=threads))
        monkeypatch.setattr("anabranch.session.decided", Mock(side_effect={"auto": dtype, "float32": "float32"}.get))

        def stop(epoch: Epoch) -> None:
            if epoch.number == last:
                raise KeyboardInterrupt

        options: dict[str, Any] = {"batch_size": 8, "epochs": 4, "progress": False, "dtype": "auto"} | more
        return anabranch.fit(module_of(data), data, out=tmp_path / out, on_epoch=stop, **options)

    whole = fitted(1, "float32", "whole", 99)
    with pytest.raises(KeyboardInterrupt):
        fitted(1, "float32", "broken", 3)
    resumed = fitted(2, "bf16-mixed", "broken", 99, resume=True)
    assert (resumed.summary["threads"], resumed.summary["dtype"]) == (1, "float32")
    assert resumed.summary["weights_sha256"] == whole.summary["weights_sha256"]
    assert resumed.summary["earlier_seconds"] > 0


def test_the_record_of_a_strategy_object_is_its_own(data: str, tmp_path: Path) -> None:
    """And a run goes on with no other one."""
    given = Averaging(Rule("adam", 0.01), every=4)
    options = SIZES | {"workers": 2, "out": tmp_path / "run"}
    anabranch.fit(module_of(data), data, strategy=given, **options)
    kept = read_toml(tmp_path / "run" / "config.toml", Config())
    assert kept.parallel.strategy == "python:Averaging(every=4)"
    assert (kept.training.optimizer, kept.training.learning_rate, kept.training.momentum) == ("adam", 0.01, 0.0)
    for other, option in ((Averaging(given.rule, every=5), "strategy"), (Averaging(Rule("adam"), 4), "learning_rate")):
        with pytest.raises(UsageError, match=option):
            anabranch.fit(module_of(data), data, strategy=other, resume=True, **options)
    momenta = Rule("sgd", 0.2, momentum=0.8, early_momentum=0.4, early_epochs=2)
    anabranch.fit(module_of(data), data, strategy=Averaging(momenta), **options | {"out": tmp_path / "other"})
    training = read_toml(tmp_path / "other" / "config.toml", Config()).training
    assert (training.learning_rate, training.momentum, training.early_momentum, training.early_epochs) == (
        0.2,
        0.8,
        0.4,
        2,
    )


def negated(x: Tensor) -> Tensor:
    return -x


@dataclass(frozen=True)
class Fancy:
    """Fields that have no plain values."""

    masks: list[Tensor] = field(default_factory=list)
    map: Callable[[Tensor], Tensor] = torch.abs
    every: int = 3
    rule: Rule = Rule()  # noqa: RUF009 - frozen

    def run(self, task: Task, comm: anabranch.Communicator) -> Iterator[Step]:
        return Averaging(self.rule, self.every).run(task, comm)


@pytest.mark.parametrize(
    ("strategy", "described"),
    [
        (Fancy(), "python:Fancy"),
        (Fancy(rule=Rule("adam", 0.01)), "python:Fancy"),
        (Fancy(rule=Rule("sgd", 0.1, 0.5, nesterov=True)), "python:Fancy(rule.nesterov=True)"),
        (Fancy(rule=Rule("adam", schedule="cosine", epochs=3)), "python:Fancy(rule.epochs=3)"),
        (Fancy([torch.ones(2)], every=4), "python:Fancy(masks=[tensor([1., 1.])], every=4)"),
        (Fancy(map=negated), "python:Fancy(map=<function negated>)"),
    ],
)
def test_strategy_objects_are_told_apart_in_words_that_stay(
    strategy: Fancy, described: str, data: str, tmp_path: Path
) -> None:
    anabranch.fit(module_of(data), data, strategy=strategy, workers=2, out=tmp_path / "run", **SIZES)
    assert read_toml(tmp_path / "run" / "config.toml", Config()).parallel.strategy == described


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(data: str, tmp_path: Path) -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.number == 2:
            signal.raise_signal(signal.SIGINT)

    options = SIZES | {"epochs": 5, "out": tmp_path / "run"}
    with pytest.raises(Interrupted, match=r"after epoch \d: go on by the same fit with resume=True\."):
        anabranch.fit(module_of(data), data, on_epoch=stop, **options)
    assert anabranch.fit(module_of(data), data, resume=True, **options).epochs[-1].number == 5


# --- what cannot be


class Talkative(nn.Linear):
    def __init__(self) -> None:
        super().__init__(16, 3)

    def get_extra_state(self) -> dict[str, int]:
        return {"calls": 3}


class OnGpu(nn.Linear):
    def __init__(self) -> None:
        super().__init__(16, 3, device="meta")


def no_scalar(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs


def failing(outputs: Tensor, targets: Tensor) -> Tensor:
    raise ValueError("no such thing")


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (nn.Linear(16, 3), {"workers": 0}, "not 0: use workers 1 or more"),
        (nn.Linear(16, 3), {"batch_size": 1000}, "use batch_size 48 or fewer"),
        (nn.Linear(16, 3), {"world": "mpi"}, "start it by  mpirun -n 2 python script.py"),
        (nn.Linear(16, 3), {"optimizer": "sdg"}, "optimizer = 'sdg' does not fit"),
        (nn.Linear(16, 3), {"strategy": "averagin"}, "did you mean 'averaging'"),
        (nn.Linear(16, 3), {"strategy": Allreduce(), "momentum": 0.5}, "momentum would be overlooked"),
        (
            nn.Linear(16, 3),
            {"optimizer": "adam", "momentum": 0.5},
            "momentum 0.5 is for sgd, but the .* is adam: leave",
        ),
        (nn.Linear(16, 3), {"strategy": 3}, "int gives a int without run"),
        (nn.Linear(16, 3), {"strategy": Quadratic}, r"Quadratic gives a Quadratic without run\(task, comm\)"),
        (nn.Linear(16, 3), {"resume": True}, "give out, too"),
        (nn.Linear(16, 3), {"loss": no_scalar}, r"gives a tensor \[2, 3\], not the mean"),
        (nn.Linear(16, 3), {"loss": failing}, "the loss, given Linear's output .* raised ValueError"),
        (nn.Linear(16, 4), {}, r"Linear gives \[2, 4\] for a batch of 2, but .* needs logits \[2, 3\]"),
        (nn.Linear(5, 3), {}, r"Linear, given a batch \[2, 16\] of .* raised RuntimeError"),
        (OnGpu(), {}, "OnGpu is on meta, but training here is on the CPU"),
        (nn.Linear(16, 3).requires_grad_(False), {}, "no parameter of Linear requires a gradient"),
        (nn.LazyLinear(3), {}, "LazyLinear has lazy layers, .*: let it see a batch first"),
        (Talkative(), {}, r"in its state_dict what is no tensor \('_extra_state'\), but checkpoints"),
        (MLP, {"loss": F.mse_loss}, "a loss goes with a module of your own"),
        (3, {}, "a int is no model"),
        (nn.Linear(16, 3), {"cluster": "atlantis"}, "atlantis"),
        (nn.Linear(16, 3), {"cluster": Path("nowhere.toml")}, "nowhere.toml"),
        (nn.Linear(16, 3), {"cluster": 5}, "a int is no cluster: give a name"),
        (nn.Linear(16, 3), {"on_epoch": 5}, "on_epoch is 5: give a function of an Epoch"),
        (nn.Linear(16, 3), {"loss": "mse"}, "the loss is 'mse': give a function"),
        (nn.Linear(16, 3), {"strategy": int}, "int is no strategy: that is a class with run"),
        (nn.Linear(16, 3), {"strategy": "builtins:int"}, "int is no strategy: that is a class with run"),
    ],
)
def test_what_cannot_be_is_a_sentence(model: Any, options: dict[str, Any], sentence: str, data: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        anabranch.fit(model, data, **SIZES | options)


@pytest.mark.parametrize(
    ("given", "options", "kind", "sentence"),
    [
        ([1, 2, 3], {}, UsageError, "a list is no data"),
        ((np.zeros((9, 2)), np.full(9, 0.5)), {}, UsageError, "for a regression, give a loss"),
        ((np.zeros((9, 2)), None), {}, UsageError, "learns from labels"),
        ((np.zeros((9, 2)), np.full(9, np.nan)), {"loss": F.mse_loss}, DataError, "the targets of .* the value nan"),
        ((np.zeros((9, 2)), np.zeros((8, 1))), {"loss": F.mse_loss}, DataError, "9 rows of features but 8 labels"),
        ("digits", {"test": (np.zeros((9, 2)), np.zeros(9))}, UsageError, "a named one, or ours, has its own"),
    ],
)
def test_what_is_no_data(given: Any, options: dict[str, Any], kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        anabranch.fit(nn.Linear(2, 1), given, progress=False, **options)


@pytest.mark.parametrize(
    ("rows", "options", "remedy"),
    [
        (9, {"batch_size": 1}, "use batch_size 3"),
        (8, {"batch_size": 1}, "use batch_size 2"),
        (9, {"batch_size": 2}, "use batch_size 3"),
        (6, {"workers": 2, "batch_size": 2}, "use batch_size 3"),
        (3, {"workers": 3, "batch_size": 1}, "use fewer workers, or more data"),
    ],
)
def test_batches_of_one_example_are_refused_where_a_network_cannot_learn_from_one(
    rows: int, options: dict[str, Any], remedy: str
) -> None:
    """Held out are three examples more. What can learn from one does."""
    chance = np.random.default_rng(0)
    (x, y), test = ((chance.normal(size=(n, 4)), np.arange(n) % 3) for n in (rows, 3))
    given: dict[str, Any] = {"test": (test[0], test[1]), "epochs": 1, "progress": False} | options
    normal = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).eval()
    with pytest.raises(UsageError, match=f"of one example, with which Sequential cannot .*: {remedy}"):
        anabranch.fit(normal, (x, y), **given)
    assert not normal.training
    assert anabranch.fit(nn.Linear(4, 3), (x, y), **given).losses
    if "batch_size" in remedy:
        assert anabranch.fit(normal, (x, y), **given | {"batch_size": int(remedy[-1])}).losses


def test_divergence_is_an_error(data: str) -> None:
    torch.manual_seed(0)  # from some weights even such a rate finds a place without a gradient
    with pytest.raises(DivergedError, match="use a lower learning rate"):
        anabranch.fit(nn.Linear(16, 3), data, learning_rate=1e38, **SIZES)

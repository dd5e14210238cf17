"""The fast back-propagation against torch's differentiation, central differences, and torch's optimizers."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anabranch.errors import UsageError
from anabranch.kernels import Noise
from anabranch.models import mlp
from anabranch.objectives import BackPropagation, Objective, Precision, SigmoidBackPropagation, back_propagation
from anabranch.objectives.base import weight_dtype
from anabranch.objectives.feedforward import fits
from anabranch.optim import Rule, RuleName
from anabranch.types import Batch

PRECISIONS: list[Precision] = ["float32", "bf16-mixed", "float64"]
# How far the fast one and torch may lie apart, in units of the largest number. bfloat16: they round at other places.
NEAR = {"float32": 1e-5, "bf16-mixed": 3e-2, "float64": 1e-12}
SIZES, CLASSES, N = [12, 9, 7, 4], 4, 11

every_precision = pytest.mark.parametrize("precision", PRECISIONS)


def network(precision: Precision = "float64", *, dropout: float = 0.0, sizes: list[int] = SIZES) -> nn.Sequential:
    """Always the same weights, and biases that are not zero."""
    generator = torch.Generator().manual_seed(1)
    built = mlp(sizes, activation="sigmoid", dropout=dropout, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.mul_(3) if parameter.dim() > 1 else parameter.normal_(0, 0.5, generator=generator)
    return built.to(weight_dtype(precision))


def objective(precision: Precision = "float64", *, dropout: float = 0.0, seed: int = 0) -> Objective:
    return SigmoidBackPropagation(network(precision, dropout=dropout), precision=precision, seed=seed)


def batch_of(precision: Precision = "float64", n: int = N, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, SIZES[0], generator=generator, dtype=torch.float64)
    return Batch(x.to(weight_dtype(precision)), torch.randint(CLASSES, (n,), generator=generator))


def assert_near(actual: Tensor, expected: Tensor, near: float) -> None:
    assert float((actual - expected).abs().max()) <= near * float(expected.abs().max())


@every_precision
@pytest.mark.parametrize("sizes", [[12, 4], [12, 9, 4], SIZES], ids=str)
def test_loss_and_gradient_are_those_of_torch(precision: Precision, sizes: list[int]) -> None:
    fast = SigmoidBackPropagation(network(precision, sizes=sizes), precision=precision)
    plain = BackPropagation(network(precision, sizes=sizes), precision=precision)
    loss, g = fast.gradient(batch_of(precision))
    expected_loss, expected = plain.gradient(batch_of(precision))
    assert loss == pytest.approx(expected_loss, rel=NEAR[precision])
    assert_near(g, expected, NEAR[precision])


@every_precision
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_descent_goes_where_torch_goes(precision: Precision, momentum: float) -> None:
    fast, plain = objective(precision), BackPropagation(network(precision), precision=precision)
    rule, start = Rule(learning_rate=0.1, momentum=momentum), fast.weights.clone()
    optimizer, other = rule.build(fast.weights), rule.build(plain.weights)
    for step in range(20):
        batch = batch_of(precision, seed=step)
        loss = fast.descend(batch, optimizer)
        assert loss == pytest.approx(plain.descend(batch, other), rel=NEAR[precision])
    assert_near(fast.weights - start, plain.weights - start, NEAR[precision])


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gradient_against_central_differences(dropout: float) -> None:
    tiny = SigmoidBackPropagation(network(sizes=[12, 3, 2, 4], dropout=dropout), seed=3)
    batch, w, step = batch_of(), tiny.weights, 1e-6

    def loss_at(i: int, value: float) -> float:
        w[i] = value
        tiny.start_epoch(3)
        return tiny.gradient(batch)[0]

    g = tiny.gradient(batch)[1].clone()
    assert float(g.abs().max()) > 0.01
    for i, value in enumerate(w.tolist()):
        difference = loss_at(i, value + step) - loss_at(i, value - step)
        w[i] = value
        assert difference / (2 * step) == pytest.approx(float(g[i]), abs=1e-8)


def through_masks(dropped: nn.Sequential, batch: Batch, noise: Noise, keep: float) -> Tensor:
    """The loss with the masks that the next words of `noise` make, layer by layer, for torch to differentiate."""
    x = batch.x
    for layer in dropped:
        if isinstance(layer, nn.Dropout):
            words = noise.words(*x.shape)
            x = x * torch.from_numpy((words + 0.5 < 65536 * keep).astype(np.float64)) / keep
        else:
            x = layer(x)
    assert batch.y is not None
    return F.cross_entropy(x, batch.y)


@pytest.mark.parametrize("dropout", [0.2, 0.5])
def test_dropout_has_the_gradient_of_its_masks(dropout: float) -> None:
    fast, plain, noise = objective(dropout=dropout, seed=6), network(dropout=dropout), Noise(6)
    for step in range(3):  # the noise goes on
        batch = batch_of(seed=step)
        loss, g = fast.gradient(batch)
        expected = through_masks(plain, batch, noise, 1 - dropout)
        parts = torch.autograd.grad(expected, list(plain.parameters()))
        assert loss == pytest.approx(expected.item(), rel=1e-12)
        assert_near(g, torch.cat([part.reshape(-1) for part in parts]), 1e-12)


@pytest.mark.parametrize("precision", ["float32", "bf16-mixed"])
def test_dropout_is_the_same_in_lower_precision(precision: Precision) -> None:
    fast, exact = objective(precision, dropout=0.5, seed=6), objective(dropout=0.5, seed=6)
    loss, g = fast.gradient(batch_of(precision))
    expected_loss, expected = exact.gradient(batch_of())
    assert loss == pytest.approx(expected_loss, rel=NEAR[precision])
    assert_near(g.double(), expected, NEAR[precision])


def test_dropout_leaves_the_mean_of_a_linear_readout_as_it_was() -> None:
    """A layer of which every unit feeds one logit: over many draws the logit's mean is that without dropout."""
    hidden, n, keep = 40, 20_000, 0.6
    dropped = network(sizes=[12, hidden, 2], dropout=1 - keep)
    with torch.no_grad():
        dropped.get_parameter("3.weight").copy_(torch.tensor([[1.0] * hidden, [0.0] * hidden]) / hidden)
        dropped.get_parameter("3.bias").zero_()
    x, label = batch_of(n=1).x, torch.zeros(1, dtype=torch.int64)
    sigmoids = torch.sigmoid(dropped[0](x)).detach()
    fast = SigmoidBackPropagation(dropped, seed=1)
    losses = torch.tensor([fast.gradient(Batch(x, label))[0] for _ in range(n)], dtype=torch.float64)
    logits = -torch.log(torch.expm1(losses))  # the loss is log(1 + exp(-logit))
    deviation = math.sqrt(float(sigmoids.square().sum()) * (1 - keep) / keep) / hidden
    assert abs(float(logits.mean() - sigmoids.mean())) < 5 * deviation / math.sqrt(n)
    assert float(logits.std()) == pytest.approx(deviation, rel=0.05)


@every_precision
def test_an_epochs_dropout_is_a_function_of_its_seed(precision: Precision) -> None:
    dropped, batch = objective(precision, dropout=0.5, seed=9), batch_of(precision)
    at_first = dropped.gradient(batch)[1].clone()
    dropped.start_epoch(5)
    first, second = (dropped.gradient(batch)[1].clone() for _ in range(2))
    dropped.start_epoch(5)
    assert torch.equal(dropped.gradient(batch)[1], first)
    dropped.start_epoch(9)
    assert torch.equal(dropped.gradient(batch)[1], at_first)
    assert not any(torch.equal(a, b) for a, b in itertools.combinations((at_first, first, second), 2))


@every_precision
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_descent_is_the_gradient_and_torchs_sgd(precision: Precision, momentum: float, dropout: float) -> None:
    fused, apart = (objective(precision, dropout=dropout) for _ in range(2))
    optimizer = Rule(learning_rate=0.1, momentum=momentum).build(fused.weights)
    sgd = torch.optim.SGD([apart.weights], lr=0.1, momentum=momentum)
    near = 1e-12 if precision == "float64" else 1e-3 if precision == "bf16-mixed" else 1e-5
    for step in range(5):
        batch = batch_of(precision, seed=step)
        loss = fused.descend(batch, optimizer)
        expected_loss, apart.weights.grad = apart.gradient(batch)
        sgd.step()
        assert loss == pytest.approx(expected_loss, rel=near)
        assert_near(fused.weights, apart.weights, near)


@every_precision
@pytest.mark.parametrize("name", ["adagrad", "adam", "adamw"])
def test_descent_under_other_rules_is_the_gradient_and_their_step(precision: Precision, name: RuleName) -> None:
    one, apart = (objective(precision, dropout=0.5) for _ in range(2))
    rule = Rule(name, 0.01)
    optimizer, other = rule.build(one.weights), rule.build(apart.weights)
    for step in range(3):
        batch = batch_of(precision, seed=step)
        loss = one.descend(batch, optimizer)
        expected_loss, g = apart.gradient(batch)
        other.step(g)
        assert loss == expected_loss
        assert torch.equal(one.weights, apart.weights)


@every_precision
def test_a_restored_run_goes_on_bit_for_bit(precision: Precision) -> None:
    first, again = (objective(precision, dropout=0.5) for _ in range(2))
    rule = Rule(learning_rate=0.1, momentum=0.9)
    optimizer, resumed = rule.build(first.weights), rule.build(again.weights)
    for step in range(3):
        first.descend(batch_of(precision, seed=step), optimizer)
    again.descend(batch_of(precision), resumed)  # leaves a velocity, which must be forgotten
    again.weights.copy_(first.weights)
    resumed.restore(optimizer.state())
    for trained, its in ((first, optimizer), (again, resumed)):
        trained.start_epoch(8)
        for step in range(3):
            trained.descend(batch_of(precision, seed=step), its)
    assert torch.equal(again.weights, first.weights)
    assert torch.equal(resumed.state()["momentum_buffer"], optimizer.state()["momentum_buffer"])


@every_precision
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_weights_that_nobody_else_touched_need_not_be_read_again(precision: Precision, name: RuleName) -> None:
    one, other = (objective(precision, dropout=0.5) for _ in range(2))
    rule = Rule(name, learning_rate=0.05)
    optimizer, its = rule.build(one.weights), rule.build(other.weights)
    for step in range(4):
        batch = batch_of(precision, seed=step)
        loss = one.descend(batch, optimizer, again=step > 0)
        assert other.descend(batch, its) == loss
        assert torch.equal(one.weights, other.weights)


@every_precision
def test_weights_that_were_changed_between_two_steps_count(precision: Precision) -> None:
    changed, fresh = (objective(precision) for _ in range(2))
    rule, batch = Rule(learning_rate=0.05), batch_of(precision)
    optimizer = rule.build(changed.weights)
    changed.descend(batch, optimizer)
    for each in (changed, fresh):
        each.weights.copy_(torch.linspace(-1, 1, len(each.weights)))
    assert changed.descend(batch, optimizer) == fresh.descend(batch, rule.build(fresh.weights))
    assert torch.equal(changed.weights, fresh.weights)


@every_precision
def test_batches_may_change_their_size(precision: Precision) -> None:
    fast, plain = objective(precision), BackPropagation(network(precision), precision=precision)
    for step, n in enumerate([11, 3, 11, 1, 40, 3]):
        loss, g = fast.gradient(batch_of(precision, n, seed=step))
        expected_loss, expected = plain.gradient(batch_of(precision, n, seed=step))
        assert loss == pytest.approx(expected_loss, rel=NEAR[precision])
        assert_near(g, expected, NEAR[precision])


def test_examples_and_the_global_generator_are_left_as_they_are() -> None:
    dropped, before = objective(dropout=0.5), torch.random.get_rng_state()
    batch = batch_of()
    columns = Batch(batch.x.t().contiguous().t(), batch.y)
    g = dropped.gradient(batch)[1].clone()
    dropped.start_epoch(0)
    assert torch.equal(dropped.gradient(columns)[1], g)
    assert torch.equal(columns.x, batch_of().x)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert dropped.state() == {}


@every_precision
def test_weights_that_became_infinite_give_no_finite_loss(precision: Precision) -> None:
    diverging = objective(precision)
    rate = 1e308 if precision == "float64" else 1e38
    optimizer = Rule(learning_rate=rate, momentum=0.9).build(diverging.weights)
    losses = []
    for step in range(60):
        diverged = not bool(diverging.weights.isfinite().all())
        losses.append(diverging.descend(batch_of(precision, seed=step), optimizer))
        assert not (diverged and math.isfinite(losses[-1]))
    assert not math.isfinite(losses[-1])


@every_precision
def test_a_nan_among_the_weights_gives_a_nan_loss(precision: Precision) -> None:
    for where in (0, SIZES[0] * SIZES[1], -1):  # a weight and a bias of the first layer, a bias of the last
        broken = objective(precision, dropout=0.25)
        broken.weights[where] = math.nan
        assert math.isnan(broken.gradient(batch_of(precision))[0])


def linear(**options: Any) -> nn.Linear:
    return nn.Linear(3, 3, **options)


FITTING: dict[str, nn.Module] = {
    "two layers": mlp([4, 3, 2], activation="sigmoid"),
    "four layers": mlp([4, 3, 3, 3, 2], activation="sigmoid"),
    "dropout": mlp([4, 3, 3, 2], activation="sigmoid", dropout=0.3),
    "one layer": nn.Sequential(linear()),
}
UNFIT: dict[str, nn.Module] = {
    "relu": mlp([4, 3, 2], activation="relu"),
    "tanh": mlp([4, 3, 2], activation="tanh"),
    "two dropouts": nn.Sequential(
        linear(), nn.Sigmoid(), nn.Dropout(0.5), linear(), nn.Sigmoid(), nn.Dropout(0.2), linear()
    ),
    "dropout in one place": nn.Sequential(linear(), nn.Sigmoid(), nn.Dropout(0.5), linear(), nn.Sigmoid(), linear()),
    "dropout of the input": nn.Sequential(nn.Dropout(0.5), linear(), nn.Sigmoid(), linear()),
    "a missing bias": nn.Sequential(linear(), nn.Sigmoid(), linear(bias=False)),
    "a sigmoid at the top": nn.Sequential(linear(), nn.Sigmoid()),
    "no sigmoid between": nn.Sequential(linear(), linear()),
    "another layer": nn.Sequential(nn.Flatten(), linear(), nn.Sigmoid(), linear()),
    "a frozen layer": nn.Sequential(linear().requires_grad_(False), nn.Sigmoid(), linear()),
    "no sequence": linear(),
    "nothing": nn.Sequential(),
}


class Doubling(nn.Sequential):
    """Not what its modules are one after the other."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def deceptive(kind: str) -> nn.Module:
    """A network that looks like a stack of linear layers with sigmoids, and computes or trains something else."""
    below, between, top = linear(), nn.Sigmoid(), linear()
    match kind:
        case "a layer used twice":
            return nn.Sequential(below, between, below)
        case "all left out":
            return nn.Sequential(below, between, nn.Dropout(1.0), top)
        case "a shared matrix":
            top.weight = below.weight
        case "shared biases":
            top.bias = below.bias
        case "a parameter of its own":
            top.register_parameter("scale", nn.Parameter(torch.ones(1)))
        case "a hook":
            between.register_forward_hook(lambda *_: None)
        case "a hook before":
            top.register_forward_pre_hook(lambda *_: None)
        case "a hook on the way back":
            below.register_full_backward_hook(lambda *_: None)
        case "a hook before the way back":
            between.register_full_backward_pre_hook(lambda *_: None)
        case "a hook of a parameter":
            top.weight.register_hook(lambda gradient: 0 * gradient)  # type: ignore[no-untyped-call]
        case "a hook behind a gradient":
            top.bias.register_post_accumulate_grad_hook(lambda _: None)  # type: ignore[no-untyped-call]
        case _:
            return Doubling(below, between, top)
    return nn.Sequential(below, between, top)


DECEPTIVE = [
    "a layer used twice",
    "all left out",
    "a shared matrix",
    "shared biases",
    "a parameter of its own",
    "a hook",
    "a hook before",
    "a hook on the way back",
    "a hook before the way back",
    "a hook of a parameter",
    "a hook behind a gradient",
    "a forward of its own",
]


@pytest.mark.parametrize("kind", FITTING)
def test_stacks_of_linear_layers_with_sigmoids_are_trained_fast(kind: str) -> None:
    assert fits(FITTING[kind])
    assert type(back_propagation(FITTING[kind])) is SigmoidBackPropagation


@pytest.mark.parametrize("kind", UNFIT)
def test_other_networks_are_left_to_torch(kind: str) -> None:
    assert not fits(UNFIT[kind])
    with pytest.raises(UsageError, match="use BackPropagation"):
        SigmoidBackPropagation(UNFIT[kind])
    if kind != "nothing":
        assert type(back_propagation(UNFIT[kind])) is BackPropagation


@pytest.mark.parametrize("kind", DECEPTIVE)
def test_networks_that_only_look_like_such_stacks_are_left_to_torch(kind: str) -> None:
    assert not fits(deceptive(kind))


def test_a_hook_of_the_whole_is_respected() -> None:
    built = network(sizes=[12, 12, 4])
    assert fits(built)
    hook = built.register_forward_hook(lambda _module, _inputs, output: 2 * output)
    batch = batch_of()
    assert batch.y is not None
    loss, _ = back_propagation(built, precision="float64").gradient(batch)
    assert loss == pytest.approx(float(F.cross_entropy(built(batch.x), batch.y).detach()))
    hook.remove()
    assert fits(built)


def test_a_shared_matrix_is_trained_once() -> None:
    built = network(sizes=[12, 12, 12])
    below, top = (module for module in built if isinstance(module, nn.Linear))
    top.weight = below.weight
    objective = back_propagation(built, precision="float64")
    assert len(objective.weights) == 12 * 12 + 2 * 12
    batch = batch_of()
    assert batch.y is not None
    _, g = objective.gradient(batch)
    loss = F.cross_entropy(built(batch.x), batch.y)
    expected = torch.cat([part.flatten() for part in torch.autograd.grad(loss, [below.weight, below.bias, top.bias])])
    assert_near(g, expected, NEAR["float64"])


@pytest.mark.parametrize("kind", ["mlp", "tanh"])
def test_seed_and_precision_reach_the_objective(kind: str) -> None:
    built = network("bf16-mixed", dropout=0.5) if kind == "mlp" else nn.Sequential(nn.Dropout(0.5), nn.Linear(12, 4))
    first, same, other = (back_propagation(built, precision="bf16-mixed", seed=seed) for seed in (1, 1, 2))
    g, again, different = (each.gradient(batch_of("bf16-mixed"))[1].clone() for each in (first, same, other))
    assert torch.equal(g, again)
    assert not torch.equal(g, different)


def test_unlabelled_batches_are_refused() -> None:
    with pytest.raises(UsageError, match="needs labels"):
        objective().gradient(Batch(torch.zeros(2, SIZES[0], dtype=torch.float64)))


@pytest.mark.parametrize("shape", [(2, 1), (2, SIZES[0] + 1), (SIZES[0],)])
def test_batches_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=f"does not fit a model with {SIZES[0]} inputs"):
        objective().gradient(Batch(torch.zeros(shape, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)))


def test_labels_that_are_no_class_are_refused() -> None:
    with pytest.raises(IndexError, match="label out of range"):
        objective().gradient(Batch(batch_of(n=1).x, torch.tensor([CLASSES])))

"""The fast contrastive divergence against the plain one, and against torch's optimizers."""

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from exact import states, visible_probabilities
from torch import Tensor

from anabranch.errors import UsageError
from anabranch.models import RBM, VisibleUnits
from anabranch.objectives import ContrastiveDivergence, Objective, PlainContrastiveDivergence, Precision
from anabranch.objectives.base import weight_dtype
from anabranch.optim import Rule, RuleName
from anabranch.types import Batch

Kind = type[ContrastiveDivergence | PlainContrastiveDivergence]
PRECISIONS: list[Precision] = ["float32", "bf16-mixed", "float64"]
VISIBLE, HIDDEN, N = 30, 20, 13
CHAINS: list[dict[str, Any]] = [
    {"k": 1},
    {"k": 3},
    {"chains": 7},
    {"chains": 7, "k": 2},
    {"chains": 7, "k": 2, "watched": False},
    {"chains": N, "watched": False},
]
SAMPLED: list[dict[str, Any]] = [{"chains": 7, "k": 2}, {"chains": N, "watched": False}]
UNITS: list[VisibleUnits] = ["bernoulli", "gaussian"]
# How far the fast and the plain one may lie apart, in units of the largest number. bfloat16: the fast one stores means
# in it where the plain one rounds only for the products.
NEAR = {"float32": 1e-5, "bf16-mixed": 2e-2, "float64": 1e-12}

every_precision = pytest.mark.parametrize("precision", PRECISIONS)
every_chain = pytest.mark.parametrize("settings", CHAINS, ids=str)
all_units = pytest.mark.parametrize("units", UNITS)


@dataclass(frozen=True)
class Setting:
    """What a kind of contrastive divergence is made with."""

    precision: Precision = "float32"
    units: VisibleUnits = "bernoulli"
    k: int = 1
    chains: int = 0
    sampled: bool = False
    watched: bool = True
    weight_cost: float = 0.01

    def build(self, kind: Kind = ContrastiveDivergence) -> Objective:
        """One for an RBM that is always the same."""
        generator = torch.Generator().manual_seed(0)
        dtype = weight_dtype(self.precision)
        rbm = RBM(VISIBLE, HIDDEN, units=self.units, std=0.3, generator=generator, dtype=dtype)
        for bias in (rbm.visible_bias, rbm.hidden_bias):
            bias.normal_(0, 0.5, generator=generator)
        return kind(
            rbm,
            k=self.k,
            chains=self.chains,
            sampled=self.sampled,
            watched=self.watched,
            weight_cost=self.weight_cost,
            precision=self.precision,
            seed=4,
        )

    def batch(self, n: int = N, seed: int = 1) -> Batch:
        """Random patterns."""
        generator = torch.Generator().manual_seed(seed)
        return Batch(torch.rand(n, VISIBLE, generator=generator, dtype=torch.float64).to(weight_dtype(self.precision)))


def assert_near(actual: Tensor, expected: Tensor, near: float) -> None:
    assert float((actual - expected).abs().max()) <= near * float(expected.abs().max())


@every_precision
@every_chain
@all_units
def test_loss_and_gradient_are_those_of_the_plain_one(
    precision: Precision, settings: dict[str, Any], units: VisibleUnits
) -> None:
    setting = Setting(precision, units, **settings)
    fast, plain = setting.build(), setting.build(PlainContrastiveDivergence)
    for step in range(3):  # the noise and the chains go on
        loss, g = fast.gradient(setting.batch(seed=step))
        expected_loss, expected = plain.gradient(setting.batch(seed=step))
        assert loss == pytest.approx(expected_loss, rel=NEAR[precision])
        assert_near(g, expected, NEAR[precision])


@every_precision
@pytest.mark.parametrize("settings", SAMPLED, ids=str)
def test_chains_with_binary_visible_units_are_those_of_the_plain_one(
    precision: Precision, settings: dict[str, Any]
) -> None:
    setting = Setting(precision, sampled=True, **settings)
    fast, plain, unsampled = setting.build(), setting.build(PlainContrastiveDivergence), Setting(precision, **settings)
    for step in range(3):
        loss, g = fast.gradient(setting.batch(seed=step))
        expected_loss, expected = plain.gradient(setting.batch(seed=step))
        assert loss == pytest.approx(expected_loss, rel=NEAR[precision])
        assert_near(g, expected, NEAR[precision])
    assert not torch.equal(fast.gradient(setting.batch())[1], unsampled.build().gradient(setting.batch())[1])


@pytest.mark.parametrize(("chains", "units"), [(0, "bernoulli"), (3, "gaussian")])
def test_only_binary_units_of_persistent_chains_are_drawn(chains: int, units: VisibleUnits) -> None:
    with pytest.raises(UsageError, match="visible units are drawn in persistent chains of binary units, not for"):
        Setting(units=units, chains=chains, sampled=True).build()


@every_precision
@every_chain
@all_units
def test_descent_goes_where_the_plain_one_goes(
    precision: Precision, settings: dict[str, Any], units: VisibleUnits
) -> None:
    setting = Setting(precision, units, **settings)
    fast, plain = setting.build(), setting.build(PlainContrastiveDivergence)
    start = fast.weights.clone()
    rule = Rule(learning_rate=0.05, momentum=0.9)
    optimizer, other = rule.build(fast.weights), rule.build(plain.weights)
    for _ in range(5):
        loss = fast.descend(setting.batch(), optimizer)
        assert loss == pytest.approx(plain.descend(setting.batch(), other), rel=NEAR[precision])
    assert_near(fast.weights - start, plain.weights - start, NEAR[precision])


@every_precision
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_cost", [0.0, 0.1])
def test_descent_is_the_gradient_and_torchs_sgd(precision: Precision, momentum: float, weight_cost: float) -> None:
    setting = Setting(precision, weight_cost=weight_cost)
    fused, apart = setting.build(), setting.build()
    optimizer = Rule(learning_rate=0.05, momentum=momentum).build(fused.weights)
    sgd = torch.optim.SGD([apart.weights], lr=0.05, momentum=momentum)
    for step in range(5):
        loss = fused.descend(setting.batch(seed=step), optimizer)
        expected_loss, apart.weights.grad = apart.gradient(setting.batch(seed=step))
        sgd.step()
        near = 1e-12 if precision == "float64" else 1e-4 if precision == "bf16-mixed" else 1e-6
        assert loss == pytest.approx(expected_loss, rel=near)
        assert_near(fused.weights, apart.weights, near)


@every_precision
@pytest.mark.parametrize("name", ["adagrad", "adam", "adamw"])
def test_descent_under_other_rules_is_the_gradient_and_their_step(precision: Precision, name: RuleName) -> None:
    setting, rule = Setting(precision, chains=3), Rule(name, 0.01)
    one, apart = setting.build(), setting.build()
    optimizer, other = rule.build(one.weights), rule.build(apart.weights)
    for step in range(3):
        loss = one.descend(setting.batch(seed=step), optimizer)
        expected_loss, g = apart.gradient(setting.batch(seed=step))
        other.step(g)
        assert loss == expected_loss
        assert torch.equal(one.weights, apart.weights)


@every_precision
@pytest.mark.parametrize("settings", [{"k": 2}, {"chains": 7}], ids=str)
def test_batches_may_change_their_size(precision: Precision, settings: dict[str, Any]) -> None:
    setting = Setting(precision, **settings)
    fast, plain = setting.build(), setting.build(PlainContrastiveDivergence)
    for step, n in enumerate([13, 4, 13, 1, 40, 4]):
        loss, g = fast.gradient(setting.batch(n, seed=step))
        expected_loss, expected = plain.gradient(setting.batch(n, seed=step))
        assert loss == pytest.approx(expected_loss, rel=NEAR[precision])
        assert_near(g, expected, NEAR[precision])


def test_patterns_of_any_layout_are_left_as_they_are() -> None:
    setting = Setting()
    x = setting.batch().x
    columns = x.t().contiguous().t()
    g = setting.build().gradient(Batch(x))[1].clone()
    assert torch.equal(setting.build().gradient(Batch(columns))[1], g)
    assert torch.equal(columns, setting.batch().x)
    assert torch.equal(setting.build().gradient(Batch(x.clone()))[1], g)


def test_patterns_may_come_in_the_type_of_the_products() -> None:
    setting = Setting("bf16-mixed")
    batch = setting.batch()
    loss, g = setting.build().gradient(batch)
    g = g.clone()
    assert setting.build().gradient(Batch(batch.x.bfloat16()))[0] == loss
    assert torch.equal(setting.build().gradient(Batch(batch.x.bfloat16()))[1], g)


@every_precision
def test_the_global_generator_is_left_alone(precision: Precision) -> None:
    setting, before = Setting(precision, k=2), torch.random.get_rng_state()
    objective = setting.build()
    objective.descend(setting.batch(), Rule().build(objective.weights))
    assert torch.equal(torch.random.get_rng_state(), before)


@every_precision
def test_the_velocity_is_the_optimizers_own(precision: Precision) -> None:
    setting = Setting(precision)
    objective, apart = setting.build(), setting.build()
    optimizer = Rule(learning_rate=0.05, momentum=0.9).build(objective.weights)
    velocity = torch.zeros_like(objective.weights)
    for _ in range(3):
        objective.descend(setting.batch(), optimizer)
        velocity = 0.9 * velocity + apart.gradient(setting.batch())[1]
        apart.weights.sub_(velocity, alpha=0.05)
    assert_near(optimizer.state()["momentum_buffer"], velocity, 1e-12 if precision == "float64" else 1e-3)


@every_precision
def test_a_restored_run_goes_on_bit_for_bit(precision: Precision) -> None:
    setting, rule = Setting(precision, chains=5), Rule(learning_rate=0.05, momentum=0.9)
    first = setting.build()
    optimizer = rule.build(first.weights)
    for step in range(3):
        first.descend(setting.batch(seed=step), optimizer)
    again = setting.build()
    again.weights.copy_(first.weights)
    again.state()["chains"].copy_(first.state()["chains"])
    resumed = rule.build(again.weights)
    again.descend(setting.batch(), resumed)  # leaves a velocity, which must be forgotten
    again.weights.copy_(first.weights)
    again.state()["chains"].copy_(first.state()["chains"])
    resumed.restore(optimizer.state())
    for objective, its in ((first, optimizer), (again, resumed)):
        objective.start_epoch(8)
        for step in range(3):
            objective.descend(setting.batch(seed=step), its)
    assert torch.equal(again.weights, first.weights)
    assert torch.equal(resumed.state()["momentum_buffer"], optimizer.state()["momentum_buffer"])


@every_precision
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_weights_that_nobody_else_touched_need_not_be_read_again(precision: Precision, name: RuleName) -> None:
    setting, rule = Setting(precision), Rule(name, learning_rate=0.05)
    one, other = setting.build(), setting.build()
    optimizer, its = rule.build(one.weights), rule.build(other.weights)
    for step in range(4):
        loss = one.descend(setting.batch(seed=step), optimizer, again=step > 0)
        assert other.descend(setting.batch(seed=step), its) == loss
        assert torch.equal(one.weights, other.weights)


@every_precision
def test_weights_that_were_changed_between_two_steps_count(precision: Precision) -> None:
    setting, rule = Setting(precision), Rule(learning_rate=0.05)
    changed, fresh = setting.build(), setting.build()
    optimizer = rule.build(changed.weights)
    changed.descend(setting.batch(), optimizer)
    for objective in (changed, fresh):
        objective.start_epoch(3)
        objective.weights.fill_(0.125)
    assert changed.descend(setting.batch(), optimizer) == fresh.descend(setting.batch(), rule.build(fresh.weights))
    assert torch.equal(changed.weights, fresh.weights)


def test_steps_apart_and_fused_ones_share_the_velocity() -> None:
    setting, rule = Setting("float64"), Rule(learning_rate=0.05, momentum=0.9)
    mixed, apart = setting.build(), setting.build()
    optimizer, other = rule.build(mixed.weights), rule.build(apart.weights)
    for step in range(6):
        if step % 2:
            mixed.descend(setting.batch(), optimizer)
        else:
            optimizer.step(mixed.gradient(setting.batch())[1])
        other.step(apart.gradient(setting.batch())[1])
    torch.testing.assert_close(mixed.weights, apart.weights, rtol=1e-12, atol=1e-13)


@every_precision
@every_chain
@all_units
def test_weights_that_became_infinite_give_no_finite_loss(
    precision: Precision, settings: dict[str, Any], units: VisibleUnits
) -> None:
    setting = Setting(precision, units, **settings)
    objective = setting.build()
    rate = 1e307 if precision == "float64" else 1e37
    optimizer = Rule(learning_rate=rate, momentum=0.9).build(objective.weights)
    losses = []
    for step in range(60):
        diverged = not bool(objective.weights.isfinite().all())
        losses.append(objective.descend(setting.batch(seed=step), optimizer))
        assert not (diverged and math.isfinite(losses[-1]))
    assert not math.isfinite(losses[-1])


@pytest.mark.parametrize("where", [0, VISIBLE * HIDDEN, -1], ids=["weight", "visible bias", "hidden bias"])
@every_precision
def test_a_nan_among_the_weights_is_noticed_within_two_steps(precision: Precision, where: int) -> None:
    setting = Setting(precision)
    objective = setting.build()
    optimizer = Rule().build(objective.weights)
    objective.weights[where] = math.nan
    objective.descend(setting.batch(), optimizer)
    assert math.isnan(objective.descend(setting.batch(), optimizer))


@pytest.mark.parametrize("shape", [(5, 1), (5, VISIBLE + 1), (VISIBLE,)])
def test_batches_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=f"does not fit a model with {VISIBLE} inputs"):
        Setting().build().gradient(Batch(torch.zeros(shape)))


# A distribution over four units that no independent ones have: two patterns, blurred.
PATTERNS = torch.tensor([[1.0, 1.0, 0.0, 0.0]] * 9 + [[0.0, 0.0, 1.0, 1.0]] * 6 + [[1.0, 0.0, 1.0, 0.0]] * 3)
PATTERNS = torch.cat([PATTERNS, states(4).float()[:12]])


def index_of(patterns: Tensor) -> Tensor:
    """The numbers of binary patterns [n, 4] in the order of `exact.states`."""
    return (patterns @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long()


def trained(kind: Kind, precision: Precision, seed: int) -> RBM:
    rbm = RBM(4, 4, std=0.1, generator=torch.Generator().manual_seed(seed))
    objective = kind(rbm, k=2, precision=precision, seed=seed)
    optimizer = Rule(learning_rate=0.05, momentum=0.5).build(objective.weights)
    for _ in range(1000):
        objective.descend(Batch(PATTERNS), optimizer)
    return rbm


def log_likelihood(rbm: RBM) -> float:
    """The exact mean over the patterns, in nats."""
    return float(visible_probabilities(rbm).log()[index_of(PATTERNS)].mean())


@pytest.fixture(scope="module")
def plain_likelihoods() -> Tensor:
    return torch.tensor([log_likelihood(trained(PlainContrastiveDivergence, "float32", seed)) for seed in range(5)])


@pytest.mark.parametrize("precision", ["float32", "bf16-mixed"])
def test_fast_and_plain_training_reach_the_same_likelihood(precision: Precision, plain_likelihoods: Tensor) -> None:
    fast = torch.tensor([log_likelihood(trained(ContrastiveDivergence, precision, seed)) for seed in range(10, 15)])
    share = PATTERNS.mean(0)
    independent = float((PATTERNS * share.log() + (1 - PATTERNS) * (1 - share).log()).sum(1).mean())
    assert float(fast.min()) > independent + 0.2
    error = math.sqrt((float(fast.var()) + float(plain_likelihoods.var())) / 5)
    assert abs(float(fast.mean() - plain_likelihoods.mean())) < 5 * error


@pytest.mark.parametrize("precision", ["float32", "bf16-mixed"])
def test_a_trained_machine_dreams_of_its_exact_distribution(precision: Precision) -> None:
    rbm, chains = trained(ContrastiveDivergence, precision, seed=20), 50_000
    v = rbm.sample(chains, steps=200, generator=torch.Generator().manual_seed(1))
    found = torch.bincount(index_of(v), minlength=16) / chains
    expected = visible_probabilities(rbm)
    # The mean of half the sum of |frequency - p| over 16 patterns is at most ½ √(16 / chains).
    assert float((found - expected).abs().sum()) / 2 < 2 * 0.5 * math.sqrt(16 / chains)
    data = torch.bincount(index_of(PATTERNS), minlength=16) / len(PATTERNS)
    assert float((expected - data).abs().sum()) / 2 < 0.2


@pytest.mark.parametrize("kind", [ContrastiveDivergence, PlainContrastiveDivergence])
@pytest.mark.parametrize(("n", "chains"), [(128, 100), (100, 90), (13, 7), (125, 124), (7, 7)])
def test_bfloat16_finds_no_difference_between_equal_phases(kind: Kind, n: int, chains: int) -> None:
    """All units certain in both phases: the statistics are equal, however many patterns and chains there are."""
    rbm = RBM(6, 5)
    rbm.weight.zero_()
    rbm.visible_bias.fill_(40)
    rbm.hidden_bias.fill_(40)
    machine = kind(rbm, chains=chains, precision="bf16-mixed")
    _, g = machine.gradient(Batch(torch.ones(n, 6)))
    assert float(g.abs().max()) < 1e-6

"""`BernoulliRBM` beside scikit-learn's, and against contrastive divergence in ten lines of NumPy."""

from typing import Any

import numpy as np
import pytest
import torch
from estimators_data import PATTERNS, Array
from scipy.sparse import csr_array, csr_matrix
from scipy.special import expit
from sklearn.base import clone
from sklearn.neural_network import BernoulliRBM as ScikitLearns

from anabranch import BernoulliRBM
from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.data import Examples
from anabranch.models import RBM
from anabranch.objectives import ContrastiveDivergence
from anabranch.optim import Rule
from anabranch.seeding import derive_seed
from anabranch.strategies import Averaging, FixedEpochs, Shard, Task

PARAMETERS = ("components_", "intercept_hidden_", "intercept_visible_")
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def weights(rbm: Any) -> list[Array]:
    return [getattr(rbm, name) for name in PARAMETERS]


def assert_same_bits(one: Any, other: Any) -> None:
    for mine, its in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.fixture(scope="module")
def pair() -> tuple[BernoulliRBM, ScikitLearns]:
    """Ours with scikit-learn's weights, and scikit-learn's."""
    theirs = ScikitLearns(5, n_iter=30, random_state=3).fit(PATTERNS)
    ours = BernoulliRBM(5, n_iter=0, random_state=3).fit(PATTERNS)
    for name in PARAMETERS:
        setattr(ours, name, getattr(theirs, name))
    return ours, theirs


def test_scikit_learns_parameters_come_first_with_its_defaults() -> None:
    ours, theirs = BernoulliRBM().get_params(), ScikitLearns().get_params()
    assert {name: ours[name] for name in theirs} == theirs
    assert clone(BernoulliRBM(7)).get_params() == BernoulliRBM(7).get_params()


@DTYPES
def test_before_training_all_attributes_are_scikit_learns(dtype: type) -> None:
    x: Array = PATTERNS.astype(dtype)
    ours, theirs = (kind(5, n_iter=0, random_state=3).fit(x) for kind in (BernoulliRBM, ScikitLearns))
    for name in (*PARAMETERS, "h_samples_"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert getattr(ours, name).dtype == dtype
    assert ours.n_features_in_ == theirs.n_features_in_
    assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())


def test_with_equal_weights_all_methods_agree(pair: tuple[BernoulliRBM, ScikitLearns]) -> None:
    ours, theirs = pair
    for mine, its in (
        (ours.transform, theirs.transform),
        (ours.score_samples, theirs.score_samples),
        (ours.free_energy, theirs._free_energy),
    ):
        np.testing.assert_allclose(mine(PATTERNS), its(PATTERNS), rtol=1e-12, atol=1e-14)


def test_gibbs_steps_draw_as_scikit_learn_draws(pair: tuple[BernoulliRBM, ScikitLearns]) -> None:
    ours, theirs = pair
    v = w = PATTERNS
    for _ in range(5):
        v, w = ours.gibbs(v), theirs.gibbs(w)
        assert v.dtype == bool
        np.testing.assert_array_equal(v, w)
    np.testing.assert_array_equal(ours.gibbs(PATTERNS[0]), theirs.gibbs(PATTERNS[0]))


def sure(rbm: Any) -> Any:
    """With visible biases that leave nothing to chance in v, and ordinary weights elsewhere."""
    chance = np.random.RandomState(8)
    rbm.components_ = chance.normal(0, 0.5, (4, 12))
    rbm.intercept_hidden_ = chance.normal(0, 0.5, 4)
    rbm.intercept_visible_ = np.where(chance.rand(12) < 0.5, 60.0, -60.0)
    rbm.h_samples_ = (chance.rand(20, 4) < 0.5).astype(np.float64)
    rbm.n_features_in_ = 12
    return rbm


def numpy_step(x: Array, rate: float, rbm: Any) -> list[Array]:
    """Stochastic maximum likelihood, where the visible units of the chains are certain."""
    w, b, a, h = (np.copy(getattr(rbm, name)) for name in (*PARAMETERS, "h_samples_"))
    h_plus = expit(x @ w.T + b)
    v_minus = np.round(expit(h @ w + a))
    h_minus = expit(v_minus @ w.T + b)
    w += rate * (h_plus.T @ x / len(x) - h_minus.T @ v_minus / len(h))
    b += rate * (h_plus.mean(0) - h_minus.mean(0))
    a += rate * (x.mean(0) - v_minus.mean(0))
    return [w, b, a]


def test_a_step_is_that_of_ten_lines_of_numpy_and_scikit_learns() -> None:
    x = PATTERNS[:20]  # as many as there are chains: scikit-learn divides both phases by the examples
    ours = sure(BernoulliRBM(4, learning_rate=0.3, batch_size=20, random_state=0, n_iter=0).fit(x))
    theirs = sure(ScikitLearns(4, learning_rate=0.3, batch_size=20, random_state=0))
    expected = numpy_step(x, 0.3, ours)
    assert ours.partial_fit(x) is ours
    theirs.partial_fit(x)
    for mine, its, by_hand in zip(weights(ours), weights(theirs), expected, strict=True):
        np.testing.assert_allclose(mine, by_hand, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(mine, its, rtol=1e-12, atol=1e-13)
    assert set(np.unique(ours.h_samples_)) <= {0.0, 1.0}
    assert ours.h_samples_.shape == (20, 4)


def test_phases_of_unequal_size_are_means_each_of_its_own() -> None:
    ours = sure(BernoulliRBM(4, learning_rate=0.3, batch_size=20, random_state=0, n_iter=0).fit(PATTERNS))
    expected = numpy_step(PATTERNS, 0.3, ours)
    for mine, by_hand in zip(weights(ours.partial_fit(PATTERNS)), expected, strict=True):
        np.testing.assert_allclose(mine, by_hand, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.5, "weight_cost": 0.01}, {"gibbs_steps": 3}], ids=str)
@DTYPES
def test_an_epoch_of_one_minibatch_is_a_partial_fit(options: dict[str, Any], dtype: type) -> None:
    x: Array = PATTERNS.astype(dtype)
    rbm = BernoulliRBM(5, n_iter=1, batch_size=60, random_state=3, **options)
    whole, part = clone(rbm).fit(x), clone(rbm).partial_fit(x)
    for mine, its in zip(weights(whole), weights(part), strict=True):
        assert mine.dtype == its.dtype == dtype
        np.testing.assert_allclose(mine, its, atol=1e-6 if dtype == np.float32 else 1e-15)  # the order of the sums
    np.testing.assert_array_equal(whole.h_samples_, part.h_samples_)


def test_momentum_goes_on_from_one_partial_fit_to_the_next() -> None:
    plain, quick = (sure(BernoulliRBM(4, batch_size=20, n_iter=0, momentum=m).fit(PATTERNS)) for m in (0.0, 0.5))
    x, start = PATTERNS[:20], sure(BernoulliRBM(4))
    chains = start.h_samples_
    first = numpy_step(x, 0.1, start)
    velocity = first[2] - start.intercept_visible_
    for rbm in (plain, quick):
        rbm.partial_fit(x)
        np.testing.assert_allclose(rbm.intercept_visible_, first[2], rtol=1e-12)
        rbm.h_samples_ = chains
    second = numpy_step(x, 0.1, plain)
    for rbm, share in ((plain, 0.0), (quick, 0.5)):
        expected = second[2] + share * velocity
        np.testing.assert_allclose(rbm.partial_fit(x).intercept_visible_, expected, rtol=1e-12)


def test_another_algorithm_may_go_on() -> None:
    rbm = BernoulliRBM(5, n_iter=1, random_state=0).fit(PATTERNS)
    for algorithm, chains in (("cd", 0), ("cd", 0), ("pcd", 10)):
        assert rbm.set_params(algorithm=algorithm).partial_fit(PATTERNS).h_samples_.shape == (chains, 5)


@pytest.mark.parametrize("state", [7, np.random.RandomState(7)], ids=["seed", "stream"])
def test_a_seed_repeats_every_bit_and_a_stream_goes_on(state: Any) -> None:
    rbm = BernoulliRBM(5, n_iter=2, random_state=state, workers=2, batch_size=7)
    first, second = (weights(rbm.fit(PATTERNS)) for _ in range(2))
    same = all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert same == isinstance(state, int)


def test_sparse_rows_give_the_same_bits() -> None:
    rbm = BernoulliRBM(5, n_iter=2, random_state=0)
    dense, matrix, array = (clone(rbm).fit(x) for x in (PATTERNS, csr_matrix(PATTERNS), csr_array(PATTERNS)))
    for sparse in (matrix, array):
        assert_same_bits(dense, sparse)
        np.testing.assert_array_equal(sparse.transform(csr_matrix(PATTERNS)), dense.transform(PATTERNS))
        np.testing.assert_array_equal(sparse.score_samples(csr_array(PATTERNS)), dense.score_samples(PATTERNS))
    np.testing.assert_array_equal(dense.gibbs(csr_matrix(PATTERNS)), matrix.gibbs(PATTERNS))


@pytest.mark.parametrize(
    ("dtype", "given", "kept"),
    [
        ("input", np.float64, np.float64),
        ("input", np.float32, np.float32),
        ("input", np.uint8, np.float64),
        ("float32", np.float64, np.float32),
        ("float64", np.float32, np.float64),
        ("bf16-mixed", np.float64, np.float32),
    ],
)
def test_the_arithmetic_is_as_asked(dtype: Any, given: type, kept: type) -> None:
    rbm = BernoulliRBM(5, n_iter=1, dtype=dtype, random_state=0).fit(PATTERNS.astype(given))
    for name in (*PARAMETERS, "h_samples_"):
        assert getattr(rbm, name).dtype == kept
    assert rbm.transform(PATTERNS).dtype == np.float64
    assert rbm.partial_fit(PATTERNS).components_.dtype == kept


@pytest.mark.parametrize("algorithm", ["pcd", "cd"])
def test_it_learns_more_than_the_frequencies(algorithm: Any) -> None:
    chance = np.random.RandomState(4)
    halves = np.repeat(chance.rand(400, 1) < 0.5, 12, axis=1) ^ (chance.rand(400, 12) < 0.05)
    options: dict[str, Any] = {"n_components": 4, "n_iter": 40, "learning_rate": 0.1, "random_state": 0}
    rbm = BernoulliRBM(algorithm=algorithm, dtype="float32", **options).fit(halves)
    independent = 12 * np.log(0.5)
    assert rbm.score_samples(halves.astype(float)).mean() > independent + 3
    dream = halves[:100]
    for _ in range(20):
        dream = rbm.gibbs(dream)
    agreement = (dream.mean(1) - 0.5) ** 2
    assert agreement.mean() > 0.1  # 0.25 of patterns whose units all agree, 0.02 of independent ones
    assert len(rbm.h_samples_) == (10 if algorithm == "pcd" else 0)


def test_workers_are_those_of_the_strategies() -> None:
    """The same bits as of a program that is written with the library's parts."""
    rbm = BernoulliRBM(5, learning_rate=0.2, n_iter=2, workers=3, random_state=6).fit(PATTERNS)
    chance = np.random.RandomState(6)
    start = torch.from_numpy(chance.normal(0, 0.01, (5, 12)))
    seed = int(chance.randint(np.iinfo(np.int32).max))

    def program(comm: Communicator) -> RBM:
        model = RBM.of(start, torch.zeros(12, dtype=torch.float64), torch.zeros(5, dtype=torch.float64))
        objective = ContrastiveDivergence(model, chains=10, sampled=True, watched=False, precision="float64")
        shard = Shard.of(Examples(torch.from_numpy(PATTERNS)), comm, 10, seed, torch.float64)
        task = Task(objective, shard, FixedEpochs(2), seed=derive_seed(seed, comm.rank))
        for _ in Averaging(Rule(learning_rate=0.2)).run(task, comm):
            pass
        return model

    model = SimulatedWorld(3).run(program)[0]
    np.testing.assert_array_equal(rbm.components_, model.weight.numpy())
    np.testing.assert_array_equal(rbm.intercept_visible_, model.visible_bias.numpy())


def test_unshuffled_minibatches_are_those_of_the_data() -> None:
    rbm = BernoulliRBM(5, batch_size=20, n_iter=3, shuffle=False, random_state=0)
    within = np.concatenate([part[::-1] for part in np.split(PATTERNS, 3)])
    across = PATTERNS[::-1]
    start, same, other = (clone(rbm).fit(x).components_ for x in (PATTERNS, within, across))
    np.testing.assert_allclose(same, start, atol=1e-14)
    assert np.abs(other - start).max() > 1e-4
    rbm.set_params(shuffle=True)
    assert np.abs(clone(rbm).fit(within).components_ - clone(rbm).fit(PATTERNS).components_).max() > 1e-4


def test_a_strategy_may_be_an_object() -> None:
    named, object_ = (
        BernoulliRBM(5, n_iter=2, workers=3, strategy=strategy, random_state=0).fit(PATTERNS)
        for strategy in ("averaging", Averaging())
    )
    often = BernoulliRBM(5, n_iter=2, workers=3, strategy=Averaging(every=1), random_state=0).fit(PATTERNS)
    assert_same_bits(named, object_)
    assert not np.array_equal(often.components_, named.components_)


def test_verbose_prints_what_scikit_learn_prints(capsys: pytest.CaptureFixture[str]) -> None:
    rbm = BernoulliRBM(5, n_iter=2, verbose=1, random_state=0).fit(PATTERNS)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("[BernoulliRBM] Iteration 1, pseudo-likelihood = -")
    score = rbm.score_samples(PATTERNS).mean()
    assert last.startswith(f"[BernoulliRBM] Iteration 2, pseudo-likelihood = {score:.2f}, time = ")

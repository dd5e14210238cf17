"""`MLPClassifier` and `DBNClassifier`: what they learn, that they are `anabranch train`, and how they go on."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from estimators_data import CLOUDS, NAMES, NUMBERS, Array
from safetensors.torch import load_file
from scipy.sparse import csr_matrix
from sklearn.base import clone

from anabranch import BernoulliRBM, DBNClassifier, MLPClassifier
from anabranch.cli.main import main
from anabranch.data import load
from anabranch.estimators.parameters import Arithmetic
from anabranch.strategies import Averaging, PostLocal

Classifier = MLPClassifier | DBNClassifier
MLP = MLPClassifier((8,), max_iter=4, batch_size=5, random_state=5)
DBN = DBNClassifier((8, 6), pretrain_iter=2, max_iter=4, batch_size=5, random_state=5)
both = pytest.mark.parametrize("classifier", [MLP, DBN], ids=["MLP", "DBN"])


def assert_same_bits(one: Classifier, other: Classifier) -> None:
    for mine, its in zip([*one.coefs_, *one.intercepts_], [*other.coefs_, *other.intercepts_], strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize(
    "classifier",
    [
        MLPClassifier((12,), max_iter=20, random_state=0),
        MLPClassifier((12, 8), activation="tanh", solver="adam", learning_rate=0.01, random_state=0, dtype="float64"),
        MLPClassifier((), alpha=0.1, random_state=0, workers=2, strategy="downpour"),
        DBNClassifier((12, 10), random_state=0, dropout=0.1, workers=3),
        DBNClassifier((12,), pretrain_iter=0, random_state=0, dtype="bf16-mixed", strategy=Averaging(every=2)),
    ],
    ids=lambda each: repr(each).replace("\n", ""),
)
def test_labels_of_any_type_are_learnt(classifier: Classifier) -> None:
    fitted = clone(classifier).fit(CLOUDS, NAMES)
    assert fitted.classes_.tolist() == ["ape", "bear", "cat"]
    assert fitted.score(CLOUDS, NAMES) > 0.95
    probability = fitted.predict_proba(CLOUDS)
    np.testing.assert_allclose(probability.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(CLOUDS)), probability, atol=1e-6)
    np.testing.assert_array_equal(fitted.predict(CLOUDS), fitted.classes_[probability.argmax(1)])


@both
def test_what_was_learnt_is_where_scikit_learn_has_it(classifier: Classifier) -> None:
    fitted = clone(classifier).fit(CLOUDS, NUMBERS)
    hidden = list(fitted.hidden_layer_sizes)
    assert [w.shape for w in fitted.coefs_] == list(zip([12, *hidden], [*hidden, 3], strict=True))
    assert [b.shape for b in fitted.intercepts_] == [(n,) for n in (*hidden, 3)]
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 4
    assert fitted.loss_ == fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    assert fitted.n_features_in_ == 12


def as_array(rows: Any) -> Array:
    return np.asarray(rows.take(torch.arange(len(rows))).x)


COMMON = ["--data", "digits", "--batch-size", "50", "--seed", "7", "--threads", "1"]
ONE = ["--model", "mlp:64-12-10", "--epochs", "2", "--early-epochs", "0", "--learning-rate", "0.2", "--penalty", "0.1"]
TWO = ["--model", "dbn:64-12-9", "--epochs", "2", "--finetune-epochs", "2", "--finetune-dropout", "0.2"]
TWO += ["--finetune-batch-size", "50", "--persistent"]
RUNS: list[tuple[list[str], Classifier]] = [
    (ONE, MLPClassifier((12,), max_iter=2, learning_rate=0.2, alpha=0.1)),
    (TWO, DBNClassifier((12, 9), pretrain_iter=2, max_iter=2, dropout=0.2, persistent=True)),
]


@pytest.mark.parametrize(("options", "classifier"), RUNS, ids=["MLP", "DBN"])
def test_they_are_the_same_training_as_the_command(options: list[str], classifier: Classifier, tmp_path: Path) -> None:
    parallel = ["--workers", "2", "--strategy", "averaging", "--every", "4"]
    assert main(["train", *COMMON, *options, *parallel, "--out", str(tmp_path / "run")]) == 0
    data = load("digits", seed=7)
    labels = data.train.take(torch.arange(len(data.train))).y
    fitted = clone(classifier).set_params(workers=2, strategy=Averaging(every=4), batch_size=50, random_state=7)
    fitted.fit(as_array(data.train), labels)
    tensors = load_file(tmp_path / "run" / "model.safetensors")
    kept = [tensor.numpy() for name, tensor in tensors.items() if "rbms" not in name]
    learnt = [*(w.T for w in fitted.coefs_), *fitted.intercepts_]
    assert len(kept) >= len(learnt)
    for mine in learnt:
        assert any(np.array_equal(mine, its) for its in kept)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"workers": 3},
        {"workers": 2, "strategy": Averaging(every=3)},
        {"workers": 2, "strategy": "easgd-sync"},
        {"workers": 2, "strategy": PostLocal(every=2, local_after=2)},
        {"solver": "adam", "learning_rate": 0.01},
    ],
    ids=str,
)
@both
def test_partial_fits_give_the_bits_of_a_fit(classifier: Classifier, options: dict[str, Any]) -> None:
    whole = clone(classifier).set_params(schedule="constant", **options).fit(CLOUDS, NAMES)
    parts = clone(classifier).set_params(**options)
    for number in range(4):
        parts.partial_fit(CLOUDS, NAMES, classes=None if number else ["cat", "bear", "ape"])
    assert_same_bits(whole, parts)
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.n_iter_ == 4


@both
def test_partial_fit_goes_on_after_a_fit_and_takes_other_data(classifier: Classifier) -> None:
    fitted = clone(classifier).set_params(max_iter=40).fit(CLOUDS, NAMES)
    before = [w.copy() for w in fitted.coefs_]
    fitted.set_params(learning_rate=0.1).partial_fit(CLOUDS[:17], NAMES[:17]).partial_fit(csr_matrix(CLOUDS), NAMES)
    assert fitted.n_iter_ == 42
    assert not np.array_equal(before[0], fitted.coefs_[0])
    assert fitted.score(CLOUDS, NAMES) > 0.9


@pytest.mark.parametrize(("first", "then"), [("float32", "float64"), ("float64", "bf16-mixed"), ("input", "float32")])
def test_partial_fits_keep_the_type_of_the_weights(first: Arithmetic, then: Arithmetic) -> None:
    classifier = MLPClassifier((5,), dtype=first, random_state=0).partial_fit(CLOUDS, NAMES, classes=np.unique(NAMES))
    (kind,) = {array.dtype for array in (*classifier.coefs_, *classifier.intercepts_)}
    before = [array.copy() for array in classifier.coefs_]
    classifier.set_params(dtype=then).partial_fit(CLOUDS, NAMES)
    assert {array.dtype for array in (*classifier.coefs_, *classifier.intercepts_)} == {kind}
    assert not any(np.array_equal(a, b) for a, b in zip(before, classifier.coefs_, strict=True))


@pytest.mark.parametrize("workers", [1, 2])
def test_other_workers_than_before_begin_without_momentum(workers: int) -> None:
    """And the same ones with it."""
    one = clone(MLP).set_params(momentum=0.9).partial_fit(CLOUDS, NAMES, classes=NAMES)
    forgetful = copy.deepcopy(one)
    forgetful._going_on = None
    for each in (one, forgetful):
        each.set_params(workers=workers).partial_fit(CLOUDS, NAMES)
    same = all(np.array_equal(mine, its) for mine, its in zip(one.coefs_, forgetful.coefs_, strict=True))
    assert same == (workers == 2)


@both
def test_sparse_rows_give_the_same_bits(classifier: Classifier) -> None:
    sparse = np.where(CLOUDS > 0.5, CLOUDS, 0)
    dense, rows = (clone(classifier).fit(x, NAMES) for x in (sparse, csr_matrix(sparse)))
    assert_same_bits(dense, rows)
    np.testing.assert_array_equal(dense.predict_proba(csr_matrix(sparse)), rows.predict_proba(sparse))


def test_pretrained_machines_are_estimators() -> None:
    fitted = clone(DBN).set_params(max_iter=1, learning_rate=1e-9).fit(CLOUDS, NAMES)
    first, second = fitted.rbms_
    assert isinstance(first, BernoulliRBM)
    assert (first.components_.shape, second.components_.shape) == ((8, 12), (6, 8))
    np.testing.assert_allclose(fitted.coefs_[0], first.components_.T, atol=1e-6)  # hardly fine-tuned
    np.testing.assert_allclose(fitted.coefs_[1], second.components_.T, atol=1e-6)
    hidden = first.transform(CLOUDS)
    assert second.gibbs(hidden).shape == (60, 8)
    assert first.partial_fit(CLOUDS).h_samples_.shape == (10, 8)
    assert [len(curve) for curve in fitted.pretrain_curves_] == [2, 2]
    assert fitted.pretrain_curves_[0][1] < fitted.pretrain_curves_[0][0]


def test_a_tolerance_ends_training() -> None:
    fitted = clone(MLP).set_params(max_iter=50, tol=0.9).fit(CLOUDS, NAMES)
    assert fitted.n_iter_ == 4  # three epochs in which the error did not fall to a tenth
    other = clone(DBN).set_params(max_iter=50, tol=0.9).fit(CLOUDS, NAMES)
    assert other.n_iter_ == 4


def test_a_tolerance_watches_the_network_without_dropout(capsys: pytest.CaptureFixture[str]) -> None:
    """A randomly thinned one has another error each time, drawn from a stream that nobody seeds."""
    epochs = []
    for _ in range(2):
        fitted = clone(DBN).set_params(dropout=0.5, max_iter=8, tol=0.05, verbose=1).fit(CLOUDS, NAMES)
        lines = [line.rpartition(",")[0] for line in capsys.readouterr().out.splitlines()]
        epochs.append([fitted.n_iter_, *(line for line in lines if "RMS error" in line)])
    assert epochs[0] == epochs[1]
    assert len(epochs[0]) == 1 + fitted.n_iter_


@both
def test_verbose_prints_a_line_an_epoch(classifier: Classifier, capsys: pytest.CaptureFixture[str]) -> None:
    fitted = clone(classifier).set_params(verbose=1, workers=2).fit(CLOUDS, NAMES)
    lines = capsys.readouterr().out.splitlines()
    name, layers = type(fitted).__name__, len(getattr(fitted, "rbms_", []))
    assert len(lines) == 4 + 2 * layers
    assert all(line.startswith(f"[{name}] ") for line in lines)
    assert f"epoch 4: loss {fitted.loss_:.4g}, " in lines[-1]


@both
def test_no_file_is_written(classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clone(classifier).fit(CLOUDS, NAMES).partial_fit(CLOUDS, NAMES)
    assert list(tmp_path.iterdir()) == []


@both
def test_the_global_generators_are_left_alone(classifier: Classifier) -> None:
    before, stream = torch.random.get_rng_state(), np.random.get_state(legacy=False)
    clone(classifier).fit(CLOUDS, NAMES).partial_fit(CLOUDS, NAMES).predict(CLOUDS)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert str(np.random.get_state(legacy=False)) == str(stream)

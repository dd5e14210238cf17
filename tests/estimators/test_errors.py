"""What scikit-learn's users see when something is wrong: ValueError or TypeError, and one sentence."""

from typing import Any

import numpy as np
import pytest
from estimators_data import CLOUDS, NAMES
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

from anabranch import BernoulliRBM, DBNClassifier, MLPClassifier
from anabranch.errors import AnabranchError, DivergedError
from anabranch.optim import Rule
from anabranch.strategies import Averaging, Downpour, Hosting

RBM = BernoulliRBM(4, n_iter=2, random_state=0)
MLP = MLPClassifier((4,), max_iter=2, random_state=0)
DBN = DBNClassifier((4,), pretrain_iter=1, max_iter=2, random_state=0)


WRONG: list[tuple[BaseEstimator, dict[str, Any], type[Exception], str]] = [
    (RBM, {"n_components": 0}, ValueError, "n_components == 0, must be >= 1."),
    (RBM, {"n_components": 2.5}, TypeError, "n_components must be an instance of int, not float."),
    (RBM, {"n_iter": -1}, ValueError, "n_iter == -1, must be >= 0."),
    (RBM, {"learning_rate": 0}, ValueError, "learning_rate == 0, must be > 0"),
    (RBM, {"learning_rate": np.nan}, ValueError, "the learning rate must be a positive number, not nan."),
    (RBM, {"momentum": 1.0}, ValueError, "momentum == 1.0, must be < 1."),
    (RBM, {"algorithm": "sml"}, ValueError, "unknown algorithm 'sml': choose one of: cd, pcd."),
    (RBM, {"dtype": "float16"}, ValueError, "unknown dtype 'float16': did you mean 'float64'?"),
    (RBM, {"strategy": "sampled-averaging"}, ValueError, "sampled-averaging goes down a loss, and contrastive"),
    (RBM, {"workers": 61}, ValueError, "61 workers but only 60 examples: use 60 workers or fewer, or more data."),
    (MLP, {"strategy": "averagin"}, ValueError, "unknown strategy 'averagin': did you mean 'averaging'?"),
    (MLP, {"strategy": Averaging}, TypeError, r"use a name \(allreduce, .*\), or an object such as Averaging"),
    (MLP, {"strategy": Averaging(Rule(learning_rate=0.3))}, ValueError, "leave it out of Averaging"),
    (
        MLP,
        {"strategy": Downpour(hosting=Hosting("ranks", 1))},
        ValueError,
        "ranks that serve are for `anabranch train`",
    ),
    (MLP, {"hidden_layer_sizes": (4, 0)}, ValueError, r"hidden_layer_sizes must be whole numbers .*, not \(4, 0\)."),
    (MLP, {"batch_size": "big"}, TypeError, "batch_size must be an instance of int, not str."),
    (MLP, {"batch_size": 1, "workers": 7}, ValueError, "use batch_size 2 or more, or 6 workers."),
    (MLP, {"solver": "lbfgs"}, ValueError, "unknown solver 'lbfgs': choose one of: adagrad, adam, adamw, sgd."),
    (
        MLP,
        {"solver": "adam", "momentum": 0.5},
        ValueError,
        "momentum 0.5 is for sgd, but the update rule is adam: leave",
    ),
    (
        DBN,
        {"solver": "adagrad", "momentum": 0.9},
        ValueError,
        "momentum 0.9 is for sgd, but the update rule is adagrad",
    ),
    (MLP, {"activation": "logistic"}, ValueError, "unknown activation 'logistic'"),
    (MLP, {"schedule": "adaptive"}, ValueError, "unknown schedule 'adaptive'"),
    (DBN, {"hidden_layer_sizes": ()}, ValueError, "a DBN needs at least one hidden layer"),
    (DBN, {"dropout": 1.0}, ValueError, "dropout == 1.0, must be < 1."),
    (DBN, {"gibbs_steps": 0}, ValueError, "gibbs_steps == 0, must be >= 1."),
]


@pytest.mark.parametrize(("estimator", "wrong", "kind", "sentence"), WRONG, ids=lambda each: str(each)[:40])
def test_a_parameter(estimator: BaseEstimator, wrong: dict[str, Any], kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=sentence) as caught:
        clone(estimator).set_params(**wrong).fit(CLOUDS, NAMES)
    assert not isinstance(caught.value, AnabranchError)
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize("estimator", [RBM, MLP, DBN], ids=["RBM", "MLP", "DBN"])
def test_divergence_names_the_rates_that_may_be_lowered(estimator: BaseEstimator) -> None:
    steep = clone(estimator).set_params(learning_rate=1e30)
    x = CLOUDS * 1e30
    with pytest.raises(ValueError, match=r"diverged .* lower .*learning_rate \(now 1e\+30\), or scale") as caught:
        steep.set_params(dtype="float32").fit(x, NAMES)
    assert isinstance(caught.value.__cause__, DivergedError)


def test_divergence_of_one_step() -> None:
    with pytest.raises(ValueError, match="BernoulliRBM diverged"):
        clone(RBM).set_params(learning_rate=1e300).partial_fit(CLOUDS * 1e300)


def test_labels_that_are_no_class() -> None:
    with pytest.raises(ValueError, match="first call of partial_fit needs classes"):
        clone(MLP).partial_fit(CLOUDS, NAMES)
    with pytest.raises(ValueError, match=r"label 'cat', which is none of the classes \['ape', 'bear'\]"):
        clone(MLP).partial_fit(CLOUDS, NAMES, classes=["ape", "bear"])
    begun = clone(MLP).partial_fit(CLOUDS, NAMES, classes=np.unique(NAMES))
    begun.partial_fit(CLOUDS, NAMES, classes=list(reversed(np.unique(NAMES))))
    with pytest.raises(ValueError, match=r"partial_fit was begun with other classes, \['ape', 'bear', 'cat'\]"):
        begun.partial_fit(CLOUDS, NAMES, classes=[*np.unique(NAMES), "dog"])


@pytest.mark.parametrize("method", ["transform", "gibbs", "score_samples", "free_energy"])
def test_an_rbm_that_has_not_learnt(method: str) -> None:
    with pytest.raises(NotFittedError):
        getattr(clone(RBM), method)(CLOUDS)


@pytest.mark.parametrize("estimator", [RBM, MLP, DBN], ids=["RBM", "MLP", "DBN"])
def test_a_fit_that_failed_leaves_what_was_learnt_before(estimator: BaseEstimator) -> None:
    """From other classes, and other features; by a wrong parameter, and by divergence."""
    fitted = clone(estimator).fit(CLOUDS, NAMES)
    before = {name: id(value) for name, value in vars(fitted).items()}
    wider = np.hstack([CLOUDS, CLOUDS])
    for broken, x in (({"batch_size": 0}, wider), ({"learning_rate": 1e30, "dtype": "float32"}, wider * 1e30)):
        usual = {name: fitted.get_params()[name] for name in broken}
        with pytest.raises(ValueError, match=r"batch_size|diverged"):
            fitted.set_params(**broken).fit(x, np.where(NAMES[0] == NAMES, "other", NAMES))
        fitted.set_params(**usual)
        assert {name: id(value) for name, value in vars(fitted).items()} == before


def test_a_fit_that_failed_leaves_no_fitted_classifier() -> None:
    broken = clone(MLP).set_params(solver="lbfgs")
    with pytest.raises(ValueError, match="lbfgs"):
        broken.fit(CLOUDS, NAMES)
    with pytest.raises(NotFittedError):
        broken.predict(CLOUDS)

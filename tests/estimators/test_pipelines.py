"""Estimators among scikit-learn's own: pipelines, searches, clones; and how they are imported."""

import subprocess
import sys

import numpy as np
import pytest
from estimators_data import CLOUDS, NAMES
from joblib import parallel_backend
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

import anabranch
from anabranch import BernoulliRBM, DBNClassifier, MLPClassifier, estimators
from anabranch.strategies import Allreduce, Averaging


def features() -> Pipeline:
    rbm = BernoulliRBM(16, learning_rate=0.1, n_iter=100, random_state=0)
    return make_pipeline(MinMaxScaler(), rbm, LogisticRegression(C=100))


def test_a_pipeline_learns_from_the_hidden_units() -> None:
    pipeline = features().fit(CLOUDS, NAMES)
    assert pipeline.score(CLOUDS, NAMES) > 0.9
    assert pipeline[:-1].get_feature_names_out().tolist() == [f"bernoullirbm{n}" for n in range(16)]


def test_a_search_goes_through_parameters_of_a_pipeline() -> None:
    grid = {"bernoullirbm__n_components": np.array([4, 16])}
    search = GridSearchCV(features(), grid, cv=2).fit(CLOUDS, NAMES)
    assert search.best_score_ > 0.8
    assert search.best_params_ == {"bernoullirbm__n_components": 16}


SEARCHED = [MLPClassifier((8,), activation="sigmoid"), DBNClassifier((8,), pretrain_iter=3)]


@pytest.mark.parametrize("classifier", SEARCHED, ids=type)
def test_a_search_goes_through_strategies(classifier: MLPClassifier | DBNClassifier) -> None:
    grid = {"strategy": ["averaging", Averaging(every=2), Allreduce()], "workers": [2]}
    usual = clone(classifier).set_params(random_state=0, max_iter=10, batch_size=5)
    with parallel_backend("threading"):
        search = GridSearchCV(usual, grid, cv=2, n_jobs=2).fit(CLOUDS, NAMES)
    alone = GridSearchCV(usual, grid, cv=2).fit(CLOUDS, NAMES)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(search.predict_proba(CLOUDS), alone.predict_proba(CLOUDS))


def test_failures_of_a_search_can_be_read() -> None:
    with pytest.raises(ValueError, match="MLPClassifier diverged"):
        cross_val_score(
            MLPClassifier((4,), learning_rate=1e30, max_iter=2), CLOUDS * 1e30, NAMES, cv=2, error_score="raise"
        )


def test_the_package_has_them_and_imports_them_only_when_asked() -> None:
    names = ["BernoulliRBM", "DBNClassifier", "MLPClassifier"]
    assert estimators.__all__ == names
    assert all(getattr(anabranch, name) is getattr(estimators, name) for name in names)
    with pytest.raises(AttributeError, match="module 'anabranch' has no attribute 'BernouliRBM'"):
        anabranch.BernouliRBM  # noqa: B018
    code = "import sys, anabranch; print({'torch', 'sklearn', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""Files of estimators: the same bits after a round trip, no pickle, and one sentence for what is no such file."""

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from estimators_data import CLOUDS, NAMES, NUMBERS, PATTERNS
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.base import BaseEstimator, clone

from anabranch import BernoulliRBM, DBNClassifier, MLPClassifier
from anabranch.estimators.packing import Packer, unpack
from anabranch.optim import Rule
from anabranch.strategies import Averaging, Downpour, Hosting, TaskState

RBM = BernoulliRBM(5, n_iter=2, random_state=3, momentum=0.5)
MLP = MLPClassifier((6,), max_iter=2, random_state=3, workers=2, strategy=Averaging(every=4))
DBN = DBNClassifier([6, 5], pretrain_iter=1, max_iter=2, random_state=3)


def there_and_back(estimator: Any, path: Path) -> Any:
    estimator.save(path)
    return type(estimator).load(path)


def assert_equal(one: Any, other: Any) -> None:
    """To the bit, types included."""
    assert type(one) is type(other)
    match one:
        case np.ndarray():
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        case torch.Tensor():
            assert one.dtype == other.dtype
            assert torch.equal(one, other)
        case list() | tuple():
            assert len(one) == len(other)
            for mine, its in zip(one, other, strict=True):
                assert_equal(mine, its)
        case dict():
            assert one.keys() == other.keys()
            for key in one:
                assert_equal(one[key], other[key])
        case np.random.RandomState():
            assert_equal(one.get_state(), other.get_state())
        case BernoulliRBM():
            assert_equal(vars(one), vars(other))
        case TaskState():
            assert_equal((one.errors, one.steps, one.tensors), (other.errors, other.steps, other.tensors))
        case _:
            assert one == other


STREAM = np.random.RandomState(5)
LEARNT: dict[str, Callable[[], Any]] = {
    "RBM": lambda: clone(RBM).fit(PATTERNS),
    "RBM in parts": lambda: clone(RBM).set_params(random_state=STREAM).partial_fit(PATTERNS).partial_fit(PATTERNS),
    "MLP": lambda: clone(MLP).fit(CLOUDS, NAMES),
    "MLP in parts": lambda: clone(MLP).partial_fit(CLOUDS, NAMES.astype(object), classes=NAMES.astype(object)),
    "MLP of bools": lambda: clone(MLP).fit(CLOUDS, NUMBERS == 1),
    "DBN": lambda: clone(DBN).fit(CLOUDS, NUMBERS.astype(np.float32)),
    "nothing learnt": lambda: clone(DBN),
}


@pytest.mark.parametrize("learnt", LEARNT.values(), ids=LEARNT)
def test_all_that_an_estimator_has_comes_back(learnt: Callable[[], Any], tmp_path: Path) -> None:
    estimator = learnt()
    again = there_and_back(estimator, tmp_path / "kept")
    assert again is not estimator
    assert_equal(vars(again), vars(estimator))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_predictions_are_the_same_bits(tmp_path: Path) -> None:
    for classifier in (clone(MLP), clone(DBN)):
        again = there_and_back(classifier.fit(CLOUDS, NAMES), tmp_path / "kept")
        np.testing.assert_array_equal(again.predict_proba(CLOUDS), classifier.predict_proba(CLOUDS))
        np.testing.assert_array_equal(again.predict(CLOUDS), classifier.predict(CLOUDS))


def test_what_goes_on_after_loading_is_what_would_have_gone_on(tmp_path: Path) -> None:
    rbm = clone(RBM).partial_fit(PATTERNS)
    again = there_and_back(rbm, tmp_path / "kept")
    for one in (rbm, again):
        one.partial_fit(PATTERNS)
    np.testing.assert_array_equal(again.components_, rbm.components_)
    np.testing.assert_array_equal(again.gibbs(PATTERNS), rbm.gibbs(PATTERNS))
    mlp = clone(MLP).partial_fit(CLOUDS, NAMES, classes=NAMES)
    other = there_and_back(mlp, tmp_path / "kept")
    for each in (mlp, other):
        each.partial_fit(CLOUDS, NAMES)
    assert_equal(other.coefs_, mlp.coefs_)


def test_the_file_is_safetensors_with_json(tmp_path: Path) -> None:
    clone(RBM).fit(PATTERNS).save(tmp_path / "rbm.safetensors")
    with safe_open(tmp_path / "rbm.safetensors", framework="np") as file:
        assert {"components_", "intercept_hidden_", "intercept_visible_", "h_samples_"} == set(file.keys())
        held = json.loads(file.metadata()["anabranch"])
    assert held["format"] == 1
    assert held["estimator"]["of"]["n_components"] == 5


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError):
        BernoulliRBM.load(path)
    with pytest.raises(IsADirectoryError, match=r"is a folder: give a file that BernoulliRBM.save has written"):
        BernoulliRBM.load(tmp_path)
    clone(MLP).save(path)
    with pytest.raises(ValueError, match=r"was saved by MLPClassifier: read it with MLPClassifier\.load\."):
        BernoulliRBM.load(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"is no file of BernoulliRBM\.save, or is damaged"):
        BernoulliRBM.load(path)
    for metadata in ({}, {"anabranch": "[1]"}, {"anabranch": "{}"}):
        save_file({"w": torch.zeros(1)}, path, metadata)
        with pytest.raises(ValueError, match="holds no estimator"):
            BernoulliRBM.load(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2, "version": "9.0"}, r"was saved by Anabranch 9\.0, in a format that this one cannot read"),
        ({"estimator": {"is": "BernoulliRBM", "of": {"w": {"is": "array", "of": "v"}}}}, "is damaged"),
        ({"estimator": {"is": "BernoulliRBM"}}, "is damaged"),
        ({"estimator": 3}, "holds no estimator"),
        ({"estimator": {"is": "BernoulliRBM", "of": {"w": {"is": "Rule", "of": {"momentum": 2}}}}}, "is damaged"),
        ({"estimator": {"is": "BernoulliRBM", "of": {"w": {"is": "os.system", "of": {}}}}}, "is damaged"),
    ],
)
def test_files_of_other_versions_and_damaged_ones(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    held = {"format": 1, "version": "0.1.0", "estimator": {"is": "BernoulliRBM", "of": {}}}
    save_file({"w": torch.zeros(1)}, tmp_path / "file", {"anabranch": json.dumps(held | change)})
    with pytest.raises(ValueError, match=sentence):
        BernoulliRBM.load(tmp_path / "file")


@dataclass(frozen=True)
class Own(Averaging):
    """A strategy that is in no catalogue."""


def test_what_has_no_form_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    clone(MLP).save(path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=r"strategy is Own.*, which a file has no form for"):
        clone(MLP).set_params(strategy=Own()).save(path)
    with pytest.raises(OSError, match=r"cannot save to .*: No such file or directory"):
        clone(MLP).save(tmp_path / "nowhere" / "file")
    assert path.read_bytes() == before


@pytest.mark.parametrize("estimator", [RBM, MLP, DBN], ids=["RBM", "MLP", "DBN"])
def test_scikit_learns_own_ways_pickle_them(estimator: BaseEstimator) -> None:
    fitted = clone(estimator).fit(CLOUDS, NAMES)
    again = pickle.loads(pickle.dumps(fitted))
    method = "transform" if isinstance(fitted, BernoulliRBM) else "predict_proba"
    np.testing.assert_array_equal(getattr(again, method)(CLOUDS), getattr(fitted, method)(CLOUDS))


numbers = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())
arrays = st.builds(
    lambda dtype, shape, order: np.asarray(np.arange(np.prod(shape)).reshape(shape), dtype=dtype, order=order),
    st.sampled_from(["float32", "float64", "int8", "uint64", "bool", "<U3", "object"]),
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
    st.sampled_from(["C", "F"]),
)
values = st.recursive(
    st.one_of(numbers, arrays, st.just(Rule("adam", 0.01)), st.just(Downpour(hosting=Hosting(placing="hashed")))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
)


@settings(max_examples=50)
@given(values)
def test_any_value_comes_back(value: Any) -> None:
    packer = Packer()
    packed = json.loads(json.dumps(packer.pack(value, "value")))
    assert_equal(unpack(packed, packer.tensors), value)

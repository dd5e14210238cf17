"""docs/estimators.md tells the truth: its Python runs, from the first block to the last, and classifies well."""

import re
from pathlib import Path

import pytest

from anabranch import BernoulliRBM
from anabranch.strategies import CATALOGUE

PAGE = (Path(__file__).parent.parent / "docs" / "estimators.md").read_text(encoding="utf-8")


def test_its_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/estimators.md", "exec"), names)
    printed = capsys.readouterr().out
    scores = [float(text) for text in re.findall(r"\b0\.\d\d\b", printed)]
    assert len(scores) == 4, printed
    assert min(scores) >= 0.9, printed  # two digits are printed
    assert (tmp_path / "digits.safetensors").exists()


def test_the_parameters_that_it_names_exist() -> None:
    section = PAGE.partition("There is more than scikit-learn has")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z_]+)`", section)) - {"free_energy"}
    assert named <= set(BernoulliRBM().get_params())
    assert {"gibbs_steps", "momentum", "weight_cost", "dtype"} <= named


def test_the_strategies_that_it_names_exist() -> None:
    for names in re.findall(r'"strategy": \[(.*?)\]', PAGE):
        assert set(re.findall(r'"([a-z-]+)"', names)) <= set(CATALOGUE)

"""`--dtype auto`: decided once, said, written down, and kept."""

import tomllib
from pathlib import Path

import pytest
from cli_helpers import TINY, assert_same_result, broken_off, resume, sentence, summary, train, write_data

from anabranch import autodtype
from anabranch.autodtype import Rates
from anabranch.cli.main import main

Captured = pytest.CaptureFixture[str]
FAST, SLOW = Rates(float32=100.0, bfloat16=200.0), Rates(float32=100.0, bfloat16=50.0)
SAID = "dtype auto: bf16-mixed (matrix products: bfloat16 200, float32 100 GFLOP/s)"


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_data(tmp_path / "data")


def rates(monkeypatch: pytest.MonkeyPatch, found: Rates) -> None:
    monkeypatch.setattr(autodtype, "measured_rates", lambda: found)


def written(folder: Path) -> str:
    dtype: str = tomllib.loads((folder / "config.toml").read_text())["training"]["dtype"]
    return dtype


def test_auto_becomes_one_of_the_two(tmp_path: Path, data: str, capsys: Captured) -> None:
    """With the rates of the machine that it runs on."""
    assert train(data, tmp_path / "run", "--dtype", "auto") == 0
    said = capsys.readouterr().out
    assert written(tmp_path / "run") in ("bf16-mixed", "float32")
    assert summary(tmp_path / "run")["dtype"] == written(tmp_path / "run")
    assert said.count(f"dtype auto: {written(tmp_path / 'run')} (matrix products: bfloat16 ") == 1
    assert f"1 worker, single world, 1 thread, {written(tmp_path / 'run')}\n" in said


@pytest.mark.parametrize(("found", "name"), [(FAST, "bf16-mixed"), (SLOW, "float32")])
def test_auto_gives_the_bits_of_what_it_stands_for(
    found: Rates, name: str, tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates(monkeypatch, found)
    assert train(data, tmp_path / "auto", "--dtype", "auto") == 0
    assert train(data, tmp_path / "named", "--dtype", name) == 0
    assert written(tmp_path / "auto") == name
    assert_same_result(tmp_path / "named", tmp_path / "auto")


def test_the_machine_has_no_say_unless_it_is_asked(
    tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    rates(monkeypatch, FAST)
    assert train(data, tmp_path / "run") == 0
    assert written(tmp_path / "run") == "float32"
    assert "dtype auto" not in capsys.readouterr().out


@pytest.mark.parametrize("again", [[], ["--dtype", "auto"]], ids=["left out", "repeated"])
def test_a_resumed_run_keeps_what_was_decided(
    again: list[str], tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    rates(monkeypatch, FAST)
    assert train(data, tmp_path / "whole", "--dtype", "auto") == 0
    with broken_off(monkeypatch, saves=1):
        assert train(data, tmp_path / "broken", "--dtype", "auto") == 130
    assert capsys.readouterr().out.count(SAID) == 2
    rates(monkeypatch, SLOW)  # another machine
    assert resume(tmp_path / "broken", *again) == 0
    assert "dtype auto" not in capsys.readouterr().out
    assert written(tmp_path / "broken") == summary(tmp_path / "broken")["dtype"] == "bf16-mixed"
    assert_same_result(tmp_path / "whole", tmp_path / "broken")


def test_another_dtype_is_refused_when_a_run_is_resumed(
    tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    with broken_off(monkeypatch, saves=1):
        assert train(data, tmp_path / "run") == 130
    said = sentence(capsys, 2, "train", "--resume", str(tmp_path / "run"), "--dtype", "bf16-mixed")
    assert said.startswith(f"the run in {tmp_path}/run has --dtype float32, not bf16-mixed: ")


def test_a_dtype_that_does_not_exist_is_refused(tmp_path: Path, data: str, capsys: Captured) -> None:
    assert train(data, tmp_path / "run", "--dtype", "nonsense") == 2
    said = capsys.readouterr().err
    assert "--dtype" in said
    assert "auto" in said
    assert "Traceback" not in said
    (tmp_path / "c.toml").write_text("[training]\ndtype = 'nonsense'\n")
    said = sentence(capsys, 2, "train", "--config", str(tmp_path / "c.toml"))
    assert said.startswith(f"{tmp_path}/c.toml, [training]: dtype = 'nonsense' does not fit: ")
    assert not (tmp_path / "run").exists()


def test_a_file_may_ask_for_auto(tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rates(monkeypatch, FAST)
    (tmp_path / "c.toml").write_text("[training]\ndtype = 'auto'\n")
    assert train(data, tmp_path / "run", "--config", str(tmp_path / "c.toml")) == 0
    assert written(tmp_path / "run") == "bf16-mixed"


def simulate(data: str, out: Path, workers: str) -> int:
    return main(["simulate", "--data", data, *TINY, "--dtype", "auto", "--workers", workers, "--out", str(out)])


def test_a_sweep_decides_once(tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """For all its runs, and for those that are added later."""
    found = [FAST, SLOW, SLOW, SLOW]
    monkeypatch.setattr(autodtype, "measured_rates", lambda: found.pop(0))
    assert simulate(data, tmp_path / "sweep", "1,2") == 0
    assert capsys.readouterr().out.count("dtype auto") == 1
    assert simulate(data, tmp_path / "sweep", "1,2,3") == 0
    said = capsys.readouterr().out
    assert "dtype auto" not in said
    assert "1 simulated worker: finished before\n2 simulated workers: finished before\n3 workers," in said
    assert [written(tmp_path / "sweep" / f"workers-{n}") for n in (1, 2, 3)] == ["bf16-mixed"] * 3

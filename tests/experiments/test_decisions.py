"""What is decided before the first cell: whether MPI is used, and the arithmetic."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import tomli_w

from anabranch import autodtype
from anabranch.autodtype import Rates
from anabranch.config import Arithmetic
from anabranch.errors import CheckpointError, UsageError
from anabranch.experiments import decisions, mpi_trial
from anabranch.experiments.catalogue import PAPERS
from anabranch.experiments.decisions import World, why_unmeasured, with_dtype
from anabranch.experiments.mpi_trial import try_mpi
from anabranch.experiments.paper import Plan

PAPER, QUICK = PAPERS["degrazia2012"], Plan(quick=True)
FAST = Rates(float32=100.0, bfloat16=200.0)


@pytest.fixture
def mpirun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A little program in mpirun's place."""
    path = tmp_path / "mpirun"
    path.touch(mode=0o755)
    monkeypatch.setattr(mpi_trial, "find_mpirun", lambda: str(path))
    return path


# --- MPI


@pytest.mark.parametrize("world", ["auto", "mpi"])
def test_where_mpi_works_it_is_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "cores", lambda: 2)
    assert why_unmeasured(world) == ""


def test_simulated_starts_nothing(mpirun: Path) -> None:
    mpirun.write_text(f"#!/bin/sh\ntouch {mpirun}.started\n")
    assert why_unmeasured("simulated") == "--world simulated"
    assert not mpirun.with_name("mpirun.started").exists()


def test_one_core_measures_where_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "cores", lambda: 1)
    monkeypatch.setattr(decisions, "try_mpi", lambda: None)
    assert why_unmeasured("auto") == "one core cannot show what two workers gain"
    assert why_unmeasured("mpi") == ""


def test_without_mpirun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(decisions, "cores", lambda: 2)
    said = "no mpirun found: load your cluster's MPI module, or install one with  pip install 'anabranch[mpi]'"
    assert why_unmeasured("auto") == said
    with pytest.raises(UsageError) as caught:
        why_unmeasured("mpi")
    assert str(caught.value) == f"{said}."


def test_without_a_library(mpirun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPI4PY_LIBMPI", "/nowhere/libmpi.so")
    with pytest.raises(UsageError, match=r"^no MPI library found: load your cluster's MPI module"):
        try_mpi()


@pytest.mark.parametrize("program", ['shift 2\nexec "$@"', "exit 1"], ids=["another MPI's", "broken"])
def test_ranks_that_do_not_meet(program: str, mpirun: Path) -> None:
    mpirun.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit\n{program}\n')
    with pytest.raises(UsageError, match=rf"^two ranks started with {mpirun} did not meet: .* set MPI4PY_LIBMPI "):
        try_mpi()


def test_a_trial_that_hangs_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpi_trial, "PATIENCE_SECONDS", 0.1)
    assert not mpi_trial._succeeds(["sleep", "60"])


# --- arithmetic


def decide(folder: Path, asked: Arithmetic) -> tuple[str, list[str]]:
    said: list[str] = []
    return with_dtype(QUICK, asked, PAPER, folder, said.append).dtype, said


def finish(folder: Path, name: str, arguments: Sequence[str]) -> Path:
    (folder / name).mkdir(parents=True)
    path = folder / name / "result.json"
    path.write_text(json.dumps({"arguments": arguments, "seconds": 1.0}))
    return path


def test_auto_is_what_this_machine_computes_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autodtype, "measured_rates", lambda: FAST)
    assert decide(tmp_path, "auto") == ("bf16-mixed", [FAST.sentence])
    assert decide(tmp_path, "float64") == ("float64", [])


def test_auto_stays_what_finished_cells_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autodtype, "measured_rates", lambda: FAST)
    cells = {cell.name: cell for cell in PAPER.cells(QUICK)}
    for name in ("time", "measured-2"):  # float64 and float32 whatever is asked
        finish(tmp_path, name, cells[name].arguments)
    assert decide(tmp_path, "auto")[0] == "bf16-mixed"
    path = finish(tmp_path, "fixed-40-network-0", cells["fixed-40-network-0"].arguments)
    assert decide(tmp_path, "auto") == ("float32", ["dtype auto: float32, as in the runs that are there"])
    assert decide(tmp_path, "float64") == ("float64", [])
    path.write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read: delete its folder"):
        decide(tmp_path, "auto")


def test_auto_stays_what_a_broken_off_cell_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autodtype, "measured_rates", lambda: FAST)
    run = tmp_path / "recipe-batch-12-rate-falling-network-0/run"
    run.mkdir(parents=True)
    (run / "config.toml").write_text(tomli_w.dumps({"training": {"dtype": "float32"}}))
    assert decide(tmp_path, "auto")[0] == "float32"

"""`anabranch doctor` from its command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_helpers import sentence

from anabranch.cli.main import main

Captured = pytest.CaptureFixture[str]


def test_the_checklist_and_its_json(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANABRANCH_DATA", raising=False)
    code = main(["doctor", "--no-self-test", "--json", str(tmp_path / "new" / "doctor.json")])
    lines = capsys.readouterr().out.splitlines()
    content = json.loads((tmp_path / "new" / "doctor.json").read_text())
    assert code == (content["problems"] > 0)
    states = [finding["state"] for finding in content["findings"]]
    assert content["problems"] == states.count("problem")
    shown = [line.split()[0] for line in lines if line.startswith(("ok ", "note ", "problem "))]
    assert shown == states
    assert lines[-1] == f"written to {tmp_path}/new/doctor.json"
    assert any(line.startswith("note     two ranks      not tried: --no-self-test") for line in lines)
    assert {"torch", "cores", "mpi", "self_test"} <= set(content["seen"])
    assert max(len(line) for line in lines if "/" not in line) <= 80


def test_a_problem_is_exit_code_1(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_DATA", str(tmp_path / "nowhere"))
    assert main(["doctor", "--no-self-test"]) == 1
    said = capsys.readouterr().out
    assert "problem  data" in said
    assert "→ Create it, or unset the variable." in said
    assert "1 problem" in said.splitlines()[-1]


def test_a_broken_torch_does_not_keep_it_from_looking(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libgomp.so.1: cannot open shared object file')\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "anabranch", "doctor", "--json", str(tmp_path / "doctor.json")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "problem  torch          cannot be imported (libgomp.so.1" in ended.stdout
    assert "ok       MPI library" in ended.stdout
    assert "not tried: torch cannot be imported" in ended.stdout
    assert json.loads((tmp_path / "doctor.json").read_text())["problems"] == 1


def test_under_mpirun_it_refuses(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.cli.doctor.started_ranks", lambda: 1)
    assert "start it without mpirun or srun" in sentence(capsys, 2, "doctor")


def test_help_teaches(capsys: Captured) -> None:
    assert main(["doctor", "--help"]) == 0
    assert "anabranch doctor --json doctor.json" in capsys.readouterr().out

"""What a result depends on beside its options."""

import json
import subprocess
from pathlib import Path

import pytest
import torch

from anabranch import __version__
from anabranch.environment import commit, environment


def test_it_names_versions_and_machine_and_is_json() -> None:
    found = environment()
    assert found["anabranch"] == __version__
    assert found["torch"] == torch.__version__
    assert found["cores"] >= 1
    assert {"numpy", "mpi4py", "mpi", "python", "machine", "processor", "commit", "began"} <= set(found)
    assert json.loads(json.dumps(found)) == found


def test_the_commit_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    (tmp_path / "file").write_text("1")
    for words in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert commit(tmp_path) == head
    (tmp_path / "file").write_text("2")
    assert commit(tmp_path) == f"{head}-dirty"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit(tmp_path) is None

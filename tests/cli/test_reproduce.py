"""`anabranch reproduce` from its command line: results, going on after any death, wrong usage."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_paper
from cli_helpers import sentence

from anabranch.cli.main import main

Captured = pytest.CaptureFixture[str]


def test_tables_pictures_and_results(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tiny_paper.Tiny().title
    monkeypatch.delenv("ANABRANCH_PAGES")
    assert main(["reproduce", "tiny", "--quick", "--jobs", "2", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "the quick form: nearly everything" in said
    assert f"results in {tmp_path}:" in said.replace("\n", "")
    assert "results.md, results.json, figure-1.png" in said
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["left_out"] == ["nearly everything"]
    assert results["tables"][0]["entries"][0]["paper"] == 9.0
    assert [cell["name"] for cell in results["cells"]] == ["short", "other", "many"]
    assert results["cells"][0]["command"].startswith("anabranch train --world single --data digits")
    text = (tmp_path / "results.md").read_text()
    assert "| all | ours | 9.00 |" in text
    assert "![Errors](figure-1.svg)" in text
    assert (tmp_path / "figure-1.png").read_bytes().startswith(b"\x89PNG")
    assert "<h1>Nobody 1999, A tiny paper</h1>" in (tmp_path / "report.html").read_text()
    assert list(tmp_path.rglob("report.html")) == [tmp_path / "report.html"]  # none of the cells'
    assert main(["reproduce", "tiny", "--quick", "--out", str(tmp_path)]) == 0
    assert "3 cells finished before, 0 to run" in capsys.readouterr().out


def start(folder: Path) -> "subprocess.Popen[str]":
    script = Path(tiny_paper.__file__)
    command = [sys.executable, str(script), "tiny", "--jobs", "1", "--out", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, lines: int = 0) -> None:
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_text().count("\n") > lines):
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.05)


def running(folder: Path) -> list[str]:
    """Processes whose command line names `folder`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in words and path.parent.name != str(os.getpid()):
            found.append(words)
    return found


def test_killed_half_way_and_started_again_it_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    record = folder / "cells/other/run/steps.jsonl"  # the costliest comes first
    process = start(folder)
    wait_for(record, 300)
    process.kill()
    process.communicate(timeout=120)
    deadline = time.monotonic() + 60
    while running(folder):  # the run that it had started ends, too
        assert time.monotonic() < deadline, running(folder)
        time.sleep(0.1)
    done = record.read_text().count('"kind": "epoch"')
    assert 0 < done < 120
    process = start(folder)
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "3/3" in out
    result = json.loads((folder / "cells/other/result.json").read_text())
    assert [line["epoch"] for line in result["epochs"]["1"]] == list(range(120))


def test_wrong_usage(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "unknown paper 'alowaisheq'" in sentence(capsys, 2, "reproduce", "alowaisheq")
    assert "--jobs must be 1 or more, not 0" in sentence(capsys, 2, "reproduce", "tiny", "--jobs", "0")
    (tmp_path / "file").write_text("")
    assert "file" in sentence(capsys, 1, "reproduce", "tiny", "--out", str(tmp_path / "file"))
    monkeypatch.setattr("anabranch.cli.reproduce.started_ranks", lambda: 2)
    assert "start it without mpirun" in sentence(capsys, 2, "reproduce", "tiny", "--out", str(tmp_path))


def test_help_teaches(capsys: Captured) -> None:
    assert main(["reproduce", "--help"]) == 0
    said = capsys.readouterr().out
    assert "anabranch reproduce alowaisheq2015 --quick" in said
    assert "--jobs" in said

"""`anabranch report`, and the pages with which other commands end."""

from pathlib import Path

import pytest
from report_helpers import write_run, write_sweep

from anabranch.cli.main import main

Captured = pytest.CaptureFixture[str]
TINY = ["--data", "digits", "--epochs", "1", "--finetune-epochs", "1", "--threads", "1", "--batch-size", "50"]


def title(path: Path) -> str:
    return path.read_text().partition("<title>")[2].partition("</title>")[0]


def sentence(captured: Captured, *arguments: str) -> str:
    captured.readouterr()
    assert main(list(arguments)) == 2
    said = captured.readouterr().err.strip()
    assert said.startswith("anabranch: ")
    assert "\n" not in said
    return said


def test_one_folder_gets_its_page(tmp_path: Path, capsys: Captured) -> None:
    run = write_run(tmp_path / "run")
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"{run}/report.html (4.9 MB): open it in a browser\n"
    assert title(run / "report.html") == "16.67 % test error · run"
    before = (run / "report.html").read_bytes()
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").read_bytes() == before
    assert main(["report", str(run), "--out", str(tmp_path / "own.html")]) == 0
    assert (tmp_path / "own.html").read_bytes() == before


def test_several_folders_make_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a")
    write_sweep(tmp_path / "sweep")
    assert main(["report", "a", "sweep"]) == 0
    assert title(tmp_path / "report.html") == "16.67 % is the least test error: a"
    assert not (tmp_path / "a" / "report.html").exists()


def test_wrong_usage(tmp_path: Path, capsys: Captured) -> None:
    run = str(write_run(tmp_path / "run"))
    assert "name the folder of a run" in sentence(capsys, "report")
    assert "there is no folder nowhere" in sentence(capsys, "report", "nowhere")
    assert "no run, simulation or reproduction in" in sentence(capsys, "report", str(tmp_path))
    assert "is no place for a file" in sentence(capsys, "report", run, "--out", str(tmp_path))
    assert "is no place for a file" in sentence(capsys, "report", run, "--out", str(tmp_path / "no" / "x.html"))


def test_help_teaches(capsys: Captured) -> None:
    assert main(["report", "--help"]) == 0
    assert "anabranch report runs/first runs/second --out both.html" in capsys.readouterr().out


def test_runs_and_simulations_end_with_their_page(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANABRANCH_PAGES")
    run, sweep = tmp_path / "run", tmp_path / "sweep"
    assert main(["train", *TINY, "--model", "dbn:64-8", "--out", str(run)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  report.html (open it in a browser)"
    names = {"environment.json", "evaluation.json", "pictures.safetensors", "report.html"}
    assert names <= {path.name for path in run.iterdir()}
    page = (run / "report.html").read_text()
    assert "Confusion matrix" in page
    assert "Samples of layer 1" in page
    assert main(["simulate", "--workers", "1,2", *TINY, "--model", "mlp", "--out", str(sweep)]) == 0
    assert "report.html (open it in a browser)" in capsys.readouterr().out
    assert title(sweep / "report.html").endswith(" · sweep")
    assert not list(sweep.glob("workers-*/report.html"))
    monkeypatch.setenv("ANABRANCH_PAGES", "none")
    assert main(["simulate", "--workers", "2", "--timing-only", *TINY, "--out", str(tmp_path / "times")]) == 0
    assert not (tmp_path / "times" / "report.html").exists()
    assert main(["report", str(tmp_path / "times")]) == 0
    assert "Times alone: nothing was learnt." in (tmp_path / "times" / "report.html").read_text()


def test_a_page_that_fails_does_not_fail_the_run(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANABRANCH_PAGES")
    monkeypatch.setattr("anabranch.report.draw.rendered", lambda page: 1 / 0)
    assert main(["train", *TINY, "--model", "mlp", "--out", str(tmp_path / "run")]) == 0
    assert "no report.html: unforeseen ZeroDivisionError" in capsys.readouterr().out

"""`anabranch reproduce` from its command line: results, going on after any death, wrong usage."""

import contextlib
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import slow_net
import tiny_paper
from cli_helpers import sentence

from anabranch.cli.main import main
from anabranch.cli.reproduce import parse
from anabranch.errors import Interrupted
from anabranch.experiments import decisions
from anabranch.experiments.catalogue import PAPERS
from anabranch.experiments.runner import Runner

Captured = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, finished: tiny_paper.Finished) -> Path:
    """An experiment whose cells are there."""
    shutil.copytree(finished.folder, tmp_path / "results/cells")
    return tmp_path / "results"


def test_tables_pictures_and_results(folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANABRANCH_PAGES")
    assert main(["reproduce", "tiny", "--quick", "--world", "mpi", "--jobs", "2", "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "3 cells finished before, 0 to run" in said
    assert "the quick form: nearly everything" in said
    assert f"results in {folder}:" in said.replace("\n", "")
    assert "results.md, results.json, figure-1.png" in said
    results = json.loads((folder / "results.json").read_text())
    assert (results["measured"], results["notes"]) == (True, ["A note."])
    assert results["left_out"] == ["nearly everything"]
    assert results["tables"][0]["entries"][0]["paper"] == 9.0
    assert [cell["name"] for cell in results["cells"]] == ["short", "other", "many"]
    assert results["cells"][0]["command"].startswith("anabranch train --world single --dtype float32")
    text = (folder / "results.md").read_text()
    assert "| all | ours | 9.00 |" in text
    assert "![Errors](figure-1.svg)" in text
    assert (folder / "figure-1.png").read_bytes().startswith(b"\x89PNG")
    assert "<h1>Nobody 1999, A tiny paper</h1>" in (folder / "report.html").read_text()
    assert list(folder.rglob("report.html")) == [folder / "report.html"]  # none of the cells'


@pytest.mark.parametrize(
    ("world", "reason"),
    [("simulated", "--world simulated"), ("auto", "one core cannot show what two workers gain")],
)
def test_without_measurements(
    world: str, reason: str, folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "cores", lambda: 1)
    assert main(["reproduce", "tiny", "--quick", "--world", world, "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"nothing is measured on MPI ({reason})\n" in said
    assert "2 cells finished before, 0 to run" in said
    results = json.loads((folder / "results.json").read_text())
    assert [cell["name"] for cell in results["cells"]] == ["short", "other"]
    assert results["measured"] is False
    assert results["notes"][-1] == f"Nothing was measured on MPI ({reason})."
    assert f"- Nothing was measured on MPI ({reason}).\n" in (folder / "results.md").read_text()


def test_a_dtype_that_was_decided_is_kept(folder: Path, capsys: Captured) -> None:
    quick = ("reproduce", "tiny", "--quick", "--world", "simulated", "--out", str(folder))
    assert main([*quick, "--dtype", "auto"]) == 0
    assert "dtype auto: float32, as in the runs that are there\n2 cells finished before" in capsys.readouterr().out
    assert "holds another experiment's cell: give another --out" in sentence(capsys, 2, *quick, "--dtype", "float64")


def test_an_interruption_says_how_to_go_on(folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise Interrupted(signal.SIGTERM, "stopped")

    monkeypatch.setattr(Runner, "run", interrupted)
    monkeypatch.setattr(decisions, "cores", lambda: 1)
    quick = ("reproduce", "tiny", "--quick")
    said = sentence(capsys, 143, *quick, "--jobs", "1", "--out", str(folder))
    assert said.endswith(f"go on with  anabranch reproduce tiny --quick --out {folder}")
    some = ("--repeats", "1", "--world", "simulated", "--out", str(folder))
    assert sentence(capsys, 143, "reproduce", "tiny", *some).endswith(f"reproduce tiny {shlex.join(some)}")
    chosen = ("--world", "simulated", "--dtype", "bf16-mixed", "--out", str(folder.parent / "another"))
    assert sentence(capsys, 143, *quick, *chosen).endswith(f"reproduce tiny --quick {shlex.join(chosen)}")


def test_what_lacks_no_run_is_kept_of_an_experiment_that_is_broken_off(
    folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise Interrupted(signal.SIGINT, "stopped")

    monkeypatch.delenv("ANABRANCH_PAGES")
    command = ("reproduce", "tiny", "--quick", "--world", "mpi", "--out", str(folder))
    kept = folder.parent / "kept"
    shutil.move(folder / "cells/short", kept)
    with monkeypatch.context() as patch:
        patch.setattr(Runner, "run", interrupted)
        assert main(command) == 130
        assert not (folder / "results.json").exists()  # its one table needs that run
        shutil.move(kept, folder / "cells/short")
        shutil.move(folder / "cells/many", kept)
        capsys.readouterr()
        assert main(command) == 130
    said = capsys.readouterr()
    assert f"of 3 runs 2 are finished; what lacks no run is in {folder}:" in said.out.replace("\n", "")
    assert "results.md, results.json, figure-1.png" in said.out
    assert "stopped; finished runs are kept: go on with" in said.err
    results = json.loads((folder / "results.json").read_text())
    assert results["missing"] == ["many"]
    assert [cell["name"] for cell in results["cells"]] == ["short", "other"]
    text = (folder / "results.md").read_text()
    assert "- Not finished: 1 of 3 runs are missing, and what needs them.\n" in text
    assert "| all | ours | 9.00 |" in text
    assert "Not finished: 1 run to go." in (folder / "report.html").read_text()

    shutil.move(kept, folder / "cells/many")
    assert main(command) == 0
    ended = (folder / "results.json").read_bytes()
    assert json.loads(ended)["missing"] == []
    assert "Not finished" not in (folder / "results.md").read_text() + (folder / "report.html").read_text()
    shutil.rmtree(folder / "cells/many")
    monkeypatch.setattr(Runner, "run", interrupted)
    assert main(command) == 130  # what has ended is not replaced by less
    assert (folder / "results.json").read_bytes() == ended


def test_few_repeats_now_and_the_others_later(folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(slow_net.__file__).parent)
    command = ("reproduce", "tiny", "--world", "simulated", "--jobs", "1", "--out", str(folder))
    shutil.rmtree(folder / "cells/other")
    assert main([*command, "--repeats", "1"]) == 0
    said = capsys.readouterr().out
    assert "in part: 1 instead of 2 tries\n" in said
    assert "1 cell finished before, 0 to run" in said
    results = json.loads((folder / "results.json").read_text())
    assert (results["repeats"], results["left_out"]) == (1, ["1 instead of 2 tries"])
    assert "Shorter than the full form: 1 instead of 2 tries.\n" in (folder / "results.md").read_text()
    assert main([*command, "--repeats", "2"]) == 0
    said = capsys.readouterr().out
    assert "in part" not in said
    assert "1 cell finished before, 1 to run" in said
    assert json.loads((folder / "results.json").read_text())["left_out"] == []
    assert "Shorter" not in (folder / "results.md").read_text()


def options(folder: Path) -> list[str]:
    return ["tiny", "--world", "simulated", "--jobs", "1", "--out", str(folder)]


def start(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, tiny_paper.__file__, *options(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, lines: int = 0) -> None:
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_text().count("\n") > lines):
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.05)


def running(folder: Path) -> list[str]:
    """Processes that have a file in `folder` open, as a run has that for its last words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/fd/2"):
        with contextlib.suppress(OSError):
            target = path.readlink()
            found += [str(target)] if target.is_relative_to(folder) else []
    return found


def test_killed_half_way_and_started_again_it_goes_on_where_it_was(
    folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(folder / "cells/other")
    monkeypatch.chdir(Path(slow_net.__file__).parent)
    monkeypatch.setenv(slow_net.PAUSE, "0.02")
    record = folder / "cells/other/run/steps.jsonl"
    process = start(folder)
    wait_for(record, 60)  # two epochs
    assert running(folder)
    process.kill()
    process.communicate(timeout=120)
    deadline = time.monotonic() + 60
    while running(folder):  # the run that it had started ends, too
        assert time.monotonic() < deadline, running(folder)
        time.sleep(0.1)
    done = record.read_text().count('"kind": "epoch"')
    assert 0 < done < tiny_paper.EPOCHS
    monkeypatch.delenv(slow_net.PAUSE)
    assert main(["reproduce", *options(folder)]) == 0
    assert "1 cell finished before, 1 to run\n2/2 other: test error " in capsys.readouterr().out
    result = json.loads((folder / "cells/other/result.json").read_text())
    assert [line["epoch"] for line in result["epochs"]["1"]] == list(range(tiny_paper.EPOCHS))


def test_wrong_usage(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "unknown paper 'alowaisheq'" in sentence(capsys, 2, "reproduce", "alowaisheq")
    assert "--jobs must be 1 or more, not 0" in sentence(capsys, 2, "reproduce", "tiny", "--jobs", "0")
    for paper, dtype in (("ma2014", "float32"), ("alowaisheq2015", "float64")):
        said = sentence(capsys, 2, "reproduce", paper, "--dtype", "auto")
        assert said == f"the figures of {paper} rest on training in {dtype}: leave --dtype out."
    with pytest.raises(SystemExit) as caught:
        parse(["tiny", "--world", "single"])
    assert caught.value.code == 2
    assert "--repeats of tiny are from 1 to 2 tries, not 3" in sentence(
        capsys, 2, "reproduce", "tiny", "--repeats", "3"
    )
    assert "not 0" in sentence(capsys, 2, "reproduce", "degrazia2012", "--repeats", "0")
    assert "repeats nothing" in sentence(capsys, 2, "reproduce", "ma2014", "--repeats", "1")
    assert "leave one of --quick and" in sentence(capsys, 2, "reproduce", "tiny", "--quick", "--repeats", "1")
    (tmp_path / "file").write_text("")
    simulated = ("--world", "simulated", "--out", str(tmp_path / "file"))
    assert "file" in sentence(capsys, 1, "reproduce", "tiny", *simulated)
    monkeypatch.setattr("anabranch.cli.reproduce.started_ranks", lambda: 2)
    assert "start it without mpirun" in sentence(capsys, 2, "reproduce", "tiny", "--out", str(tmp_path))


def test_who_insists_on_mpi_needs_one(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    said = sentence(capsys, 2, "reproduce", "tiny", "--world", "mpi", "--out", str(tmp_path / "results"))
    assert said.startswith("no mpirun found: load your cluster's MPI module")
    assert not (tmp_path / "results").exists()


def test_help_teaches(capsys: Captured) -> None:
    assert main(["reproduce", "--help"]) == 0
    said = capsys.readouterr().out
    examples = re.findall(r"^ +anabranch reproduce (.*?)(?:  |$)", said, flags=re.MULTILINE)
    assert len(examples) >= 5
    assert all(parse(shlex.split(example)).paper in PAPERS for example in examples)
    words = " ".join(said.replace("│", " ").split())
    assert "default: None" not in words
    assert "(default: float32)" in words
    assert "More workers than cores are always simulated" in words


PAGES = ["README.md", *(f"docs/{name}.md" for name in PAPERS if name != "tiny")]


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_pages_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    commands = re.findall(r"^anabranch reproduce ([^#\n]*)", text, flags=re.MULTILINE)
    assert commands
    for command in commands:
        assert parse(shlex.split(command)).paper in PAPERS

"""What the operating system, a user's files or his own code refuse: a sentence, and nothing of his is lost."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import (
    EXAMPLES,
    TINY,
    WIDTH,
    assert_same_result,
    broken_off,
    checkpoints,
    resume,
    sentence,
    train,
    write_data,
)

from anabranch.checkpoint import numbered
from anabranch.cli.refusals import refusal
from anabranch.errors import AnabranchError, UsageError
from anabranch.files import write_text

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_data(tmp_path / "data")


@pytest.fixture
def run(data: str, tmp_path: Path) -> Path:
    assert train(data, tmp_path / "run") == 0
    return tmp_path / "run"


# --- the operating system


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG])
def test_a_place_that_must_not_be_looked_at(number: int) -> None:
    """Root may enter everything, so that this cannot be tried in earnest everywhere."""
    said = refusal(OSError(number, os.strerror(number), "/there/x.npz"))
    assert isinstance(said, UsageError)
    assert str(said) == f"/there/x.npz: {os.strerror(number)}; name another place, or change its permissions."


def test_what_is_no_refusal() -> None:
    assert refusal(ValueError("a bug")) is None
    assert refusal(OSError(errno.EIO, "Input/output error")) is None
    assert isinstance(refusal(MemoryError()), AnabranchError)
    assert isinstance(refusal(RuntimeError("DefaultCPUAllocator: not enough memory: you tried")), AnabranchError)


@pytest.mark.parametrize("option", ["--out", "--data", "--resume"])
def test_names_that_are_too_long(option: str, data: str, capsys: Captured) -> None:
    said = sentence(capsys, 2, "train", "--data", data, *TINY, option, "x" * 300 + ".npz")
    assert said.startswith("x" * 300 + ".npz")
    assert said.endswith(": File name too long; name another place, or change its permissions.")


@pytest.mark.parametrize("model", ["dbn:16-99999999999", "mlp:16-9999999999999999999999-3", "dbn:16-" + "9" * 5000])
def test_layers_that_no_machine_has_room_for(model: str, data: str, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    said = sentence(capsys, 2, "train", "--data", data, "--model", model, "--out", str(out))
    assert said.endswith("has a layer of more than 999,999,999 units: no machine has room for it.")
    assert not out.exists()


def test_more_threads_than_any_processor_runs(data: str, capsys: Captured) -> None:
    said = sentence(capsys, 2, "train", "--data", data, *TINY, "--threads", "100000")
    assert said == "100000 threads are more than any processor runs: use --threads 1024 or fewer."


# --- standard output

SCRIPT = [sys.executable, "-m", "anabranch", "train", *TINY]


@pytest.mark.parametrize("end", ["> /dev/full", "| head -c 1", ">&-"])
def test_training_goes_on_when_nobody_can_read_its_course(end: str, run: Path, data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = " ".join([*SCRIPT, "--data", data, "--out", str(out)])
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {end}"], capture_output=True, text=True, check=False, timeout=100
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert_same_result(run, out)


def test_help_that_cannot_be_written() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*SCRIPT[:3], "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (1, 120)  # Python's own, where it is the last flush that fails


# --- files that were there


def test_a_page_replaces_no_file_of_a_run(run: Path, capsys: Captured) -> None:
    before = (run / "model.safetensors").read_bytes()
    said = sentence(capsys, 2, "report", str(run), "--out", str(run / "model.safetensors"))
    assert said.startswith("a page ends in .html, which --out")
    assert (run / "model.safetensors").read_bytes() == before
    assert "is no place for a file" in sentence(capsys, 2, "report", str(run), "--out", "")


def test_a_run_is_no_place_for_anything_else(run: Path, data: str, capsys: Captured) -> None:
    before = sorted(run.iterdir())
    for command in (["simulate", "--workers", "1,2"], ["compare", "--workers", "2"]):
        said = sentence(capsys, 2, *command, "--data", data, "--model", "mlp:16-4-3", "--out", str(run))
        assert said == f"{run} holds a run of anabranch train: give another --out."
    assert sentence(capsys, 2, "reproduce", "ma2014", "--quick", "--out", str(run)).startswith(f"{run} holds a run")
    assert sorted(run.iterdir()) == before


def test_pipes_are_written_to_and_links_followed(tmp_path: Path) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "through")
    reader.join(30)
    assert read == ["through"]
    assert pipe.is_fifo()
    file.write_text("old")
    link.symlink_to(file)
    write_text(link, "new")
    assert (link.is_symlink(), file.read_text()) == (True, "new")


@pytest.mark.parametrize("out", ["", "/"])
def test_what_names_no_file(out: str, run: Path, capsys: Captured) -> None:
    for command in (["export", str(run), "--out"], ["evaluate", str(run), "--json"], ["calibrate", "--out"]):
        assert "names no file" in sentence(capsys, 2, *command, out)


def test_findings_are_for_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cluster.toml").write_text("precious = 1")
    said = sentence(capsys, 2, "calibrate", "--quick", "--findings", "f.json")
    assert said.startswith("--findings is for ranks that were started")
    assert Path("cluster.toml").read_text() == "precious = 1"


def test_somebodys_copy_of_a_checkpoint_is_left_alone(
    data: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    with broken_off(monkeypatch, saves=1):
        assert train(data, broken, "--checkpoint-seconds", "0") == 130
    newest = checkpoints(broken)[-1]
    for name in (f"{newest.name}.bak", f"{newest.name} copy"):
        shutil.copytree(newest, newest.with_name(name))
    assert numbered(broken / "checkpoints")[-1] == newest
    assert resume(broken) == 0
    assert_same_result(run, broken)


@pytest.mark.parametrize("content", ['"x"', "[1]", '{"a": 1}'])
def test_a_summary_that_is_none(content: str, run: Path, capsys: Captured) -> None:
    (run / "summary.json").write_text(content)
    said = sentence(capsys, 1, "train", "--resume", str(run))
    assert said == f"{run / 'summary.json'} cannot be read: delete it to compute it anew."


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b"\xff"])
def test_terms_that_are_none(content: bytes, data: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "terms.json").write_bytes(content)
    options = ["--data", data, "--model", "mlp:16-4-3", "--workers", "2", "--batch-size", "5"]
    said = sentence(capsys, 1, "compare", *options, "--out", str(tmp_path))
    assert said == f"{tmp_path / 'terms.json'} cannot be read: give another --out, or delete {tmp_path}."


# --- a user's own code, data and options


@pytest.mark.parametrize("place", ["module", "function"])
def test_a_script_that_ends_itself(
    place: str, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"ending_{place}.py").write_text(
        "import sys\ndef net():\n    sys.exit(0)\n" + ("sys.exit(0)\n" if place == "module" else "")
    )
    said = sentence(capsys, 2, "train", "--data", data, "--model", f"ending_{place}:net", "--out", "out")
    assert "raised SystemExit (0) in" in said
    assert not Path("out").exists()


def test_an_archive_with_other_files_beside_the_arrays(data: str, run: Path, tmp_path: Path, capsys: Captured) -> None:
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("readme.txt", b"hello")
    assert train(data, tmp_path / "again") == 0
    assert_same_result(run, tmp_path / "again")
    with zipfile.ZipFile(tmp_path / "no.npz", "w") as archive:
        archive.writestr("x", b"hello")
    assert "holds no features 'x'" in sentence(capsys, 1, "train", "--data", str(tmp_path / "no.npz"))


def test_a_home_of_nobody(capsys: Captured) -> None:
    said = sentence(capsys, 2, "train", "--data", "~nobody-of-that-name/x.npz")
    assert said == "there is no home folder for ~nobody-of-that-name/x.npz: give the path without ~."


@pytest.mark.parametrize("label", [2**63 - 1, 2**62, 1e300, -1e300])
def test_labels_beyond_counting(label: float, tmp_path: Path, capsys: Captured) -> None:
    labels = np.arange(EXAMPLES, dtype=np.int64 if isinstance(label, int) else np.float64) % 3
    labels[7] = label
    data = write_data(tmp_path, x=np.zeros((EXAMPLES, WIDTH), np.float32), y=labels)
    said = sentence(capsys, 1, "train", "--data", data)
    assert said.startswith("row 7 of the label array of")
    assert said.endswith(f"has the label {labels[7]}: number the classes from 0.")


@pytest.mark.parametrize("option", ["--config", "--preset", "--resume"])
def test_an_empty_variable_of_the_shell_is_no_default(option: str, capsys: Captured) -> None:
    assert sentence(capsys, 2, "train", option, "")


def test_yes_is_no_number(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "yes.toml").write_text("[training]\nepochs = true\n")
    said = sentence(capsys, 2, "train", "--config", str(tmp_path / "yes.toml"))
    assert said.endswith("epochs = True does not fit: it is no yes or no.")


def test_a_damaged_note_of_the_data(run: Path, capsys: Captured) -> None:
    (run / "data.json").write_text("{")
    said = sentence(capsys, 1, "evaluate", str(run))
    assert said == f"{run / 'data.json'} cannot be read: delete it to take the data as they are."


def test_the_note_of_the_data_is_small(run: Path) -> None:
    assert json.loads((run / "data.json").read_text())["examples"] == 48

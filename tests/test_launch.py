"""Launching: shares of cores, texts for all ranks, and how an mpirun is waited for."""

import os
import sys
import time
from pathlib import Path

import pytest

from anabranch.comm.cores import share_of_cores
from anabranch.comm.simulated import SimulatedWorld
from anabranch.comm.text import share_text
from anabranch.launch import supervise, useful_threads


def test_short_steps_get_one_thread_and_long_ones_all_cores() -> None:
    assert useful_threads(parameters=150_000, batch=22, cores=8) == 1
    assert useful_threads(parameters=1_600_000, batch=125, cores=8) == 8


@pytest.mark.parametrize(
    ("users", "share"),
    [
        ([1], 1),  # bound to a core of its own
        ([1, 1, 1, 1], 4),  # four cores for each task
        ([2, 2, 2, 2], 2),  # two ranks that may run anywhere on four cores
        ([3, 3, 3, 3], 1),
        ([3, 3, 3], 1),  # three thirds are one, not 0.999…
        ([40, 40], 1),  # oversubscribed
    ],
)
def test_cores_are_shared_out_among_those_that_may_use_them(users: list[int], share: int) -> None:
    assert share_of_cores(users) == share


@pytest.mark.parametrize("text", ["", "runs/digits", "Größe/日本"])
def test_a_text_reaches_all_ranks(text: str) -> None:
    assert SimulatedWorld(3).run(lambda comm: share_text(comm, text if comm.rank == 0 else "")) == [text] * 3


@pytest.mark.parametrize("stubborn", [False, True])
def test_an_mpirun_that_hangs_after_a_rank_has_reported_is_stopped(stubborn: bool, tmp_path: Path) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if stubborn else ""
    program = f"import pathlib, signal, time; {deaf} pathlib.Path('report').write_text('1'); time.sleep(100)"
    begin = time.monotonic()
    ending = supervise(
        ["env", "-C", str(tmp_path), sys.executable, "-c", program], os.environ, tmp_path / "report", patience=0.2
    )
    assert ending.code == (-9 if stubborn else -15)
    assert time.monotonic() - begin < 50


def test_what_mpirun_says_is_kept_apart_from_what_the_ranks_say(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = "-" * 30
    said = f"of a rank\\n{frame}\\nof mpirun\\n{frame}\\n"
    ending = supervise(["sh", "-c", f"printf '{said}' >&2; exit 3"], os.environ, tmp_path / "report")
    assert (ending.code, ending.signals) == (3, 0)
    assert ending.remarks == f"{frame}\nof mpirun\n{frame}\n"
    assert capfd.readouterr().err == "of a rank\n"

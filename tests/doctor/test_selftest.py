"""The self-test: what ranks compute, and that it ends whatever mpirun does."""

from pathlib import Path

import pytest
import torch
from doctor_helpers import LAUNCHER, LIBRARY, MPI
from torch import Tensor

from anabranch.comm.base import Communicator, Op
from anabranch.comm.simulated import SimulatedWorld
from anabranch.comm.wrappers import Counting
from anabranch.doctor.bounded import Ended
from anabranch.doctor.exercise import ALLREDUCE, exercise, timings
from anabranch.doctor.look_mpi import look_at_mpi
from anabranch.doctor.selftest import reading, self_test
from anabranch.doctor.sights import Library, Mpi, Mpirun, SelfTest
from anabranch.models import DBN

RIGHT = {"allreduce": "", "send": "", "window get": "", "window accumulate": ""}


@pytest.mark.parametrize("ranks", [2, 3])
def test_the_known_answers_are_right(ranks: int) -> None:
    assert SimulatedWorld(ranks).run(exercise)[0] == RIGHT


def test_the_times_are_those_of_the_world() -> None:
    latency, seconds = SimulatedWorld(2).run(timings)[0]
    assert latency == seconds == 0  # a simulated world without costs


class Wrong(Counting):
    """Adds one too much on rank 1, and receives nothing."""

    def allreduce(self, x: Tensor, op: Op = "sum") -> None:
        super().allreduce(x, op)
        x += self.rank

    def recv(self, out: Tensor, source: int | None = None, tag: int = 0, timeout: float | None = None) -> int:
        found = super().recv(out, source, tag, timeout)
        out.zero_()
        return found


def test_a_communicator_that_computes_wrongly_is_found_out() -> None:
    def program(comm: Communicator) -> dict[str, str]:
        return exercise(Wrong(comm))

    found = SimulatedWorld(2).run(program)[0]
    assert found["allreduce"] == "rank 1 has 1 at place 0, not 0"
    assert found["send"] == "rank 0 has 0 at place 0, not 1; rank 1 has 0 at place 1, not 1"
    assert found["window get"] == found["window accumulate"] == ""


def test_the_vector_is_that_of_the_papers_network() -> None:
    network = DBN([784, 500, 500, 2000]).classifier(10)
    assert pytest.approx(sum(p.numel() for p in network.parameters()), rel=0.02) == ALLREDUCE
    assert torch.zeros(ALLREDUCE).nbytes == 6_600_000


def test_two_real_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.doctor.selftest.SECONDS", 120.0)  # other tests may want the cores, too
    monkeypatch.setattr("anabranch.doctor.selftest.TOTAL_SECONDS", 240.0)
    monkeypatch.setattr("anabranch.doctor.selftest.SURVIVAL_SECONDS", 60.0)
    found = self_test(look_at_mpi())
    assert found.error == found.skipped == ""
    assert found.operations == RIGHT
    assert found.latency > 0
    assert found.allreduce_seconds > 0
    assert found.survives is not None


def test_without_mpi_it_is_skipped() -> None:
    assert self_test(Mpi(LIBRARY, None, None)).skipped == "there is no MPI"
    assert self_test(Mpi(Library(error="none"), LAUNCHER, None)).skipped == "there is no MPI"
    broken = Mpirun("/bin/mpirun", error="fails (no libhwloc)")
    assert self_test(Mpi(LIBRARY, broken, None)).skipped == "/bin/mpirun fails (no libhwloc)"


def fake_mpirun(folder: Path, script: str) -> Mpi:
    """MPI with an mpirun that does `script` instead of starting ranks."""
    path = folder / "mpirun"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "mpirun (Open MPI) 5.0.11" && exit\n{script}\n')
    path.chmod(0o755)
    return Mpi(MPI.library, Mpirun(str(path), "Open MPI", "5.0.11"), None)


def test_an_mpirun_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.doctor.selftest.SECONDS", 1.0)
    found = self_test(fake_mpirun(tmp_path, "sleep 100"))
    assert found.error == "they gave no answer within 1 s, and were stopped"


def test_an_mpirun_that_fails_is_quoted(tmp_path: Path) -> None:
    found = self_test(fake_mpirun(tmp_path, "echo ------; echo 'There are not enough slots' >&2; exit 213"))
    assert found.error == "mpirun ended with exit code 213: There are not enough slots"


def test_ranks_that_do_not_find_each_other_say_so(tmp_path: Path) -> None:
    """An mpirun of another kind starts processes, each of which is alone."""
    found = self_test(fake_mpirun(tmp_path, 'while [ "$1" != -m ]; do python="$1"; shift; done; exec "$python" "$@"'))
    assert found.error.startswith("2 ranks were started, but Open MPI")
    assert "sees 1: start them with the mpirun of that library" in found.error


def test_what_the_end_of_mpirun_comes_to() -> None:
    content = {"operations": RIGHT, "latency": 1e-6, "allreduce_seconds": 0.01}
    assert reading(Ended(0, "", ""), content).operations == RIGHT
    assert "computed all, but mpirun did not end" in reading(Ended(None, "", ""), content).error
    assert reading(Ended(0, "", ""), None) == SelfTest(error="mpirun ended with exit code 0: it said nothing")

"""Whether windows do: tried out in a world with a clock of ours."""

from types import SimpleNamespace

import pytest

from anabranch.comm import SimulatedCommunicator, SimulatedWorld
from anabranch.comm.base import Communicator, Feature
from anabranch.comm.wrappers import Counting
from anabranch.server import probe as module
from anabranch.server.probe import Finding, probe


class Windowless(Counting):
    """A communicator of ranks on several nodes."""

    def __init__(self, comm: Communicator) -> None:
        super().__init__(comm)
        self.provides = comm.provides - {Feature.WINDOW}


def ticking(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let every look at the clock take so many seconds."""
    now = [0.0]

    def tick() -> float:
        now[0] += seconds
        return now[0]

    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=tick))


def test_windows_work_where_others_get_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking(monkeypatch, 0.01)
    said = "1 MB was read and added to in 10.0 ms while its owner computed for 100 ms"
    assert SimulatedWorld(2).run(probe) == [Finding(True, said)] * 2


def test_windows_fail_where_others_are_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking(monkeypatch, 0.05)
    said = "1 MB was read and added to in 50.0 ms while its owner computed for 100 ms"
    assert SimulatedWorld(2).run(probe) == [Finding(False, said)] * 2


def test_a_core_that_was_taken_once_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other rank took 60 ms in the first try, 10 in the second: no third is made."""
    took = iter([0.06, 0.01])
    monkeypatch.setattr(module, "_try", lambda comm: next(took) if comm.rank else 0.0)
    said = "1 MB was read and added to in 10.0 ms while its owner computed for 100 ms"
    assert SimulatedWorld(2).run(probe) == [Finding(True, said)] * 2
    assert next(took, None) is None


def test_the_quickest_of_three_tries_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    took = iter([0.06, 0.04, 0.05, 0.01])
    monkeypatch.setattr(module, "_try", lambda comm: next(took) if comm.rank else 0.0)
    said = "1 MB was read and added to in 40.0 ms while its owner computed for 100 ms"
    assert SimulatedWorld(2).run(probe) == [Finding(False, said)] * 2
    assert next(took) == 0.01


def test_all_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the slowest: every look at the clock is one of several ranks', so they measure different times."""
    ticking(monkeypatch, 0.001)
    first, *others = SimulatedWorld(5).run(probe)
    assert first.works
    assert others == [first] * 4


def test_it_does_not_try_what_is_not_provided() -> None:
    counts = []

    def program(comm: SimulatedCommunicator) -> Finding:
        windowless = Windowless(comm)
        finding = probe(windowless)
        counts.append(windowless.calls)
        return finding

    said = "the ranks are on several nodes, where windows stall until their owner calls MPI"
    assert SimulatedWorld(2).run(program) == [Finding(False, said)] * 2
    assert not any(counts)


def test_one_rank_reaches_itself() -> None:
    assert SimulatedWorld(1).run(probe) == [Finding(True, "there is one rank")]
    assert SimulatedWorld(1).run(lambda comm: probe(Windowless(comm)).works) == [True]

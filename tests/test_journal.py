"""What counts as the seconds of a task, by a clock that the test moves."""

import pytest

from anabranch import journal as module
from anabranch.comm.simulated import SimulatedWorld
from anabranch.journal import RunJournal
from anabranch.progress import Silence
from anabranch.signals import StopFlag
from anabranch.strategies import Allreduce, Downpour, EpochReport, Hogwild, Hosting
from anabranch.trainer import _pausing


class Clock:
    """In place of the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def report(epoch: int) -> EpochReport:
    return EpochReport("training", epoch, 0.1, 0.1, 10, epoch + 1, 0.1, False, "loss")


@pytest.mark.parametrize(("pausing", "seconds"), [(1.0, 9.0), (0.25, 19.5)])
def test_measuring_the_test_error_does_not_count(
    pausing: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three epochs of 3 s, and 7 s for each measurement; the last is no longer waited for."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    journal = RunJournal(None, 0, dict, display=Silence(), flag=StopFlag(), checkpoint_seconds=60.0)
    journal.pausing = pausing

    def measured() -> float:
        clock.now += 7.0
        return 0.5

    journal.test_error = measured
    journal.begin("training", 3, 1, 0)
    for epoch in range(3):
        clock.now += 3.0
        journal.on_epoch(report(epoch))
    journal.end()
    assert journal.finished[0]["seconds"] == seconds


def test_workers_in_windows_go_on_meanwhile() -> None:
    """On real ranks; a simulated world has one process, which can do but one thing."""

    class Ranks:
        size = 4

    assert _pausing(Downpour(), Ranks()) == 0.25  # type: ignore[arg-type]
    assert _pausing(Hogwild(), Ranks()) == 0.25  # type: ignore[arg-type]
    assert _pausing(Downpour(hosting=Hosting("ranks", 1)), Ranks()) == 1.0  # type: ignore[arg-type]
    assert _pausing(Allreduce(), Ranks()) == 1.0  # type: ignore[arg-type]
    assert SimulatedWorld(4).run(lambda comm: _pausing(Downpour(), comm)) == [1.0] * 4

"""Where the parameters are, by what a trial has found."""

import pytest

from anabranch import serving
from anabranch.comm import SimulatedCommunicator, SimulatedWorld
from anabranch.config import Config, ParallelOptions
from anabranch.progress import Silence
from anabranch.server.probe import Finding
from anabranch.serving import with_server


class Heard(Silence):
    """What was said, line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(
    ("works", "server", "workers", "said"),
    [
        (True, "window", 3, "parameters in windows of the workers: it was quick"),
        (False, "ranks:1", 2, "parameters in the care of rank 0: it was quick"),
    ],
)
def test_the_trial_decides(works: bool, server: str, workers: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "probe", lambda _: Finding(works, "it was quick"))
    heard = Heard()
    config = Config(parallel=ParallelOptions(strategy="downpour", workers=3))

    def program(comm: SimulatedCommunicator) -> tuple[str, int]:
        made = with_server(config, comm, heard).parallel
        return made.server, made.workers

    assert SimulatedWorld(3).run(program) == [(server, workers)] * 3
    assert heard.lines == [said] * 3


@pytest.mark.parametrize(("strategy", "server"), [("downpour", "window"), ("averaging", "auto")])
def test_what_is_named_or_needs_none_is_not_tried(strategy: str, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "probe", lambda _: pytest.fail("it was tried"))
    config = Config(parallel=ParallelOptions(strategy=strategy, workers=2, server=server))
    assert SimulatedWorld(2).run(lambda comm: with_server(config, comm, Heard())) == [config] * 2

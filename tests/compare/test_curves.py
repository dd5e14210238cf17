"""Times and errors of a run, from what its cell has left."""

import pytest

from anabranch.compare.curves import Run, read_run
from anabranch.experiments.cell import Outcome

RUN = Run((1.0, 2.0, 3.0), (0.5, 0.2, 0.3), 3, 3.5, 0.1)


def test_the_first_time_at_a_target() -> None:
    assert RUN.seconds_to(0.5) == 1
    assert RUN.seconds_to(0.2) == 2
    assert RUN.seconds_to(0.1) == 3.5  # what the run ends in counts, and not its last epoch
    assert RUN.seconds_to(0.05) is None


def test_the_error_at_a_time() -> None:
    assert RUN.error_at(0.9) is None
    assert RUN.error_at(2.5) == 0.2
    assert RUN.error_at(3.2) == 0.2
    assert RUN.error_at(9) == 0.1


def epoch(task: str, seconds: float, error: float | None = None) -> dict[str, object]:
    line: dict[str, object] = {"task": task, "seconds": seconds, "virtual_clock": 10 * seconds}
    return line if error is None else line | {"test_error": error}


def test_virtual_time_is_the_records_own_clock() -> None:
    row = {"virtual_seconds": 31.0, "test_error": 0.2, "bytes_per_worker": 5.0, "waiting": 0.25, "mean_staleness": 1.5}
    lines = [epoch("layer 1", 1), epoch("fine-tuning", 2, 0.4), epoch("fine-tuning", 3, 0.3)]
    run = read_run(Outcome(9.0, rows=[row], epochs={"4": lines}))
    assert run == Run((20.0, 30.0), (0.4, 0.3), 3, 31.0, 0.2, 5.0, 0.25, 1.5)


def test_real_time_counts_the_tasks_before() -> None:
    tasks = [{"task": "layer 1", "seconds": 5.0}, {"task": "fine-tuning", "seconds": 2.0, "traffic": None}]
    summary = {"tasks": tasks, "seconds": 7.0, "test_error": 0.2}
    lines = [epoch("layer 1", 5), epoch("fine-tuning", 1, 0.4), epoch("fine-tuning", 2, 0.3)]
    assert read_run(Outcome(9.0, summary=summary, epochs={"2": lines})) == Run((6.0, 7.0), (0.4, 0.3), 3, 7.0, 0.2)


def test_a_diverged_run_never_arrives() -> None:
    run = read_run(Outcome(1.0, diverged=True))
    assert run.diverged
    assert run.final == 1
    assert run.seconds_to(1.0) is None
    assert run.error_at(1e9) is None


def test_one_number_of_workers_a_cell() -> None:
    with pytest.raises(ValueError, match="too many"):
        read_run(Outcome(1.0, rows=[{}], epochs={"1": [], "2": []}))

"""What a run in virtual time comes to, by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_charged import stage

from anabranch.comm.ledger import Account
from anabranch.simulate.relative import FINISHED
from anabranch.simulate.rows import learning_row, seconds_to_target, timing_row

ACCOUNTS = [Account(10.0, 6.0, 1.0, 3.0, 100.0), Account(9.0, 4.0, 2.0, 3.0, 300.0)]
TASKS = [
    {"task": "layer 1 (4-6)", "epochs": 3, "virtual_seconds": 6.0, "error": 0.5},
    {"task": "fine-tuning", "epochs": 1, "virtual_seconds": 2.0, "error": 0.1},
]


def test_shares_are_of_all_workers_time() -> None:
    row = timing_row(stage(2), ACCOUNTS, TASKS, FINISHED)
    assert (row["workers"], row["nodes"], row["oversubscribed"]) == (2, 1, False)
    assert row["virtual_seconds"] == 10.0  # of the last
    assert row["seconds_per_epoch"] == 2.0
    assert [row[kind] for kind in ("computing", "waiting", "communicating")] == pytest.approx([10 / 19, 3 / 19, 6 / 19])
    assert row["bytes_per_worker"] == 200.0
    assert row["tasks"][1] == {"task": "fine-tuning", "epochs": 1, "virtual_seconds": 2.0}


def test_servers_are_no_workers() -> None:
    serving = Account(10.0, 0.5, 9.0, 0.5, 900.0)
    row = timing_row(replace(stage(2), servers=1), [serving, *ACCOUNTS], TASKS, FINISHED)
    alone = timing_row(stage(2), ACCOUNTS, TASKS, FINISHED)
    assert row.pop("bytes_per_server") == 900.0
    assert row == alone
    assert "bytes_per_server" not in alone


def test_a_run_that_was_broken_off_has_no_time_of_an_epoch() -> None:
    row = timing_row(stage(2), ACCOUNTS, TASKS, "rank 1 was lost at 9 s")
    assert row["seconds_per_epoch"] is None
    assert row["outcome"] == "rank 1 was lost at 9 s"


def test_nothing_took_no_time() -> None:
    row = timing_row(stage(1), [Account()], [], FINISHED)
    assert [row[key] for key in ("computing", "seconds_per_epoch", "virtual_seconds")] == [None, None, 0.0]


def test_more_workers_than_cores_are_marked() -> None:
    row = timing_row(stage(9), [Account()] * 9, [], FINISHED)
    assert row["oversubscribed"] is True


def test_what_was_learnt() -> None:
    summary = {"test_error": 0.02, "tasks": TASKS, "seconds": 4.5, "weights_sha256": "ab", "strategy": "averaging"}
    summary["measured_on"] = "validation"
    assert learning_row(summary) == {
        "test_error": 0.02,
        "measured_on": "validation",
        "layer_errors": [0.5],
        "epochs": [3, 1],
        "seconds": 4.5,
        "weights_sha256": "ab",
    }


@pytest.mark.parametrize(("target", "seconds"), [(0.5, 2.0), (0.3, 2.0), (0.2, 5.0), (0.05, None)])
def test_the_first_epoch_that_is_good_enough(tmp_path: Path, target: float, seconds: float | None) -> None:
    lines = [
        {"kind": "step", "loss": 0.0},
        {"kind": "epoch", "virtual_clock": 1.0},  # of a layer, without a test error
        {"kind": "epoch", "virtual_clock": 2.0, "test_error": 0.3},
        {"kind": "epoch", "virtual_clock": 4.0, "test_error": 0.4},
        {"kind": "epoch", "virtual_clock": 5.0, "test_error": 0.1},
    ]
    record = tmp_path / "steps.jsonl"
    record.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert seconds_to_target(record, target) == seconds

"""What one run in virtual time comes to: a row of figures, for tables, pictures and `sweep.json`."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anabranch.comm.ledger import KINDS, Account
from anabranch.server.traffic import mean
from anabranch.simulate.relative import FINISHED, Row
from anabranch.simulate.stage import Stage


def timing_row(stage: Stage, accounts: Sequence[Account], tasks: Sequence[dict[str, Any]], outcome: str) -> Row:
    """The figures of time and traffic.

    Args:
        stage: what the run played on.
        accounts: of all ranks.
        tasks: each one's name, epochs and virtual seconds.
        outcome: FINISHED, or what broke the run off.
    """
    working, serving = accounts[stage.servers :], accounts[: stage.servers]
    spent = {kind: sum(getattr(account, kind) for account in working) for kind in KINDS}
    whole = sum(spent.values())
    epochs, seconds = sum(t["epochs"] for t in tasks), sum(t["virtual_seconds"] for t in tasks)
    return {
        "workers": stage.workers,
        "nodes": stage.placement.nodes_used,
        "oversubscribed": stage.placement.oversubscribed,
        "outcome": outcome,
        "virtual_seconds": max(account.clock for account in accounts),
        "seconds_per_epoch": seconds / epochs if epochs and outcome == FINISHED else None,
        **{kind: spent[kind] / whole if whole else None for kind in KINDS},
        "bytes_per_worker": sum(account.sent for account in working) / len(working),
        **({"bytes_per_server": sum(account.sent for account in serving) / len(serving)} if serving else {}),
        "tasks": [{key: task[key] for key in ("task", "epochs", "virtual_seconds")} for task in tasks],
        **_staleness(tasks),
    }


def _staleness(tasks: Sequence[dict[str, Any]]) -> Row:
    """How many pushes were so many versions late, over all tasks; nothing where there were none."""
    ages: Counter[int] = Counter()
    for task in tasks:
        for age, times in task.get("traffic", {}).get("staleness", {}).items():
            ages[int(age)] += times
    if not ages:
        return {}
    return {"staleness": {str(age): ages[age] for age in sorted(ages)}, "mean_staleness": mean(ages)}


def learning_row(summary: dict[str, Any]) -> Row:
    """The figures of what a finished run has learnt."""
    layers = [task for task in summary["tasks"] if task["task"].startswith("layer")]
    return {
        "test_error": summary["test_error"],
        "measured_on": summary["measured_on"],
        "layer_errors": [task["error"] for task in layers],
        "epochs": [task["epochs"] for task in summary["tasks"]],
        "seconds": summary["seconds"],
        "weights_sha256": summary["weights_sha256"],
    }


def seconds_to_target(record: Path, target: float) -> float | None:
    """Virtual seconds until the test error first was `target` (a fraction) or less; None: never."""
    with record.open(encoding="utf-8") as lines:
        for text in lines:
            line = json.loads(text)
            if line["kind"] == "epoch" and line.get("test_error", 1.0) <= target:
                return float(line["virtual_clock"])
    return None

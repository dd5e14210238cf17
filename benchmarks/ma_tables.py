"""Time to 90 % accuracy against workers, on the cluster of Ma 2014: his Tables 1 and 2 beside ours.

His program (Algorithm 4: get, compute, update, put) is our `fetch-put`; `fetch-add`, which loses no update, and others
can be run beside it. Table 1 fixes two nodes and raises the tasks on each; Table 2 fixes two tasks a node and adds
nodes. The mathematics is real, the time is that of the simulated cluster `ccr-2014`. The slides name neither network
nor minibatch nor rate: ours are the defaults below, and epochs end the search for the target, so that times come in
steps of an epoch of fine-tuning. What can be compared are speed-ups, and where the least time lies.

    python benchmarks/ma_tables.py --out results
    python benchmarks/ma_tables.py --strategies fetch-put,fetch-add --workers 4,16,32 --tables 2 -- --batch-size 50
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

MA: dict[str, dict[int, tuple[float, float]]] = {
    "1": {
        4: (1413, 3.1552),
        8: (674, 6.6152),
        12: (405, 11.0152),
        16: (314, 14.2152),
        20: (318, 14.0152),
        24: (342, 13.0152),
        28: (428, 10.4152),
        32: (741, 6.0152),
    },
    "2": {
        4: (1411, 3.1552),
        8: (728, 6.1254),
        12: (438, 10.1854),
        16: (337, 13.2054),
        20: (337, 13.2054),
        24: (365, 12.2054),
        28: (474, 9.4054),
        32: (856, 5.2054),
    },
}
"""Seconds and speed-up against cores: Table 1 (two nodes), Table 2 (two tasks a node)."""

COMMON = ["--cluster", "ccr-2014", "--data", "mnist", "--model", "dbn:784-500", "--shards", "hashed", "--target-error"]
COMMON += ["0.1", "--batch-size", "20", "--finetune-batch-size", "20", "--epochs", "1", "--finetune-epochs", "10"]
COMMON += ["--finetune-learning-rate", "0.3", "--finetune-schedule", "constant", "--threads", "1", "--trace", "0"]
Row = dict[str, Any]


def per_node(table: str, workers: int) -> int:
    """Tasks on a node."""
    return 2 if table == "2" else -(-workers // 2)


def run(strategy: str, table: str, workers: int, more: list[str], folder: Path) -> Row:
    """Time to the target, the epochs of fine-tuning until then, and the last test error."""
    out = folder / f"{strategy}-{table}-{workers}"
    command = [sys.executable, "-m", "anabranch", "simulate", *COMMON, *more, "--strategy", strategy]
    command += ["--workers", str(workers), "--tasks-per-node", str(per_node(table, workers)), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{strategy} with {workers} workers ended with {done.returncode}: {done.stderr}")
    (row,) = json.loads((out / "sweep.json").read_text())
    lines = [json.loads(line) for line in (out / f"workers-{workers}" / "steps.jsonl").read_text().splitlines()]
    errors = [line["test_error"] for line in lines if line["kind"] == "epoch" and "test_error" in line]
    epochs = next((number for number, error in enumerate(errors, 1) if error <= 0.1), None)
    figures = {"strategy": strategy, "table": table, "workers": workers, "seconds": row["seconds_to_target"]}
    return figures | {"epochs": epochs, "errors": errors, "mean_staleness": row.get("mean_staleness")}


def shown(rows: list[Row], alone: dict[str, float | None], table: str, strategy: str) -> Table:
    """One of the two tables for one strategy, theirs beside ours."""
    fixed = "two nodes" if table == "1" else "two tasks a node"
    result = Table(title=f"Table {table} ({fixed}), {strategy}")
    for column in ("cores", "Ma: s", "speed-up", "ours: s", "speed-up", "epochs", "versions late"):
        result.add_column(column, justify="right")
    for row in (row for row in rows if row["table"] == table and row["strategy"] == strategy):
        seconds, base = row["seconds"], alone.get(strategy)
        theirs = MA[table].get(row["workers"])
        cells = [str(row["workers"])]
        cells += [f"{theirs[0]:.0f}", f"{theirs[1]:.2f}"] if theirs else ["", ""]
        cells += [f"{seconds:.1f}" if seconds else f"{100 * row['errors'][-1]:.1f} % left"]
        cells += [f"{base / seconds:.2f}" if seconds and base else "", str(row["epochs"] or "-")]
        cells += ["" if row["mean_staleness"] is None else f"{row['mean_staleness']:.1f}"]
        result.add_row(*cells)
    return result


def main() -> None:
    """Run all, and show and keep what came out; what a folder holds already is not run again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", default="fetch-put")
    parser.add_argument("--tables", default="1,2")
    parser.add_argument("--workers", default=",".join(map(str, MA["1"])))
    parser.add_argument("--out", type=Path, help="folder for ma_tables.json; nothing is kept unless given")
    arguments = sys.argv[1:]
    at = arguments.index("--") if "--" in arguments else len(arguments)
    options, more = parser.parse_args(arguments[:at]), arguments[at + 1 :]
    kept = options.out / "ma_tables.json" if options.out else None
    rows: list[Row] = json.loads(kept.read_text()) if kept and kept.exists() else []
    known = {(row["strategy"], row["table"], row["workers"]) for row in rows}
    with tempfile.TemporaryDirectory(prefix="ma-tables-") as folder:
        for strategy in options.strategies.split(","):
            cells = [("2", 1)] + [(t, int(n)) for t in options.tables.split(",") for n in options.workers.split(",")]
            for table, workers in cells:
                if (strategy, table, workers) in known:
                    continue
                rows.append(run(strategy, table, workers, more, Path(folder)))
                print({key: value for key, value in rows[-1].items() if key != "errors"}, flush=True)
                if kept:
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    kept.write_text(json.dumps(rows, indent=1))
    alone = {row["strategy"]: row["seconds"] for row in rows if row["workers"] == 1}
    for strategy in options.strategies.split(","):
        for table in options.tables.split(","):
            Console(width=100).print(shown([row for row in rows if row["workers"] > 1], alone, table, strategy))


if __name__ == "__main__":
    main()

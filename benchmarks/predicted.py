"""How well `anabranch simulate` foretells the epochs of real MPI runs, on a cluster file that was measured right here.

    anabranch calibrate --out cluster.toml
    python benchmarks/predicted.py --cluster cluster.toml --out results
    python benchmarks/predicted.py --cluster cluster.toml --short

Networks and batch sizes are others than those that calibration measures. Every round has a real run of each network,
batch size, strategy and number of ranks, in turn. A task's epoch takes the median, over the rounds, of the differences
between the epochs' clocks in the run's record; the first epoch of a task does not count. A row is the sum over the
tasks: one epoch of each layer, and one of fine-tuning.

The data are noise in the format of MNIST, for time does not depend on what is learnt; --data mnist takes the real ones.
"""

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anabranch.autodtype import measured_rates
from harness import report

NETWORKS = ("dbn:784-128-64", "dbn:784-500-250", "dbn:784-1000-500")
BATCHES = (50, 200)
STRATEGIES = ("allreduce", "averaging")
RANKS = (1, 2, 4)
TRIES = 3
NOISE = "noise"
EXAMPLES, SHORT_EXAMPLES, WIDTH, CLASSES = 60_000, 2000, 784, 10
COLUMNS = {
    "network": ("network", ""),
    "batch": ("batch", ""),
    "strategy": ("strategy", ""),
    "ranks": ("ranks", ""),
    "measured": ("measured, s", ".3f"),
    "predicted": ("predicted, s", ".3f"),
    "error": ("error", "+.1%"),
}
Times = dict[str, float]
"""Seconds of an epoch by the name of the task."""


@dataclass(frozen=True)
class Run:
    """What is trained, and how; `workers` is a number, or a list for a simulation."""

    network: str
    batch: int
    strategy: str

    def arguments(self, options: argparse.Namespace, workers: str, out: Path) -> list[str]:
        """Of `anabranch train` and `anabranch simulate`."""
        named = {
            "--data": options.data,
            "--model": self.network,
            "--batch-size": str(self.batch),
            "--finetune-batch-size": str(self.batch),
            "--strategy": self.strategy,
            "--workers": workers,
            "--epochs": str(options.epochs),
            "--finetune-epochs": str(options.epochs),
            "--dtype": options.dtype,
            "--threads": "1",
            "--learning-rate": "0.001",
            "--out": str(out),
        }
        return list(itertools.chain.from_iterable(named.items()))


def main() -> int:
    """Run the benchmark; return the exit code."""
    torch.set_num_threads(1)
    options = _options()
    with tempfile.TemporaryDirectory(prefix="predicted-") as scratch:
        folder = Path(scratch)
        if options.data == NOISE:
            options.data = write_noise(folder / "noise.npz", options.examples)
        runs = [Run(*each) for each in itertools.product(options.networks, options.batches, STRATEGIES)]
        foretold = {run: predicted(run, options, folder / f"simulated-{i}") for i, run in enumerate(runs)}
        seen: dict[tuple[Run, int], list[Times]] = defaultdict(list)
        for turn in range(options.rounds):
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr, flush=True)
            for number, (run, ranks) in enumerate(itertools.product(runs, options.ranks)):
                seen[run, ranks].append(measured(run, ranks, options, folder / f"real-{turn}-{number}"))
    rows = [row(run, ranks, seen[run, ranks], foretold[run][ranks]) for run, ranks in seen]
    errors = [abs(each["error"]) for each in rows if isinstance(each["error"], float)]
    verdict = f"error: median {statistics.median(errors):.1%}, worst {max(errors):.1%}"
    machine = report.machine()
    settings = {name: value for name, value in vars(options).items() if name != "out"}
    text = f"{report.machine_line(machine)}\n\n{report.table(rows, COLUMNS)}\n\n{verdict}"
    report.write(options.out, "predicted", {"machine": machine, "settings": settings, "rows": rows}, text)
    return 0


def row(run: Run, ranks: int, rounds: list[Times], foretold: Times) -> dict[str, object]:
    """One line of the table, with its tasks for the JSON file."""
    tasks = {task: statistics.median(times[task] for times in rounds) for task in rounds[0]}
    whole, expected = sum(tasks.values()), sum(foretold[task] for task in tasks)
    return {
        "network": run.network,
        "batch": run.batch,
        "strategy": run.strategy,
        "ranks": ranks,
        "measured": whole,
        "predicted": expected,
        "error": expected / whole - 1,
        "tasks": {task: {"measured": tasks[task], "predicted": foretold[task]} for task in tasks},
        "rounds": rounds,
    }


def measured(run: Run, ranks: int, options: argparse.Namespace, out: Path) -> Times:
    """A real run's epochs."""
    anabranch("train", *run.arguments(options, str(ranks), out), "--world", "mpi")
    clocks: dict[str, list[float]] = defaultdict(list)
    for line in epochs(out / "steps.jsonl"):
        clocks[str(line["task"])].append(float(str(line["seconds"])))
    return {task: statistics.median(b - a for a, b in itertools.pairwise(mine)) for task, mine in clocks.items()}


def predicted(run: Run, options: argparse.Namespace, out: Path) -> dict[int, Times]:
    """A simulation's epochs, by the number of ranks."""
    workers = ",".join(map(str, options.ranks))
    anabranch("simulate", *run.arguments(options, workers, out), "--timing-only", "--cluster", options.cluster)
    rows = json.loads((out / "sweep.json").read_text(encoding="utf-8"))
    return {
        each["workers"]: {task["task"]: task["virtual_seconds"] / task["epochs"] for task in each["tasks"]}
        for each in rows
    }


def epochs(record: Path) -> Iterator[dict[str, object]]:
    """The lines of a record that tell of epochs."""
    for text in record.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line["kind"] == "epoch":
            yield line


def anabranch(*arguments: str) -> None:
    """Run a command. Where it fails, as mpirun may on a busy machine, try again, and stop in the end."""
    for _ in range(TRIES):
        done = subprocess.run(
            [sys.executable, "-m", "anabranch", *arguments], capture_output=True, text=True, check=False
        )
        if not done.returncode:
            return
        shutil.rmtree(arguments[arguments.index("--out") + 1], ignore_errors=True)
    raise SystemExit(f"anabranch {' '.join(arguments)}\n{done.stdout}{done.stderr}")


def write_noise(path: Path, count: int) -> str:
    """Bytes of the size of MNIST's images."""
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (count + 100, WIDTH), dtype=np.uint8)
    labels = np.arange(len(images)) % CLASSES
    train, test = slice(count), slice(count, None)
    np.savez(path, x=images[train], y=labels[train], x_test=images[test], y_test=labels[test])
    return str(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", default="cluster.toml", help="file of anabranch calibrate (default: cluster.toml)")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES))
    parser.add_argument("--ranks", nargs="+", type=int, default=list(RANKS))
    parser.add_argument("--data", default=NOISE, help="as for anabranch train (default: noise)")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help=f"of noise (default: {EXAMPLES})")
    parser.add_argument("--dtype", default=measured_rates().choice)
    parser.add_argument("--epochs", type=int, default=3, help="of each task, at least 2 (default: 3)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder for the results")
    parser.add_argument("--short", action="store_true", help="fewer data, one network, one round: a test of the script")
    options = parser.parse_args()
    if options.short:
        options.networks, options.batches, options.rounds = options.networks[:1], options.batches[:1], 1
        options.ranks, options.examples = options.ranks[:2], SHORT_EXAMPLES
    return options


if __name__ == "__main__":
    sys.exit(main())

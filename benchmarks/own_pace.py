"""Asynchronous strategies on MPI against allreduce, at equal numbers of examples: error, traffic, waiting, staleness.

Runs `anabranch train` on MNIST (or other data) one after another, for each number of ranks: allreduce in the simulated
world, whose bits are those of MPI; then each asynchronous strategy on MPI, with its parameters in windows and, where it
can, served. With `ranks:1` one of the ranks serves, so that one worker less computes.

    python benchmarks/own_pace.py --ranks 2,4 --out results            # the network 784-500-10
    python benchmarks/own_pace.py --ranks 4 --model dbn:784-500-500-2000 --epochs 5
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RATES = {"downpour": "0.3", "downpour adagrad": "0.02", "easgd": "0.1", "fetch-add": "0.3", "hogwild": "0.3"}


@dataclass(frozen=True)
class Contestant:
    """One run: what it is called, its ranks, where its parameters are ("" in step), and its options."""

    name: str
    ranks: int
    server: str
    options: tuple[str, ...]


def contestants(ranks: int, names: list[str]) -> Iterator[Contestant]:
    """Those of one number of ranks."""
    in_step = ("--strategy", "allreduce", "--workers", str(ranks), "--world", "simulated", "--learning-rate", "0.1")
    yield Contestant("allreduce", ranks, "", in_step)
    for name in names:
        strategy, _, rule = name.partition(" ")
        options: tuple[str, ...] = ("--strategy", strategy, "--learning-rate", RATES[name], "--world", "mpi")
        options += ("--optimizer", rule) if rule else ()
        if strategy == "hogwild":
            yield Contestant(name, ranks, "shared", (*options, "--workers", str(ranks)))
            continue
        yield Contestant(name, ranks, "window", (*options, "--workers", str(ranks), "--server", "window"))
        served = (*options, "--workers", str(ranks - 1), "--server", "ranks:1")
        yield Contestant(name, ranks, "ranks:1", served)


def run(one: Contestant, common: list[str], folder: Path) -> dict[str, Any]:
    """The figures of one contestant."""
    out = folder / f"{one.name} {one.ranks} {one.server}".strip().replace(" ", "-").replace(":", "")
    command = [sys.executable, "-m", "anabranch", "train", *common, *one.options, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{one.name} on {one.ranks} ranks ended with {done.returncode}: {done.stderr}")
    summary = json.loads((out / "summary.json").read_text())
    task = summary["tasks"][-1]
    figures = {"name": one.name, "ranks": one.ranks, "server": one.server, "test_error": summary["test_error"]}
    return figures | {"seconds": task["seconds"], "examples": task["examples"], "traffic": task.get("traffic")}


def table(rows: list[dict[str, Any]]) -> Table:
    """For a terminal."""
    result = Table()
    for column in ("strategy", "ranks", "parameters", "test error", "s", "pushes/s", "MB/s", "waiting", "staleness"):
        result.add_column(column, justify="left" if column in ("strategy", "parameters") else "right")
    for row in rows:
        cells = [row["name"], str(row["ranks"]), row["server"], f"{100 * row['test_error']:.2f} %"]
        cells.append(f"{row['seconds']:.1f}")
        if books := row["traffic"]:
            cells += [f"{books['pushes_per_second']:.0f}", f"{books['bytes_per_second'] / 1e6:.0f}"]
            cells += [f"{books['waiting']:.1%}", f"{books['mean_staleness']:.2f}"]
        result.add_row(*cells)
    return result


def main() -> None:
    """Run all, and show and keep what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", default="2,4", help="numbers of ranks")
    parser.add_argument("--strategies", default=",".join(RATES), help="which of: " + ", ".join(RATES))
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--model", default="mlp")
    parser.add_argument("--epochs", default="10")
    parser.add_argument("--batch-size", default="100")
    parser.add_argument("--out", type=Path, help="folder for own_pace.json; nothing is kept unless given")
    options, more = parser.parse_known_args()
    names = options.strategies.split(",")
    if unknown := set(names) - set(RATES):
        parser.error(f"no rate is known for {', '.join(sorted(unknown))}: choose among {', '.join(RATES)}")
    common = ["--data", options.data, "--model", options.model, "--epochs", options.epochs]
    common += ["--batch-size", options.batch_size, "--threads", "1", *more]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="own-pace-") as folder:
        for ranks in map(int, options.ranks.split(",")):
            for one in contestants(ranks, names):
                rows.append(run(one, common, Path(folder)))
                print(f"{one.name}, {ranks} ranks, {one.server}: {100 * rows[-1]['test_error']:.2f} %", flush=True)
                if options.out:
                    options.out.mkdir(parents=True, exist_ok=True)
                    (options.out / "own_pace.json").write_text(json.dumps(rows, indent=1))
    Console(width=120).print(table(rows))


if __name__ == "__main__":
    main()

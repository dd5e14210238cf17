"""How long one epoch of many simulated workers takes this machine, and how much memory (`simulate --timing-only`).

    python benchmarks/simulated_workers.py
    python benchmarks/simulated_workers.py --workers 64,256 --steps 5

Every worker has as many steps whatever their number, for the data grow with the workers; so the time for a worker and
step shows how the simulation grows. One process on one core; a whole process is timed, with its start and its pictures.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WIDTH, BATCH = 16, 4
MODEL = f"mlp:{WIDTH}-2000-500-10"


@dataclass(frozen=True)
class Row:
    """One simulation: seconds and megabytes of this machine, seconds of the cluster's time."""

    strategy: str
    workers: int
    seconds: float
    megabytes: float
    virtual_seconds: float


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="64,256,1024,4096,10000")
    parser.add_argument("--steps", type=int, default=20, help="of each worker in the epoch")
    parser.add_argument("--strategies", default="allreduce,averaging")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("| strategy | workers | seconds | µs for a worker and step | MB | virtual seconds of the epoch |")
    print("|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="simulated-workers-") as scratch:
        for strategy in options.strategies.split(","):
            for workers in map(int, options.workers.split(",")):
                row = simulated(strategy, workers, options.steps, Path(scratch))
                each = row.seconds / workers / options.steps * 1e6
                figures = f"{row.seconds:.1f} | {each:.0f} | {row.megabytes:.0f} | {row.virtual_seconds:.4g}"
                print(f"| {strategy} | {workers:,} | {figures} |", flush=True)
    return 0


def simulated(strategy: str, workers: int, steps: int, folder: Path) -> Row:
    """One epoch, in a process of its own, which inherits this one's single core."""
    examples = workers * steps * BATCH
    np.save(folder / "x.npy", np.zeros((examples, WIDTH), np.uint8))
    np.save(folder / "x.labels.npy", np.arange(examples) % 10)
    out = folder / f"{strategy}-{workers}"
    command = [sys.executable, "-m", "anabranch", "simulate", "--cluster", "infiniband-hdr", "--workers", str(workers)]
    command += ["--data", str(folder / "x.npy"), "--test-fraction", "0.0001", "--model", MODEL, "--epochs", "1"]
    command += ["--batch-size", str(BATCH), "--strategy", strategy, "--timing-only", "--trace", "0"]
    began = time.perf_counter()
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    (figures,) = json.loads((out / "sweep.json").read_text())
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3  # of the largest so far, which is this one
    return Row(strategy, workers, seconds, memory, figures["virtual_seconds"])


if __name__ == "__main__":
    sys.exit(main())

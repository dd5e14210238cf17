"""Kill training runs with SIGKILL at random moments, resume them, and compare them with the run that was not killed.

    python benchmarks/kill_and_resume.py --times 20
    python benchmarks/kill_and_resume.py --times 5 -- --data mnist --model dbn:784-100 --epochs 3 --workers 3

What follows `--` are options of `anabranch train`, in place of a small run on the digits. The moments are drawn from
--seed, uniformly between the start of training and the unbroken run's duration; a resumed run is killed again with
probability --again, within half of the time before. Ends with "20 of 20 agree" and exit code 0, or 1 if a run differs.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

SMALL = ["--data", "digits", "--model", "dbn:64-64-64", "--epochs", "12", "--finetune-epochs", "12", "--workers", "2"]
OFTEN = ["--checkpoint-seconds", "0.2"]
MOST_DRAWS = 10  # a run that has ended before its moment came is done again


@dataclass(frozen=True)
class Row:
    """One run: how often it was killed, how far it was each time, and its hash."""

    moments: list[float]
    reached: list[str]
    sha256: str
    agrees: bool


def main() -> int:
    """Run the benchmark; return the exit code."""
    options, train = _options()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="kill-and-resume-") as scratch:
        folder = Path(options.folder or scratch)
        whole, seconds = unbroken(train, folder / "unbroken")
        print(f"unbroken: {seconds:.1f} s of training, weights {whole['weights_sha256'][:16]}")
        print(f"{'run':>4}  {'weights':<16}  {'same':<4}  killed after … seconds (last checkpoint)")
        agreeing = 0
        for number in range(1, options.times + 1):
            row = broken(train, folder / f"run-{number}", whole, seconds, chance, options.again)
            agreeing += row.agrees
            kills = ", ".join(f"{m:.2f} ({r})" for m, r in zip(row.moments, row.reached, strict=True))
            print(f"{number:>4}  {row.sha256[:16]:<16}  {'yes' if row.agrees else 'NO':<4}  {kills}", flush=True)
    print(f"{agreeing} of {options.times} agree")
    return 0 if agreeing == options.times else 1


def unbroken(train: list[str], folder: Path) -> tuple[dict[str, Any], float]:
    """The summary of a run that nobody kills, and its seconds from the start of training to its results."""
    process = start([*train, "--out", str(folder)])
    await_training(process)
    if process.wait() != 0:
        raise SystemExit("the unbroken run failed: see its message above")
    whole = summary(folder)
    return whole, whole["process_seconds"]


def broken(
    train: list[str], folder: Path, whole: dict[str, Any], seconds: float, chance: random.Random, again: float
) -> Row:
    """A run that is killed at least once, and resumed until it ends."""
    moments: list[float] = []
    reached: list[str] = []
    for draw in range(MOST_DRAWS):
        out = folder.with_name(f"{folder.name}-{draw}")
        arguments, within = [*train, "--out", str(out)], seconds
        while kill_at(arguments, moment := chance.random() * within) and not (out / "summary.json").exists():
            moments.append(moment)
            reached.append(last_checkpoint(out))
            arguments, within = ["--resume", str(out)], within / 2
            if chance.random() >= again:
                subprocess.run(command(arguments), stdout=subprocess.DEVNULL, check=True)
                break
        if moments:
            result = summary(out)
            agrees = result["weights_sha256"] == whole["weights_sha256"]
            return Row(
                moments, reached, result["weights_sha256"], agrees and result["test_error"] == whole["test_error"]
            )
    raise SystemExit(f"{MOST_DRAWS} runs ended before they could be killed: train for longer")


def kill_at(arguments: list[str], moment: float) -> bool:
    """Start a run and kill it so many seconds after its training began; False if it ended before."""
    process = start(arguments)
    began = await_training(process)
    try:
        code = process.wait(timeout=max(0.0, began + moment - time.monotonic()))
    except subprocess.TimeoutExpired:
        kill_tree(process.pid)
        process.wait()
        return True
    if code != 0:
        raise SystemExit("a run failed before it was killed: see its message above")
    return False


def command(arguments: list[str]) -> list[str]:
    """The command line of a run."""
    return [sys.executable, "-m", "anabranch", "train", *arguments]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    """Start a run."""
    return subprocess.Popen(command(arguments), stdout=subprocess.PIPE, text=True)


def await_training(process: subprocess.Popen[str]) -> float:
    """The time at which the run says that its first task begins; what it prints later is thrown away."""
    assert process.stdout is not None
    process.stdout.readline()
    threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()
    return time.monotonic()


def kill_tree(pid: int) -> None:
    """SIGKILL a process and all that it has started: mpirun and its ranks, too."""
    family = [pid]
    for member in family:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            family += [int(child) for child in children.read_text().split()]
    for member in family:
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:  # it has ended with its parent
            continue


def last_checkpoint(folder: Path) -> str:
    """How far the newest checkpoint is."""
    found = sorted(folder.glob("checkpoints/[0-9]*/state.json"))
    if not found:
        return "none"
    running = json.loads(found[-1].read_text())["progress"]["running"]
    return f"{running['task'].split(' (')[0]}, epoch {running['epochs']}"


def summary(folder: Path) -> dict[str, Any]:
    """The results of a finished run."""
    content: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return content


def _drain(stream: IO[str]) -> None:
    for _ in stream:
        pass


def _options() -> tuple[argparse.Namespace, list[str]]:
    own, rest = sys.argv[1:], list[str]()
    if "--" in sys.argv:
        at = sys.argv.index("--")
        own, rest = sys.argv[1:at], sys.argv[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="runs to kill and resume (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--again", type=float, default=0.3, help="probability of one more kill (default: 0.3)")
    parser.add_argument("--folder", help="where the runs are kept; else they are deleted at the end")
    return parser.parse_args(own), [*OFTEN, *(rest or SMALL)]


if __name__ == "__main__":
    sys.exit(main())

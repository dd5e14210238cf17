"""How long a whole deep belief network takes, and how near that is to the time of its matrix products alone.

    python benchmarks/dbn_pretrain.py --out results
    python benchmarks/dbn_pretrain.py --dtype bf16-mixed --epochs 5 --parts pretraining
    python benchmarks/dbn_pretrain.py --cores 1x1 2x1 --rounds 5
    python benchmarks/dbn_pretrain.py --short --data digits --layers 64-32-32

pretraining: `anabranch train` as anybody runs it, with all its files, for --epochs a layer. --cores says how the cores
are used: 1x1 is one process of one thread, 1x2 one process of two threads, 2x1 two MPI workers of one thread each.
Every round has a run of each, and times the five matrix products of a CD-1 step of every layer on one core. The limit
of a run is that time divided by its number of cores; its speed-up is over the first of --cores, in the same round.

finetuning: back-propagation through the network with a softmax layer on top, in both precisions on one core, taking
turns with the loops of its products (one a layer forward, two backward, and one for the lowest layer).
"""

import argparse
import itertools
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anabranch.limit import back_propagation, contrastive_divergence
from harness import report
from harness.contestant import Contestant, Entry, compete, contest, own_cores
from harness.data import write_data
from harness.training import Cores, train
from harness.worker import Settings

PARTS = ("pretraining", "finetuning")
PRECISIONS = ("float32", "bf16-mixed")
WHOLE = "whole network"
SHORT = {"epochs": 1, "rounds": 1, "steps": 4, "gemm_seconds": 0.0}
COLUMNS = {
    "cores": ("cores", ""),
    "task": ("task", ""),
    "seconds": ("seconds", ".2f"),
    "gemm_seconds": ("GEMM alone, one core, seconds", ".2f"),
    "samples_per_second": ("samples/s", ",.0f"),
    "gflop_per_second": ("GFLOP/s", ".1f"),
    "of_limit": ("of the GEMM of its cores", ".2f"),
    "speed_up": ("speed-up", ".2f"),
}


@dataclass(frozen=True)
class Timing:
    """One task of one run.

    Attributes:
        seconds: that it took.
        gemm_seconds: that its matrix products take one core in the same round.
        examples: seen by all workers.
        flop: of its products, in total.
    """

    seconds: float
    gemm_seconds: float
    examples: int
    flop: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = _options(arguments)
    content: dict[str, Any] = {"machine": report.machine(), "settings": _settings(options)}
    texts = [report.machine_line(content["machine"])]
    with tempfile.TemporaryDirectory(prefix="dbn-pretrain-") as scratch:
        if "pretraining" in options.parts:
            content["pretraining"] = rows = pretraining(options, Path(scratch))
            texts += [_pretraining_line(options), report.table(rows, COLUMNS)]
        if "finetuning" in options.parts:
            content["finetuning"] = rows = finetuning(options, Path(scratch))
            texts += [_finetuning_line(options), report.table(rows, report.RATES), report.notes(rows)]
    report.write(options.out, "dbn_pretrain", content, "\n\n".join(text for text in texts if text))
    return 0


def pretraining(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """A row for each way to use the cores and each layer, and for the whole."""
    usable = list(_usable(options.cores))
    rounds: dict[Cores, list[dict[str, Timing]]] = {cores: [] for cores in usable}
    entries = [
        Entry(f"GEMM {pair[0]}-{pair[1]}", "gemm_loop.py", _gemm_settings(options, pair))
        for pair in itertools.pairwise(options.layers)
    ]
    with contest(entries, own_cores(1), folder) as limits:
        for limit in limits:
            limit.warm_up(options.gemm_seconds)
        for number in range(1, options.rounds + 1):
            for limit in limits:
                limit.round()
            for cores in usable:
                summary = train(
                    _train_options(options), cores, folder / f"run-{number}-{cores.workers}x{cores.threads}"
                )
                rounds[cores].append(timings(summary, limits))
                seconds = rounds[cores][-1][WHOLE].seconds
                print(f"round {number} of {options.rounds}, {cores}: {seconds:.2f} s", flush=True)
    return [
        row(cores, task, [each[task] for each in rounds[cores]], [each[task] for each in rounds[usable[0]]])
        for cores in usable
        for task in rounds[cores][0]
    ]


def timings(summary: Mapping[str, Any], limits: Sequence[Contestant]) -> dict[str, Timing]:
    """Of a run's layers, by name, and of all together."""
    found = {}
    for task, limit in zip(summary["tasks"], limits, strict=True):
        seen = task["examples"]
        visible, hidden = limit.entry.settings.sizes
        flop = contrastive_divergence(visible, hidden, k=1).flop * seen
        found[task["task"]] = Timing(task["seconds"], seen / limit.rates[-1], seen, flop)
    parts = list(found.values())
    whole = Timing(
        sum(part.seconds for part in parts),
        sum(part.gemm_seconds for part in parts),
        sum(part.examples for part in parts),
        sum(part.flop for part in parts),
    )
    return found | {WHOLE: whole}


def row(cores: Cores, task: str, rounds: Sequence[Timing], first: Sequence[Timing]) -> dict[str, Any]:
    """The medians over the rounds; `first` are those that the speed-up is over."""
    seconds = statistics.median(each.seconds for each in rounds)
    limit = statistics.median(each.gemm_seconds / each.seconds for each in rounds) / cores.count
    faster = statistics.median(one.seconds / each.seconds for one, each in zip(first, rounds, strict=True))
    return {
        "cores": str(cores),
        "workers": cores.workers,
        "threads": cores.threads,
        "task": task,
        "rounds": [round(each.seconds, 3) for each in rounds],
        "seconds": round(seconds, 3),
        "gemm_seconds": round(statistics.median(each.gemm_seconds for each in rounds), 6),
        "samples_per_second": round(rounds[0].examples / seconds, 1),
        "gflop_per_second": round(rounds[0].flop / seconds / 1e9, 2),
        "of_limit": round(limit, 3),
        "speed_up": round(faster, 3),
    }


def finetuning(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """A row for each precision of the limit, and of ours."""
    files = write_data(options.data, folder, most=options.steps * options.batch_size, width=options.layers[0])
    sizes = (*options.layers, files.classes)
    settings = [
        Settings(
            sizes=sizes,
            examples=files.examples,
            batch_size=options.batch_size,
            precision=precision,
            threads=1,
            data=files.data,
            labels=files.labels,
            learning_rate=0.3,
            dropout=options.dropout,
        )
        for precision in PRECISIONS
    ]
    entries = [Entry(f"GEMM {each.precision}", "gemm_loop.py", each) for each in settings]
    entries += [Entry(f"Anabranch {each.precision}", "anabranch_task.py", each) for each in settings]
    with contest(entries, own_cores(1), folder) as contestants:
        compete(contestants, options.finetuning_rounds, seconds=0.0)
    limits = dict(zip(PRECISIONS, contestants, strict=False))
    flop = back_propagation(sizes).flop
    return [report.rates(c, limits["float32"], limits[c.entry.settings.precision], flop) for c in contestants]


def _gemm_settings(options: argparse.Namespace, pair: tuple[int, int]) -> Settings:
    return Settings(
        sizes=pair,
        examples=10 * options.batch_size,
        batch_size=options.batch_size,
        precision=options.dtype,
        threads=1,
        data="",
    )


def _train_options(options: argparse.Namespace) -> list[str]:
    model = f"dbn:{'-'.join(map(str, options.layers))}"
    given = {
        "--data": options.data,
        "--model": model,
        "--epochs": options.epochs,
        "--batch-size": options.batch_size,
        "--dtype": options.dtype,
        "--finetune-epochs": 0,
    }
    return [str(part) for pair in given.items() for part in pair]


def _usable(asked: Sequence[str]) -> Iterator[Cores]:
    """Those for which there are enough cores."""
    there = report.machine()["cores"]
    for cores in map(Cores.parse, asked):
        if cores.count > there:
            print(f"left out: {cores}: this process may use {there} core(s)", flush=True)
        else:
            yield cores


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return {key: value for key, value in vars(options).items() if key not in ("out", "short")}


def _pretraining_line(options: argparse.Namespace) -> str:
    return (
        f"Pretraining of {'-'.join(map(str, options.layers))} on {options.data}, {options.epochs} epoch(s) a layer, "
        f"minibatches of {options.batch_size} on each worker, {options.dtype}; median of {options.rounds} round(s)."
    )


def _finetuning_line(options: argparse.Namespace) -> str:
    layers = "-".join(map(str, options.layers))
    return (
        f"Back-propagation through {layers} and a softmax layer, dropout {options.dropout}, "
        f"minibatches of {options.batch_size}, one core; median of {options.finetuning_rounds} rounds of "
        f"{options.steps} steps."
    )


def _layers(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split("-"))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", default="mnist", help="as for anabranch train (default: mnist)")
    add("--layers", type=_layers, default=(784, 500, 500, 2000), metavar="SIZES", help="default: 784-500-500-2000")
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: both")
    add("--batch-size", type=int, default=125, help="examples of a step, on each worker (default: 125)")
    add("--epochs", type=int, default=2, help="of pretraining, a layer (default: 2)")
    add("--dtype", choices=PRECISIONS, default="float32", help="of pretraining (default: float32)")
    add("--cores", nargs="+", default=["1x1", "1x2", "2x1"], metavar="WORKERSxTHREADS", help="default: 1x1 1x2 2x1")
    add("--rounds", type=int, default=3, help="of pretraining (default: 3)")
    add("--gemm-seconds", type=float, default=1.0, help="of timing a layer's products in a round (default: 1)")
    add("--steps", type=int, default=100, help="of fine-tuning in a round (default: 100)")
    add("--finetuning-rounds", type=int, default=5, help="default: 5")
    add("--dropout", type=float, default=0.2, help="of fine-tuning (default: 0.2)")
    add("--out", type=Path, metavar="DIR", help="where dbn_pretrain.json and .md are written")
    add("--short", action="store_true", help="one round of few steps: does it work?")
    if parser.parse_args(arguments).short:
        parser.set_defaults(**SHORT)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

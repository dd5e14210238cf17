"""One worker of four computes four times more slowly: what do the others lose by it, with Downpour and with allreduce?

    python benchmarks/stragglers.py --out stragglers.json
    python benchmarks/stragglers.py --worlds simulated

Throughput is the examples that a task has applied over its seconds, from the start of the workers to the end of the
last one. Each strategy is run three times a round: with all workers fast, with the last one slow, and with one worker
alone. The ideal is the sum of the workers' own speeds: with four workers and a factor of 4, 3 + 1/4 times the speed of
one. What a worker's own speed is, is taken in two ways:

- *of the ideal*: a fourth of what all four do when none is slow, by the same strategy. Above 1 where the fast workers
  stand in each other's way less when one of them is slow.
- *of the ideal, alone*: what one worker does alone, by the same strategy. What the workers lose by sharing counts here.

Last, *of the slowest's pace*: of four times the slow one's speed, which workers in step cannot exceed.

**Simulated**: `anabranch simulate --timing-only` on a cluster without chance, all ranks on one node; the slow worker
has a constant factor. **MPI**: this program's own ranks, on synthetic data. There each step of each worker is mostly a
sleep of --pause milliseconds, besides a little computing, so that the ranks do not stretch each other's steps where
there are fewer cores than ranks; the slow one's step, which takes t seconds, sleeps 3 t more. With ranks:1 the server
is a rank besides the workers. Figures are medians of the rounds. The machine should have nothing else to do.

Ends with exit code 0, or 1 if Downpour has 0.75 of the ideal or less somewhere.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.data import Examples, load
from anabranch.launch import find_mpirun, mpirun_command
from anabranch.models import mlp
from anabranch.objectives import BackPropagation, Objective
from anabranch.optim import Rule
from anabranch.seeding import generator
from anabranch.strategies import (
    Allreduce,
    Downpour,
    EpochReport,
    FixedEpochs,
    Hosting,
    Shard,
    Silent,
    Strategy,
    Task,
)
from anabranch.types import Batch
from harness import report

WANTED = 0.75  # of the ideal, by Downpour
WORLDS = ("simulated", "mpi")
CASES = ("alone", "all_fast", "one_slow")
SIZES = (64, 32, 10)
BATCH, RATE = 50, 0.05
LIMIT = 600  # seconds that a run on MPI may take
AS_RANK = "--as-rank"
COLUMNS = {
    "world": ("world", ""),
    "strategy": ("strategy", ""),
    "server": ("parameters", ""),
    "alone": ("one alone, samples/s", ",.0f"),
    "all_fast": ("all fast", ",.0f"),
    "one_slow": ("one slow", ",.0f"),
    "of_ideal": ("of the ideal", ".3f"),
    "of_ideal_alone": ("of the ideal, alone", ".3f"),
    "of_slowest": ("of the slowest's pace", ".3f"),
}


@dataclass(frozen=True)
class Contestant:
    """A strategy, and where its parameters are ("" in step)."""

    strategy: str
    server: str = ""

    @property
    def servers(self) -> int:
        """Ranks that serve; they come before the workers."""
        return Hosting.parse(self.server).servers if self.server else 0

    def built(self) -> Strategy:
        """As an object."""
        rule = Rule("sgd", RATE)
        return Downpour(rule, hosting=Hosting.parse(self.server)) if self.server else Allreduce(rule)


CONTESTANTS = (Contestant("downpour", "window"), Contestant("downpour", "ranks:1"), Contestant("allreduce"))


@dataclass(frozen=True)
class Part:
    """What the ranks of one run on MPI are told: `slow` is the rank of the slow worker, or -1."""

    strategy: str
    server: str
    slow: int
    factor: float
    pause: float
    steps: int

    @property
    def contestant(self) -> Contestant:
        """Whose run it is."""
        return Contestant(self.strategy, self.server)


class Slowed(Objective):
    """`objective`, every gradient of which takes `pause` seconds more, and all that `factor` times as long."""

    def __init__(self, objective: Objective, pause: float, factor: float) -> None:
        self._objective, self._pause, self._factor = objective, pause, factor

    @property
    def weights(self) -> Tensor:
        """[P], the objective's."""
        return self._objective.weights

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        """As the objective's, later."""
        began = time.monotonic()
        result = self._objective.gradient(batch)
        time.sleep(self._pause)
        time.sleep((self._factor - 1) * (time.monotonic() - began))
        return result

    def start_epoch(self, seed: int) -> None:
        """As the objective's."""
        self._objective.start_epoch(seed)

    def state(self) -> dict[str, Tensor]:
        """As the objective's."""
        return self._objective.state()


class Counter(Silent):
    """Counts the examples that a task has applied: those of its epochs, or of its books where it has such."""

    def __init__(self) -> None:
        self.examples, self.traffic = 0, dict[str, Any]()

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch has ended."""
        self.examples += report.examples

    def on_traffic(self, traffic: dict[str, Any]) -> None:
        """The task has ended."""
        self.examples, self.traffic = traffic["examples"]["applied"], traffic


def main() -> int:
    """Run the benchmark; return the exit code."""
    if AS_RANK in sys.argv:
        as_rank(Part(**json.loads(sys.argv[-2])), Path(sys.argv[-1]))
        return 0
    options = _options()
    rows = []
    with tempfile.TemporaryDirectory(prefix="stragglers-") as scratch:
        for world in options.worlds:
            for contestant in CONTESTANTS:
                run = simulated if world == "simulated" else real
                rounds = 1 if world == "simulated" else options.rounds  # the same run twice gives the same
                found = [run(contestant, options, Path(scratch)) for _ in range(rounds)]
                rows.append(row(world, contestant, found, options))
                print(f"{world}: {contestant.strategy} {contestant.server} done", file=sys.stderr, flush=True)
    return show(rows, options)


def row(
    world: str, contestant: Contestant, rounds: list[dict[str, float]], options: argparse.Namespace
) -> dict[str, Any]:
    """A line of the table from each round's samples a second."""
    workers, factor = options.workers, options.factor
    speeds = {case: statistics.median(each[case] for each in rounds) for case in CASES}
    ideal = workers - 1 + 1 / factor  # in workers
    own = speeds["all_fast"] / workers
    return {
        "world": world,
        "strategy": contestant.strategy,
        "server": contestant.server or "in step",
        **speeds,
        "of_ideal": speeds["one_slow"] / (ideal * own),
        "of_ideal_alone": speeds["one_slow"] / (ideal * speeds["alone"]),
        "of_slowest": speeds["one_slow"] / (workers * own / factor),
        "rounds": rounds,
    }


def simulated(contestant: Contestant, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Samples per virtual second of each case."""
    slow = contestant.servers + options.workers - 1
    name = f"{contestant.strategy} {contestant.server}".strip().replace(" ", "-").replace(":", "")
    files = {law: folder / f"{name}-{law}.toml" for law in ("fast", "slow")}
    based = f'based_on = "{options.cluster}"\nseed = 0\nname = "{{}}"\n'
    files["fast"].write_text(based.format("all fast"), encoding="utf-8")
    straggling = f'[[stragglers]]\nlaw = "constant"\nfactor = {options.factor}\nranks = [{slow}]\n'
    files["slow"].write_text(based.format("one slow") + straggling, encoding="utf-8")
    counts = f"1,{options.workers}"
    alone, together = simulate(contestant, options, files["fast"], counts)
    (straggled,) = simulate(contestant, options, files["slow"], str(options.workers))
    return dict(zip(CASES, (alone, together, straggled), strict=True))


def simulate(contestant: Contestant, options: argparse.Namespace, cluster: Path, counts: str) -> list[float]:
    """Samples per virtual second with each number of workers."""
    out, examples = cluster.with_suffix(""), options.epochs * len(load(options.data, seed=0).train)
    command = [sys.executable, "-m", "anabranch", "simulate", "--timing-only", "--cluster", str(cluster)]
    command += ["--workers", counts, "--strategy", contestant.strategy, "--data", options.data]
    command += ["--model", options.model, "--epochs", str(options.epochs), "--finetune-epochs", "0"]
    command += ["--dtype", "float32", "--threads", "1", "--out", str(out)]
    command += ["--server", contestant.server] if contestant.server else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    sweep = json.loads((out / "sweep.json").read_text(encoding="utf-8"))
    return [examples / each["virtual_seconds"] for each in sweep]


def real(contestant: Contestant, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Samples per second of each case, on MPI."""
    slow, pause = contestant.servers + options.workers - 1, options.pause / 1000
    told = {"alone": (1, -1), "all_fast": (options.workers, -1), "one_slow": (options.workers, slow)}
    found = {}
    for case, (workers, rank) in told.items():
        part = Part(contestant.strategy, contestant.server, rank, options.factor, pause, options.steps)
        found[case] = on_mpi(part, workers, folder)
    return found


def on_mpi(part: Part, workers: int, folder: Path) -> float:
    """Samples per second of one run of this program's ranks."""
    servers, result = part.contestant.servers, folder / "result.json"
    result.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="stragglers-") as private:
        command = mpirun_command(find_mpirun(), servers + workers, private, surviving=servers > 0)
        command += [sys.executable, __file__, AS_RANK, json.dumps(asdict(part)), str(result)]
        allowed = {"PRTE_ALLOW_RUN_AS_ROOT": "1", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=LIMIT, env=os.environ | allowed
        )
    if done.returncode or not result.exists():
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    content: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return float(content["examples"] / content["seconds"])


def as_rank(part: Part, result: Path) -> None:
    """Be one rank of a run; the first one writes its figures."""
    from anabranch.comm.mpi import MpiCommunicator  # starts MPI: only where it is wanted

    torch.set_num_threads(1)
    comm = MpiCommunicator.world()
    found = measured(part, comm)
    if comm.rank == 0:
        result.write_text(json.dumps(found), encoding="utf-8")


def measured(part: Part, comm: Communicator) -> dict[str, Any]:
    """Train one epoch of `steps` steps a worker: seconds from the start to the end, and the examples applied."""
    servers = part.contestant.servers
    chance, count = generator(0), part.steps * BATCH * (comm.size - servers)
    source = Examples(torch.rand(count, SIZES[0], generator=chance), torch.randint(SIZES[-1], (count,)))
    shard = Shard.at(source, comm, servers, BATCH, seed=0)
    factor = part.factor if comm.rank == part.slow else 1.0
    objective = Slowed(BackPropagation(mlp(SIZES, generator=generator(1))), part.pause, factor)
    objective.gradient(source.take(torch.arange(BATCH), torch.float32))  # the first one takes longer
    monitor = Counter()
    task = Task(objective, shard, FixedEpochs(1), seed=comm.rank, monitor=monitor)
    comm.barrier()
    began = comm.clock()
    for _ in part.contestant.built().run(task, comm):
        pass
    return {"seconds": comm.clock() - began, "examples": monitor.examples, "traffic": monitor.traffic}


def show(rows: list[dict[str, Any]], options: argparse.Namespace) -> int:
    """Print the table and what it comes to, and keep them if that is wanted; return the exit code."""
    machine = report.machine()
    least = min(row["of_ideal"] for row in rows if row["strategy"] == "downpour")
    print(f"\n{report.machine_line(machine)}\n{options.workers} workers, the last {options.factor:g} times slower\n")
    print(report.table(rows, COLUMNS))
    print(f"\ndownpour: at least {least:.3f} of the ideal; more than {WANTED} is wanted")
    if options.out:
        settings: Mapping[str, Any] = {name: each for name, each in vars(options).items() if name != "out"}
        content = {"machine": machine, "settings": settings, "rows": rows, "least_of_ideal": least}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if least > WANTED else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--workers", type=int, default=4, help="the last of whom is slow (default: 4)")
    parser.add_argument("--factor", type=float, default=4.0, help="by which its steps take longer (default: 4)")
    parser.add_argument("--cluster", default="ethernet-25g", help="a shipped cluster (default: ethernet-25g)")
    parser.add_argument("--data", default="mnist", help="simulated, as for anabranch train (default: mnist)")
    parser.add_argument("--model", default="mlp", help="simulated, as for anabranch train (default: mlp)")
    parser.add_argument("--epochs", type=int, default=4, help="simulated (default: 4)")
    parser.add_argument("--steps", type=int, default=200, help="on MPI: of each worker on average (default: 200)")
    parser.add_argument("--pause", type=float, default=20.0, help="on MPI: milliseconds in each step (default: 20)")
    parser.add_argument("--rounds", type=int, default=3, help="on MPI (default: 3)")
    parser.add_argument("--out", type=Path, help="JSON file of all figures")
    options = parser.parse_args()
    if options.workers < 2 or options.factor < 1 or options.rounds < 1:
        parser.error("there must be two workers or more, one of them slower, and a round: try --workers 4 --factor 4")
    return options


if __name__ == "__main__":
    sys.exit(main())

"""What do the parameter server's two transports cost, window and served, and do they get on while others compute?

    python benchmarks/parameter_server.py --out parameter_server.json
    python benchmarks/parameter_server.py --parts hosts --rig FOLDER

The script starts mpirun itself, on its own ranks; these use what training uses: `OneSided` over windows, `Client` and
`Keeper` over messages. By default there are 1,650,000 float32 parameters (6.6 MB) with one owner: rank 0. Rank 1 is the
worker, and holds the clock. Three parts:

- **progress**: the owner computes matrix products for --seconds, without any call of MPI; meanwhile the worker fetches
  and pushes everything, in turn. Counted is what has begun and ended within that time, by the machine's one clock.
- **transports**: fetches and pushes of 1 parameter and of all, by window and served, next to `memcpy`: `Tensor.copy_`
  of as many bytes by the same worker, in the same rounds. Copies and fetches go from one tensor into several in turn,
  which together exceed the caches; pushes come from these. A ratio is time over memcpy's. GB/s count the bytes once.
  Raw messages, too, by mpi4py's Send and Recv: a word one way and all parameters back, or these and a word back.
- **hosts**: server and worker on two hosts that the scripts of --rig make out of network namespaces (`rig.sh up N`,
  with the rate in RATE, and `rig.sh down`; `rigrun.sh RANKS RANKS-A-HOST OPTIONS -- COMMAND`). As root. Times are
  compared with the wire (the parameters' bits over --mbit) and with raw messages in the same rounds. Then the same
  while the worker computes: *hidden* is (alone + compute alone - both together) over the smaller of the two: 1 where
  one goes on behind the other.

`push` ends when the worker may write its tensor again. That says nothing of the server: `push, applied` also waits for
its answer to a question asked thereafter, which it takes up when it has done the update. A push to a window is applied
when it ends. SGD is torch.optim's, as the server runs it; the other rows add.

A round's figure is the median of its repetitions, a figure in the tables the median of the rounds, and a ratio the
median of the rounds' own ratios. The machine should have nothing else to do.

Ends with exit code 0, or 1 if nothing got finished while the owner computed.
"""

import argparse
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anabranch.comm.base import Communicator, Feature, Request
from anabranch.launch import find_mpirun, mpirun_command
from anabranch.optim import FlatOptimizer, Rule
from anabranch.server.client import Client
from anabranch.server.keeper import Books, Keeper, Shelf, Worker
from anabranch.server.messages import Final
from anabranch.server.onesided import OneSided, opened
from anabranch.server.partition import Partition, partition
from anabranch.server.traffic import Labour
from anabranch.server.transport import Note, Transport
from anabranch.server.update import Add, Descend, Update
from harness import report

PARTS = ("progress", "transports", "hosts")
PARAMETERS = 1_650_000
ITEM = 4  # bytes of a parameter
RING = 16  # tensors that fetches, pushes and copies go round
SMALL_REPEATS = 20  # repetitions with 1 parameter for one with all
STEP = 512  # rows and columns of the matrices whose products are the computing
COMPUTE = 0.1  # seconds of it that stand beside a fetch or a push between hosts
AS_RANK = "--rank-program"
ALLOWED = {"PRTE_ALLOW_RUN_AS_ROOT": "1", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
SERVED: dict[str, Update] = {"served": Add(), "served, SGD": Descend(Rule("sgd", 0.1))}
MEMCPY, FETCH, PUSH, APPLIED, COMPUTING = "memcpy", "fetch", "push", "push, applied", "compute"

PROGRESS_COLUMNS = {
    "operation": ("operation", ""),
    "finished": ("finished while the owner computed", ",d"),
    "first_ms": ("the first after, ms", ",.3f"),
    "median_ms": ("median, ms", ".3f"),
    "worst_ms": ("worst, ms", ".3f"),
}
TRANSPORT_COLUMNS = {
    "transport": ("transport", ""),
    "operation": ("operation", ""),
    "bytes": ("bytes", ",d"),
    "us": ("us", ",.1f"),
    "gb_per_second": ("GB/s", ".3g"),
    "memcpy_us": ("memcpy, us", ",.1f"),
    "of_memcpy": ("times memcpy", ",.2f"),
}
HOSTS_COLUMNS = {
    "transport": ("transport", ""),
    "operation": ("operation", ""),
    "ms": ("ms", ".1f"),
    "of_wire": ("times the wire", ".3f"),
    "of_raw": ("times raw messages", ".3f"),
    "compute_ms": ("compute alone, ms", ".1f"),
    "both_ms": ("both, ms", ".1f"),
    "hidden": ("hidden", ".2f"),
    "note": ("", ""),
}
Round = dict[str, float]
"""Seconds by the name of what took them."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What the ranks of one run are told."""

    part: str
    parameters: int
    seconds: float
    rounds: int
    repeats: int


def main() -> int:
    """Run the benchmark; return the exit code."""
    if AS_RANK in sys.argv:
        as_rank(Job(**json.loads(sys.argv[-2])), Path(sys.argv[-1]))
        return 0
    options = _options()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # not without taking the hosts down
    machine = report.machine()
    print(f"{report.machine_line(machine)}\n{options.parameters:,} parameters, {options.parameters * ITEM:,} bytes")
    settings = {name: value for name, value in vars(options).items() if name not in ("out", "rig")}
    content: dict[str, Any] = {"machine": machine, "settings": settings}
    shown: dict[str, Callable[[argparse.Namespace], dict[str, Any]]]
    shown = {"progress": progress, "transports": transports, "hosts": hosts}
    for part in options.parts:
        content[part] = shown[part](options)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    stuck = [row for row in content.get("progress", {"rows": []})["rows"] if not row["finished"]]
    return 1 if stuck else 0


def job(options: argparse.Namespace, part: str) -> Job:
    """What the ranks of `part` are told."""
    return Job(part, options.parameters, options.seconds, options.rounds, options.repeats)


# Each part: what its ranks found, as a table


def progress(options: argparse.Namespace) -> dict[str, Any]:
    """What got finished while the owner computed."""
    found = on_mpi(job(options, "progress"))
    began, ended = found["owner"]
    rows = [progress_row(operation, found[operation], began, ended) for operation in (FETCH, PUSH)]
    print(f"\nThe owner computed for {ended - began:.3f} s without a call of MPI ({found['products']:,} products):\n")
    print(report.table(rows, PROGRESS_COLUMNS), flush=True)
    return {"owner_seconds": ended - began, "products": found["products"], "rows": rows}


def progress_row(operation: str, spans: list[list[float]], began: float, ended: float) -> Row:
    """One line: of the spans of time that `operation` took, those that the owner's computing holds."""
    within = [(start, stop) for start, stop in spans if began <= start and stop <= ended]
    row: Row = {"operation": operation, "tried": len(spans), "finished": len(within)}
    if not within:
        return row
    took = [1e3 * (stop - start) for start, stop in within]
    first = 1e3 * (within[0][1] - began)
    return row | {"first_ms": first, "median_ms": statistics.median(took), "worst_ms": max(took)}


def transports(options: argparse.Namespace) -> dict[str, Any]:
    """Fetches and pushes against memcpy, first of 1 parameter, then of all."""
    rows: list[Row] = []
    small = replace(job(options, "transports"), parameters=1, repeats=SMALL_REPEATS * options.repeats)
    for each in (small, job(options, "transports")):
        rounds: list[Round] = on_mpi(each)["rounds"]
        rows += [transport_row(name, rounds, ITEM * each.parameters) for name in rounds[0] if name != MEMCPY]
    print("\nOn one machine:\n")
    print(report.table(rows, TRANSPORT_COLUMNS), flush=True)
    return {"rows": rows}


def transport_row(name: str, rounds: list[Round], size: int) -> Row:
    """One line, of what is called TRANSPORT: OPERATION."""
    transport, operation = name.split(": ")
    seconds = median(rounds, name)
    return {
        "transport": transport,
        "operation": operation,
        "bytes": size,
        "us": 1e6 * seconds,
        "gb_per_second": size / seconds / 1e9,
        "memcpy_us": 1e6 * median(rounds, MEMCPY),
        "of_memcpy": statistics.median(each[name] / each[MEMCPY] for each in rounds),
        "rounds": [{name: each[name], MEMCPY: each[MEMCPY]} for each in rounds],
    }


def hosts(options: argparse.Namespace) -> dict[str, Any]:
    """Between two hosts of the rig, against the wire and raw messages."""
    found = on_rig(job(options, "hosts"), options.rig, options.mbit)
    rounds: list[Round] = found["rounds"]
    wire = 8 * ITEM * options.parameters / (1e6 * options.mbit)
    rows = [host_row(transport, name, rounds, wire) for transport in ("raw", "served") for name in (FETCH, PUSH)]
    rows.append(host_row("served", APPLIED, rounds, wire))
    refused = None if found["window"] else f"refused: the ranks provide {', '.join(found['provides'])}"
    rows.append({"transport": "window", "operation": "any", "note": refused or "provided: are these two hosts?"})
    print(f"\nBetween {' and '.join(found['hosts'])}, where the wire takes {1e3 * wire:.1f} ms:\n")
    print(report.table([{"note": ""} | row for row in rows], HOSTS_COLUMNS), flush=True)
    figures = {name: found[name] for name in ("hosts", "provides", "rounds")}
    return {"wire_ms": 1e3 * wire, "rows": rows, **figures}


def host_row(transport: str, operation: str, rounds: list[Round], wire: float) -> Row:
    """One line; with the figures of computing at the same time where there are any."""
    name, raw = f"{transport}: {operation}", f"raw: {operation.partition(',')[0]}"
    seconds = median(rounds, name)
    row: Row = {"transport": transport, "operation": operation, "ms": 1e3 * seconds, "of_wire": seconds / wire}
    row["of_raw"] = statistics.median(each[name] / each[raw] for each in rounds)
    both = f"{name}, computing"
    if both in rounds[0]:
        row |= {"compute_ms": 1e3 * median(rounds, COMPUTING), "both_ms": 1e3 * median(rounds, both)}
        row["hidden"] = statistics.median(hidden(each[name], each[COMPUTING], each[both]) for each in rounds)
    return row


def hidden(alone: float, compute: float, both: float) -> float:
    """How much of the shorter one goes on behind the other one."""
    return (alone + compute - both) / min(alone, compute)


def median(rounds: list[Round], name: str) -> float:
    """Over the rounds."""
    return statistics.median(each[name] for each in rounds)


# Starting the ranks


def on_mpi(what: Job) -> dict[str, Any]:
    """What two ranks on this machine find."""
    with tempfile.TemporaryDirectory(prefix="parameter-server-") as private:
        command = mpirun_command(find_mpirun(), 2, private)
        return run(what, command, os.environ | ALLOWED, Path(private))


def on_rig(what: Job, rig: Path, mbit: int) -> dict[str, Any]:
    """What two ranks on two hosts of the rig find."""
    with tempfile.TemporaryDirectory(prefix="parameter-server-") as private:
        path = f"{Path(find_mpirun()).parent}:{os.environ.get('PATH', '')}"
        environment = os.environ | ALLOWED | {"PATH": path, "RATE": f"{mbit}mbit", "RIG_DIR": private}
        settings = {
            "mpi_yield_when_idle": "1",
            "btl_sm_backing_directory": private,
            "osc_sm_backing_directory": private,
        }
        command = [str(rig / "rigrun.sh"), "2", "1"]
        command += itertools.chain.from_iterable(("--mca", name, value) for name, value in settings.items())
        with two_hosts(rig / "rig.sh", environment):
            return run(what, [*command, "--"], environment, Path(private))


@contextmanager
def two_hosts(script: Path, environment: dict[str, str]) -> Iterator[None]:
    """The rig's hosts, for a while."""
    there = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
    if there:  # somebody else's: the rig's end would end them
        raise SystemExit(f"there are network namespaces already ({', '.join(there[:3])}, …): take them down first")
    try:
        subprocess.run([str(script), "up", "2"], env=environment, check=True)
        yield
    finally:
        subprocess.run([str(script), "down"], env=environment, check=True)


def run(what: Job, command: Sequence[str], environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """Run this script's ranks with `command`, and read what they have found."""
    print(f"{what.part}, {what.parameters:,} parameters …", file=sys.stderr, flush=True)
    result = folder / "result.json"
    # With mpi4py's own way to run a script one rank's failure ends the other one, too.
    program = [sys.executable, "-m", "mpi4py", __file__, AS_RANK, json.dumps(asdict(what)), str(result)]
    limit = 120 + 4 * what.seconds + 5 * what.rounds * what.repeats
    done = subprocess.run(
        [*command, *program], capture_output=True, text=True, check=False, timeout=limit, env=environment
    )
    if done.returncode or not result.exists():
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


# The ranks


def as_rank(what: Job, result: Path) -> None:
    """Be one rank of a run; the first one writes what both have found."""
    from anabranch.comm.mpi import MpiCommunicator  # starts MPI: only where it is wanted

    torch.set_num_threads(1)
    comm = MpiCommunicator.world()
    measured = {"progress": watch_progress, "transports": time_transports, "hosts": time_hosts}
    records = comm.gather(measured[what.part](what, comm))
    if records is not None:
        both: dict[str, Any] = {}
        for record in records:
            assert isinstance(record, dict)
            both |= record
        result.write_text(json.dumps(both), encoding="utf-8")


def watch_progress(what: Job, comm: Communicator) -> dict[str, Any]:
    """When the owner computed, and from when to when each fetch and push of the other rank lasted."""
    with window(what, comm) as way:
        ring, product = Ring(what.parameters), product_of_matrices()
        comm.barrier()
        found = compute_for(what.seconds, product) if comm.rank == 0 else use_for(what.seconds, way, ring)
        comm.barrier()
    return found


def compute_for(seconds: float, product: Callable[[], object]) -> dict[str, Any]:
    """As the owner: products, and from when to when there were any."""
    began, products = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        product()
        products += 1
    return {"owner": [began, time.monotonic()], "products": products}


def use_for(seconds: float, way: Transport, ring: "Ring") -> dict[str, Any]:
    """As the worker: from when to when each fetch and push lasted."""
    spans: dict[str, Any] = {FETCH: [], PUSH: []}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        spans[FETCH].append(span(lambda: way.start_fetch(ring.next(), 0)))
        spans[PUSH].append(span(lambda: way.start_push(ring.next(), [0], Note(1))))
    return spans


def span(start: Callable[[], Request]) -> tuple[float, float]:
    """From when to when an operation lasted. All processes of a machine have one monotonic clock."""
    began = time.monotonic()
    start().wait()
    return began, time.monotonic()


def time_transports(what: Job, comm: Communicator) -> dict[str, Any]:
    """The rounds of the worker; the other rank owns the window, and serves."""
    rounds = []
    with window(what, comm) as way:
        ring, source = Ring(what.parameters), torch.full((what.parameters,), 1e-3)
        for _ in range(what.rounds):
            found = raw_messages(what, comm.rank, ring)
            shelves = [shelf(what, update) for update in SERVED.values() if comm.rank == 0]
            comm.barrier()
            if comm.rank == 0:
                for each in shelves:
                    serve(comm, each, shards(what))
                continue
            found[MEMCPY] = repeated(what, lambda: ring.next().copy_(source))
            found |= timed("window", way, ring, what)
            for name in SERVED:
                client = Client(comm, shards(what))
                found |= timed(name, client, ring, what)
                client.farewell(Labour(), ring.next())
            rounds.append(found)
    return {"rounds": rounds} if comm.rank == 1 else {}


def time_hosts(what: Job, comm: Communicator) -> dict[str, Any]:
    """The rounds of the worker; and where the ranks are."""
    names = comm.gather(socket.gethostname())
    ring, rounds = Ring(what.parameters), []
    product, count = product_of_matrices(), 0
    if comm.rank == 1:
        count = max(1, round(COMPUTE / min(took(product) for _ in range(50))))

    def compute() -> None:
        for _ in range(count):
            product()

    for _ in range(what.rounds):
        held = shelf(what, Add()) if comm.rank == 0 else None
        found = raw_messages(what, comm.rank, ring)
        comm.barrier()
        if held is not None:
            serve(comm, held, shards(what))
            continue
        client = Client(comm, shards(what))
        found |= timed("served", client, ring, what)
        found |= beside(client, ring, what, compute)
        client.farewell(Labour(), ring.next())
        rounds.append(found)
    if comm.rank == 1:
        return {"rounds": rounds}
    provides = sorted(feature.name.lower() for feature in comm.provides)
    return {"hosts": names, "provides": provides, "window": Feature.WINDOW in comm.provides}


def timed(name: str, way: Transport, ring: "Ring", what: Job) -> Round:
    """Fetches and pushes by `way`, one at a time."""
    found = {f"{name}: {FETCH}": repeated(what, lambda: way.start_fetch(ring.next(), 0).wait())}
    pushes, applied = [], []
    for _ in range(what.repeats):
        x = ring.next()
        began = time.perf_counter()
        way.start_push(x, [0], Note(1)).wait()
        pushes.append(time.perf_counter() - began)
        if isinstance(way, Client):
            way.roster(1)
            applied.append(time.perf_counter() - began)
    found[f"{name}: {PUSH}"] = statistics.median(pushes)
    if applied:
        found[f"{name}: {APPLIED}"] = statistics.median(applied)
    return found


def beside(client: Client, ring: "Ring", what: Job, compute: Callable[[], None]) -> Round:
    """Computing alone, and with a fetch or a push under way."""

    def fetch() -> None:
        under_way = client.start_fetch(ring.next(), 0)
        compute()
        under_way.wait()

    def push() -> None:
        under_way = client.start_push(ring.next(), [0], Note(1))
        compute()
        under_way.wait()
        client.roster(1)

    return {
        COMPUTING: repeated(what, compute),
        f"served: {FETCH}, computing": repeated(what, fetch),
        f"served: {APPLIED}, computing": repeated(what, push),
    }


def raw_messages(what: Job, rank: int, ring: "Ring") -> Round:
    """MPI's own: a word and then all parameters back, as in a fetch; all parameters and then a word, as in a push."""
    from anabranch.comm.mpi_buffers import buffer
    from anabranch.comm.mpi_library import MPI

    world, other, word = MPI.COMM_WORLD, 1 - rank, buffer(torch.zeros(1))

    def exchange(mine: Any, theirs: Any) -> None:
        if rank == 1:
            world.Send(mine, other)
        world.Recv(theirs, other)
        if rank == 0:
            world.Send(mine, other)

    def fetch() -> None:
        large = buffer(ring.next())
        exchange(*((word, large) if rank == 1 else (large, word)))

    def push() -> None:
        large = buffer(ring.next())
        exchange(*((large, word) if rank == 1 else (word, large)))

    return {f"raw: {FETCH}": repeated(what, fetch), f"raw: {PUSH}": repeated(what, push)}


# What they do it with


class Ring:
    """Tensors of [parameters], given out in turn."""

    def __init__(self, parameters: int) -> None:
        tensors = [torch.full((parameters,), 1e-3) for _ in range(RING)]
        self._turn = itertools.cycle(tensors)

    def next(self) -> Tensor:
        """The one that was used the longest time ago."""
        return next(self._turn)


def shards(what: Job) -> Partition:
    """One shard, of rank 0."""
    return partition(what.parameters, 1, "contiguous")


@contextmanager
def window(what: Job, comm: Communicator) -> Iterator[OneSided]:
    """All parameters in a window of rank 0."""
    weights = torch.zeros(what.parameters)
    with opened(comm, shards(what), Add(), weights, None, total=1, limit=1, books=(0, 0.0)) as way:
        yield way


def shelf(what: Job, update: Update) -> Shelf:
    """All parameters, to be served."""
    weights = torch.zeros(what.parameters)
    return Shelf(shards(what).of(0), weights, update, optimizer)


def optimizer(update: Descend, part: Tensor) -> FlatOptimizer:
    """Of a served update rule."""
    return update.rule.build(part)


def serve(comm: Communicator, held: Shelf, pieces: Partition) -> None:
    """Serve rank 1 until it has said farewell."""
    workers = {1: Worker(0)}
    keeper = Keeper(comm, pieces, held, workers, 1, Books(), lambda _: None, lambda _: None)
    for _ in keeper.serve():
        pass
    keeper.dismiss(Final(stop=0, epochs=0), [])


def product_of_matrices() -> Callable[[], object]:
    """Something to compute."""
    a, out = torch.rand(STEP, STEP), torch.empty(STEP, STEP)
    return lambda: torch.mm(a, a, out=out)


def repeated(what: Job, action: Callable[[], object]) -> float:
    """Median seconds of `action`."""
    return statistics.median(took(action) for _ in range(what.repeats))


def took(action: Callable[[], object]) -> float:
    """Seconds of `action`."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="progress,transports", help="which of: " + ",".join(PARTS))
    parser.add_argument("--rig", type=Path, help="hosts: folder with rig.sh and rigrun.sh")
    parser.add_argument("--mbit", type=int, default=1000, help="hosts: per second, of each wire (default: 1000)")
    parser.add_argument("--parameters", type=int, default=PARAMETERS, help=f"of float32 (default: {PARAMETERS})")
    parser.add_argument("--seconds", type=float, default=3.0, help="progress: the owner's computing (default: 3)")
    parser.add_argument("--rounds", type=int, default=5, help="transports and hosts (default: 5)")
    parser.add_argument("--repeats", type=int, default=10, help="of each in a round (default: 10)")
    parser.add_argument("--out", type=Path, help="JSON file of all figures")
    options = parser.parse_args()
    options.parts = [part for part in PARTS if part in options.parts.split(",")] if _known(options.parts) else []
    if not options.parts:
        parser.error(f"--parts takes some of {','.join(PARTS)}")
    if min(options.parameters, options.rounds, options.repeats, options.mbit) < 1 or options.seconds <= 0:
        parser.error("there must be a parameter, a round, a repetition, a rate and some time")
    if "hosts" in options.parts and (options.rig is None or os.geteuid() != 0):
        parser.error("the part hosts needs --rig, a folder with rig.sh and rigrun.sh, and must run as root")
    return options


def _known(parts: str) -> bool:
    return set(parts.split(",")) <= set(PARTS)


if __name__ == "__main__":
    sys.exit(main())

"""The runs of Ma 2014: strategies and their options, cores, and the command of each cell."""

from collections.abc import Mapping
from dataclasses import dataclass

from anabranch.experiments.cell import Cell

CORES = (4, 8, 12, 16, 20, 24, 28, 32)
OTHER_CORES = (8, 16, 20, 24, 32)
CONTROL_CORES = (8, 16, 32)
SHARED_CORES = (1, 2, *CORES)
NODES, TASKS = "two nodes", "two tasks a node"

TARGET = 0.1  # the error that is left at 90 %
MEASURED_EPOCHS = 3
NETWORK: tuple[str, ...] = ("--data", "mnist", "--model", "dbn:784-500", "--batch-size", "20", "--threads", "1")
CLUSTER = ("--cluster", "ccr-2014", "--trace", "0")
LEARNING: tuple[str, ...] = ("--target-error", str(TARGET), "--epochs", "1", "--finetune-batch-size", "20")
LEARNING += ("--finetune-schedule", "constant", "--checkpoint-seconds", "60")
HASHED, RATE = ("--shards", "hashed"), ("--finetune-learning-rate", "0.3")
PLAIN, MOMENTUM = (("--momentum", number, "--finetune-momentum", number) for number in ("0", "0.9"))


@dataclass(frozen=True)
class Method:
    """A strategy with its options.

    Attributes:
        name: in tables and pictures.
        strategy: in the catalogue.
        options: beside those that all have.
        passes: epochs of fine-tuning, with which a run ends, up to so many cores: one or two more than trials took.
        cores: of the full experiment.
        quick_cores: of the quick one.
    """

    name: str
    strategy: str
    options: tuple[str, ...]
    passes: Mapping[str, Mapping[int, int]]
    cores: tuple[int, ...] = OTHER_CORES
    quick_cores: tuple[int, ...] = (16, 32)


PUT_PASSES = {NODES: {4: 2, 12: 3, 16: 4, 28: 6, 32: 9}, TASKS: {4: 2, 8: 3, 12: 4, 20: 5, 24: 6, 32: 10}}
MA = Method("fetch-put", "fetch-put", (*HASHED, *RATE), PUT_PASSES, CORES, (4, 16, 32))
EASGD = ("easgd", (*HASHED, "--every", "10", *RATE))
OTHERS = (
    Method("allreduce, momentum 0.9", "allreduce", (*RATE, *MOMENTUM), {TASKS: {32: 2}}),
    Method("allreduce", "allreduce", (*RATE, *PLAIN), {TASKS: {8: 2, 16: 3, 20: 4, 24: 5, 32: 6}}),
    Method("easgd, every 10, momentum 0.9", EASGD[0], (*EASGD[1], *MOMENTUM), {TASKS: {32: 2}}),
    Method("easgd, every 10", EASGD[0], (*EASGD[1], *PLAIN), {TASKS: {8: 3, 16: 5, 32: 8}}, CONTROL_CORES),
    Method("fetch-put, momentum 0.9", "fetch-put", (*HASHED, *RATE, *MOMENTUM), {TASKS: {16: 3, 32: 4}}, CONTROL_CORES),
)
"""Without momentum on Ma's terms; with it all have the same, too. The one that is the fastest in trials comes first."""


def learning(method: Method, fixed: str, cores: int) -> Cell:
    """Until 90 %, on so many cores, with two nodes or with two tasks on each."""
    nodes = 2 if fixed == NODES else -(-cores // 2)
    name = f"{method.name.replace(', ', '-').replace(' ', '-')}-{cores}-on-{nodes}"
    where = (*CLUSTER, "--workers", str(cores), "--tasks-per-node", str(-(-cores // nodes)))
    passes = next(passes for most, passes in method.passes[fixed].items() if cores <= most)
    what = ("--strategy", method.strategy, *method.options, "--finetune-epochs", str(passes))
    return Cell(name, ("simulate", *where, *NETWORK, *LEARNING, *what), 1 + passes)


def shared() -> Cell:
    """An epoch divided over 1 to 32 cores, without the mathematics."""
    counts = ",".join(map(str, SHARED_CORES))
    where = (*CLUSTER, "--workers", counts, "--tasks-per-node", "2", "--timing-only")
    what = ("--strategy", MA.strategy, *HASHED, "--epochs", "1", "--finetune-epochs", "0")
    return Cell("iterations-simulated", ("simulate", *where, *NETWORK, *what), 4)


def measured(workers: int) -> Cell:
    """Some epochs of the same, on this machine."""
    where = ("--world", "mpi" if workers > 1 else "single", "--workers", str(workers))
    what = ("--strategy", MA.strategy, *HASHED, "--epochs", str(MEASURED_EPOCHS), "--finetune-epochs", "0")
    return Cell(f"iterations-measured-{workers}", ("train", *where, *NETWORK, *what), 2, alone=True)


def cores(method: Method, fixed: str, quick: bool) -> tuple[int, ...]:
    """The numbers of a table's rows, and of a curve's points."""
    if not quick:
        return method.cores
    return method.quick_cores if fixed == TASKS else (method.quick_cores[0], method.quick_cores[-1])


def others(quick: bool) -> tuple[Method, ...]:
    """What is run beside Ma's algorithm; in the quick form the fastest, with its momentum and without."""
    return OTHERS[:2] if quick else OTHERS

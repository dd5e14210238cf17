"""`anabranch calibrate`: this machine's computing and its MPI, measured and written as a cluster file."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import torch
import tyro

from anabranch.autodtype import measured_rates
from anabranch.calibrate.alone import while_others_rest
from anabranch.calibrate.assemble import Computing, cluster
from anabranch.calibrate.findings import Findings
from anabranch.calibrate.fit import fit
from anabranch.calibrate.links import add_bandwidth
from anabranch.calibrate.program import COARSE, THOROUGH, Say, Thoroughness, computing, talking
from anabranch.calibrate.report import about, sentences
from anabranch.cli.finished import check_named
from anabranch.cluster import load_cluster, to_toml
from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.comm.text import share_text
from anabranch.errors import UsageError
from anabranch.files import make_writable_folder, write_text
from anabranch.launch import NOTHING_KEPT, cores, find_mpirun, own_rank, run_mpirun, started_ranks
from anabranch.objectives import Precision
from anabranch.progress import Silence, make_display
from anabranch.session import make_ready

DESCRIPTION = """\
Measure how fast this machine trains and how fast its ranks talk, and write that as a cluster file for
`anabranch simulate --cluster FILE.toml`. It takes two minutes; nothing else should run meanwhile.

  anabranch calibrate                          this machine: one process, then 2 ranks, then more ranks than cores
  anabranch calibrate --quick                  coarser, in some seconds
  mpirun -n 8 anabranch calibrate              the ranks that mpirun or srun started, on one node or several
"""
IDLE = 0.5  # load average up to which a machine counts as idle
LIKE = "laptop"  # whose links are taken where there is no MPI


@dataclass(frozen=True)
class CalibrateArguments:
    """All options of `anabranch calibrate`."""

    out: Annotated[str, tyro.conf.arg(metavar="FILE.toml")] = "cluster.toml"
    """The file to write."""
    overwrite: bool = False
    """Replace the file if it exists."""
    ranks: Annotated[str | None, tyro.conf.arg(metavar="LIST")] = None
    """Numbers of MPI ranks to measure; 2 and twice the cores unless given, with --quick 2. Not under mpirun or srun."""
    name: str | None = None
    """Of the cluster, in tables; the file's name unless given."""
    quick: bool = False
    """Measure coarsely, in some seconds."""
    findings: Annotated[str | None, tyro.conf.arg(metavar="FILE.json")] = None
    """Write only what these ranks take to talk: for the command that has started them."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    options = tyro.cli(
        CalibrateArguments,
        args=arguments,
        prog="anabranch calibrate",
        description=DESCRIPTION,
        console_outputs=own_rank() == 0,
    )
    counts = _checked(options)
    torch.set_num_threads(1)
    how = COARSE if options.quick else THOROUGH
    if started_ranks():
        from anabranch.comm import mpi_world  # starts MPI: only where it is wanted

        return _as_rank(options, how, mpi_world.join(started_ranks()))
    return _alone(options, how, counts)


def _checked(options: CalibrateArguments) -> list[int]:
    """The numbers of ranks to start.

    Raises:
        UsageError: they cannot be, or the file cannot be written.
    """
    path, started = Path(options.out), started_ranks()
    check_named("--out", path)
    if options.findings is not None and not started:
        raise UsageError("--findings is for ranks that were started: leave it out, or start them with mpirun or srun.")
    if path.suffix != ".toml":
        raise UsageError(f"a cluster file ends in .toml, which {path} does not: use --out {path.with_suffix('.toml')}.")
    if started and options.ranks is not None:
        raise UsageError(f"{started} ranks were started, and these are measured: leave --ranks out.")
    if options.findings is None and path.exists() and not options.overwrite:
        raise UsageError(f"{path} exists: use --overwrite to replace it, or another --out.")
    counts = _counts(options)
    make_writable_folder(path.parent)
    return counts


def _counts(options: CalibrateArguments) -> list[int]:
    if options.ranks is None:
        return [2] if options.quick or cores() < 2 else [2, 2 * cores()]
    parts = [part.strip() for part in options.ranks.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 1 for part in parts):
        raise UsageError(
            f"'{options.ranks}' is no list of numbers of ranks: write numbers of 2 or more with commas, as in 2,4."
        )
    return sorted({int(part) for part in parts})


def _alone(options: CalibrateArguments, how: Thoroughness, counts: Sequence[int]) -> int:
    """Compute here, and have mpirun start the ranks that talk."""
    say = make_display().say
    if (load := os.getloadavg()[0]) > IDLE:
        say(f"the load of this machine is {load:.1f}: what else runs now makes the figures worse")
    if options.ranks is not None:
        find_mpirun()  # refuses now, not when computing was measured
    elif not _has_mpi():
        counts = []
    computed = SimulatedWorld(1).run(lambda comm: _compute(how, comm, say))[0]
    found = []
    with tempfile.TemporaryDirectory(prefix="anabranch-") as folder:
        for ranks in counts:
            path = Path(folder) / f"{ranks}.json"
            say(f"starting {ranks} ranks …")
            quick = ["--quick"] * options.quick
            code = run_mpirun(ranks, ["calibrate", "--findings", str(path), *quick], at_once=NOTHING_KEPT)
            if code:
                return code
            found.append(Findings.read(path))
    _conclude(options, computed, found, say)
    return 0


def _as_rank(options: CalibrateArguments, how: Thoroughness, comm: Communicator) -> int:
    """Measure as one of the ranks that mpirun or srun has started."""
    say: Say = make_display().say if comm.rank == 0 else _silent
    computed = None
    if options.findings is None:
        computed = while_others_rest(comm, [0], lambda: _compute(how, comm, say))
    precision: Precision = "bf16-mixed" if share_text(comm, measured_rates().choice) == "bf16-mixed" else "float32"
    make_ready(precision, make_display() if comm.rank == 0 else Silence())
    found = talking(how, precision, comm, say)
    if found and options.findings is not None:
        found.write(Path(options.findings))
    if found and computed:
        _conclude(options, computed, [found], say)
    return 0


def _compute(how: Thoroughness, comm: Communicator, say: Say) -> Computing:
    """What this process finds out by itself."""
    precisions: list[Precision] = ["float32"]
    if measured_rates().choice == "bf16-mixed":
        precisions.append("bf16-mixed")
    for precision in precisions:
        make_ready(precision, make_display())
    rows = computing(how, precisions, comm, say)
    return Computing(fit(rows), add_bandwidth(), cores())


def _has_mpi() -> bool:
    try:
        find_mpirun()
    except UsageError:
        return False
    return True


def _conclude(options: CalibrateArguments, computed: Computing, found: Sequence[Findings], say: Say) -> None:
    """Write the file, and say what is in it."""
    path, like = Path(options.out), load_cluster(LIKE)
    text = about(computed.fit, found, like, date.today())
    write_text(path, to_toml(cluster(options.name or path.stem, text, computed, found, like)))
    for line in sentences(computed, found, like, path):
        say(line)


def _silent(_line: str) -> None:
    """Only the first rank speaks."""

"""`anabranch simulate`: one training on several numbers of simulated workers, as a table."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from anabranch.cli.options import as_config, parse
from anabranch.cli.train import fitted, load_data, prepare, train_here, with_dtype
from anabranch.config import Config
from anabranch.errors import Interrupted, UsageError
from anabranch.files import make_folder, write_json
from anabranch.launch import cores, started_ranks
from anabranch.progress import counted, make_display
from anabranch.runfolder import RunFolder, default_path, saved_config
from anabranch.simulate.sweep import parse_counts, sweep, table, with_workers

COUNTS = "1,2,4,8"
DESCRIPTION = f"""\
Train on several numbers of simulated workers, one after another, and print the error against the workers.
--workers is a list here ({COUNTS} unless given); all other options are those of `anabranch train`.
Started again with the same --out, it leaves out the finished runs and resumes the broken one.

  anabranch simulate --workers 1,2,4,8
  anabranch simulate --workers 1,2,4,8,16,20,40 --data mnist --preset degrazia --epochs 5 --finetune-epochs 5
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    if started_ranks():
        raise UsageError("anabranch simulate is one process: start it without mpirun or srun.")
    counts, rest = _take_counts(arguments)
    options = parse(rest, "anabranch simulate", DESCRIPTION)
    if options.resume is not None:
        raise UsageError("anabranch simulate resumes by itself: start it again with the same --out.")
    config = as_config(options)
    if config.parallel.world not in ("auto", "simulated"):
        raise UsageError(f"anabranch simulate has no --world {config.parallel.world}: leave --world out.")
    dataset, display = load_data(config), make_display()
    folder = Path(config.run.out or default_path(config))
    config = _with_earlier_dtype(config, folder)
    for workers in counts:  # the last count must not be refused hours after the first
        one = fitted(with_workers(config, workers, ""), dataset, cores(), display)
        config = with_dtype(config, one.training.dtype)  # decided once: the runs of a sweep must not differ in it
    make_folder(folder)
    rows = sweep(counts, lambda workers: _run(with_workers(config, workers, str(folder / f"workers-{workers}"))))
    write_json(folder / "sweep.json", rows)
    console = Console()
    console.print(table(rows))
    console.print(f"results in {folder}:", soft_wrap=True, highlight=False, markup=False)
    console.print("  sweep.json, and a run's folder for each number of workers")
    return 0


def _run(config: Config) -> dict[str, Any]:
    folder = RunFolder(Path(config.run.out or ""))
    resume = folder.config.exists()
    display = make_display()
    config, dataset, folder = prepare(config, display, cores=cores(), resume=resume)
    if resume:
        folder.check_same(config)
    finished = folder.finished_summary() if resume else None
    if finished:
        display.say(f"{counted(config.parallel.workers, 'simulated worker')}: finished before")
    try:
        return finished or train_here(config, dataset, folder, display)
    except Interrupted as error:
        where = str(error).rstrip(".")
        raise Interrupted(
            error.exit_code - 128,
            f"{where} on {counted(config.parallel.workers, 'worker')}: go on with the same command and "
            f"--out {folder.path.parent}",
        ) from error


def _with_earlier_dtype(config: Config, folder: Path) -> Config:
    """`config` with the dtype that was decided when the sweep in `folder` began, if it was left to the machine."""
    runs = [RunFolder(path.parent) for path in sorted(folder.glob("workers-*/config.toml"))]
    if config.training.dtype != "auto" or not runs:
        return config
    return with_dtype(config, saved_config(runs[0]).training.dtype)


def _take_counts(arguments: Sequence[str]) -> tuple[list[int], list[str]]:
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--workers", default=COUNTS)
    try:
        known, rest = first.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise UsageError(f"--workers wants a list of worker counts, such as {COUNTS}.") from error
    return parse_counts(known.workers), rest

"""One number of workers of `anabranch simulate`: a run with the mathematics in a folder of its own, or its time."""

import dataclasses
import json
import signal
from dataclasses import dataclass
from pathlib import Path

from anabranch.checkpoint import load_world
from anabranch.cli.train import first_result, prepare, train_here
from anabranch.comm.ledger import Ledger
from anabranch.config import Config
from anabranch.data import Dataset
from anabranch.errors import CheckpointError, Interrupted, PeerLost
from anabranch.files import write_json
from anabranch.launch import cores
from anabranch.objectives.base import weight_dtype
from anabranch.progress import make_display
from anabranch.runfolder import RunFolder
from anabranch.simulate.relative import FINISHED, Row
from anabranch.simulate.rows import learning_row, seconds_to_target, timing_row
from anabranch.simulate.stage import Stage
from anabranch.simulate.timing import Timing, timed_tasks
from anabranch.wording import counted

SPANS = 200_000  # of a time line: more than a viewer draws, and some tens of megabytes


@dataclass(frozen=True)
class Outcome:
    """The figures of one number of workers, and its books where it ran now and was to be traced."""

    row: Row
    ledger: Ledger | None


def time_alone(config: Config, dataset: Dataset, stage: Stage, *, traced: bool) -> Outcome:
    """Run without the mathematics.

    Raises:
        UsageError: when a task ends depends on what it learns.
    """
    display, examples = make_display(), len(dataset.train)
    display.say(f"{counted(stage.workers, 'simulated worker')}, timing only")
    tasks = timed_tasks(config, examples, stage.loads)
    dtype = weight_dtype(config.training.precision)
    timing = Timing(tasks, examples, config.training.seed, dtype, stage, display)
    world = stage.world(spans=SPANS if traced else 0)
    try:
        done, outcome = first_result(world.run(timing.run)), FINISHED
    except PeerLost as lost:
        done, outcome = [], _broken_off(lost, world.ledger)
    except KeyboardInterrupt as error:
        raise Interrupted(signal.SIGINT, "stopped; a run for its time alone keeps nothing: start it again.") from error
    finally:
        display.close()
    return Outcome(timing_row(stage, world.ledger.accounts(), done, outcome), world.ledger if traced else None)


def learn(
    config: Config, dataset: Dataset, stage: Stage, folder: Path, *, traced: bool, target: float | None
) -> Outcome:
    """Run with the mathematics in `folder`, or go on there, or read what was finished there.

    Raises:
        Interrupted: a signal came; a checkpoint was written.
        AnabranchError: as `Trainer.run`; but not when a rank is lost, which is a result.
    """
    place, result = RunFolder(folder), folder / "simulation.json"
    config = dataclasses.replace(config, run=dataclasses.replace(config.run, out=str(folder)))
    display = make_display()
    resume = place.config.exists()
    config, dataset, place = prepare(config, display, cores=cores(), resume=resume)
    if resume:
        place.check_same(config)
    if result.exists():
        display.say(f"{counted(stage.workers, 'simulated worker')}: finished before")
        return Outcome(_saved(result), None)
    start = load_world(place.checkpoints) if resume else []
    if start and traced:
        display.say("no time line: this run goes on, and what was before is not known")
        traced = False
    world = stage.world(spans=SPANS if traced else 0, start=start)
    try:
        summary = train_here(config, dataset, place, display, world, staged=stage.staged, watched=target is not None)
        row = timing_row(stage, world.ledger.accounts(), summary["tasks"], FINISHED) | learning_row(summary)
    except PeerLost as lost:
        row = timing_row(stage, world.ledger.accounts(), [], _broken_off(lost, world.ledger))
    except Interrupted as error:
        where = str(error).rstrip(".")
        raise Interrupted(
            error.exit_code - 128,
            f"{where} on {counted(stage.workers, 'worker')}: go on with the same command and --out {folder.parent}",
        ) from error
    if target is not None:
        row["seconds_to_target"] = seconds_to_target(place.steps, target)
    write_json(result, row)
    return Outcome(row, world.ledger if traced else None)


def _broken_off(lost: PeerLost, ledger: Ledger) -> str:
    names = ", ".join(str(rank) for rank in sorted(lost.ranks))
    at = max(account.clock for account in ledger.accounts())
    return f"rank {names} was lost at {at:.6g} s"


def _saved(path: Path) -> Row:
    try:
        row: Row = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read: delete its folder to run that number of workers anew."
        ) from error
    return row

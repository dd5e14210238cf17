"""`anabranch simulate`: one training on several numbers of simulated workers, in the virtual time of a cluster."""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import tomli_w
from rich.console import Console

from anabranch.cli.options import SimulateArguments, as_config, parse
from anabranch.cli.pages import write_page
from anabranch.cli.study import Outcome, learn, time_alone
from anabranch.cluster import Cluster, load_cluster, to_toml
from anabranch.comm.ledger import Ledger
from anabranch.config import Config, tables
from anabranch.data import Dataset
from anabranch.environment import environment
from anabranch.errors import UsageError
from anabranch.files import make_folder, write_json, write_text
from anabranch.launch import cores, started_ranks
from anabranch.progress import make_display
from anabranch.report.wanted import wanted
from anabranch.runfolder import RunFolder, default_path, saved_config
from anabranch.session import fitted, load_data, with_dtype
from anabranch.simulate.pictures import draw_sweep, draw_timeline
from anabranch.simulate.plan import make_stage
from anabranch.simulate.relative import Row, relative
from anabranch.simulate.stage import Stage
from anabranch.simulate.sweep import learning_table, parse_counts, traced_count, with_workers
from anabranch.simulate.table import timing_table
from anabranch.simulate.timing import timed_tasks
from anabranch.simulate.trace import write_trace
from anabranch.wording import counted

COUNTS = "1,2,4,8"
DESCRIPTION = f"""\
Train on several numbers of simulated workers, one after another, in the virtual time of a cluster: what an epoch takes,
what the workers spend it on, and the error against the workers. --workers is a list here ({COUNTS} unless given); all
other options are those of `anabranch train`, and the cluster's.
Started again with the same --out, it leaves out the finished runs and resumes the broken one.

  anabranch simulate --workers 1,2,4,8
  anabranch simulate --cluster ethernet-1g --workers 1,2,4,8,16 --strategy allreduce --target-error 0.1
  anabranch simulate --cluster infiniband-hdr --workers 64,256,1024,4096 --data mnist --timing-only
  anabranch simulate --cluster my-cluster.toml --workers 1,2,4 --data mnist --preset degrazia --epochs 5
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    if started_ranks():
        raise UsageError("anabranch simulate is one process: start it without mpirun or srun.")
    counts, rest = take_counts(arguments)
    options = parse(rest, "anabranch simulate", DESCRIPTION, SimulateArguments)
    config = _checked(options)
    cluster, traced = load_cluster(options.cluster), traced_count(counts, options.trace)
    dataset, folder = load_data(config), Path(config.run.out or default_path(config))
    RunFolder(folder).check_no_run()
    if options.target_error is not None and not dataset.classes:
        raise UsageError(f"--target-error wants labels, but {dataset.name} has none: leave it out.")
    stages = _stages(_with_earlier_dtype(config, folder), counts, dataset, cluster, options)
    make_folder(folder)
    _keep(folder, options, cluster)
    if options.timing_only:
        _forget_time_line(folder)
    _keep_for_the_report(folder, config)
    rows: list[Row] = []
    for (one, stage), workers in zip(stages, counts, strict=True):
        outcome = _run(one, dataset, stage, options, folder, traced=workers == traced)
        rows.append(outcome.row)
        write_json(folder / "sweep.json", relative(rows))
        if outcome.ledger:
            _draw_time_line(outcome.ledger, stage, folder)
    _conclude(relative(rows), options, cluster, folder)
    return 0


def _checked(options: SimulateArguments) -> Config:
    if options.resume is not None:
        raise UsageError("anabranch simulate resumes by itself: start it again with the same --out.")
    config, target = as_config(options), options.target_error
    if config.parallel.world not in ("auto", "simulated"):
        raise UsageError(f"anabranch simulate has no --world {config.parallel.world}: leave --world out.")
    if target is not None and not 0 < target < 1:
        raise UsageError(f"--target-error is a fraction between 0 and 1, not {target}: write 0.05 for 5 %.")
    if target is not None and options.timing_only:
        raise UsageError("timing alone knows no errors: leave out --target-error, or --timing-only.")
    return config


def _stages(
    config: Config, counts: Sequence[int], dataset: Dataset, cluster: Cluster, options: SimulateArguments
) -> list[tuple[Config, Stage]]:
    """Everything resolved and checked: the last count must not be refused hours after the first."""
    stages = []
    for workers in counts:
        one = fitted(with_workers(config, workers, ""), dataset, cores(), make_display())
        config = with_dtype(config, one.training.dtype)  # decided once: the runs of a sweep must not differ in it
        stage = make_stage(one, dataset, cluster, options.tasks_per_node)
        if options.timing_only:
            timed_tasks(one, len(dataset.train), stage.loads)
        stages.append((with_dtype(with_workers(config, workers, ""), one.training.dtype), stage))
    return stages


def _run(
    config: Config, dataset: Dataset, stage: Stage, options: SimulateArguments, folder: Path, *, traced: bool
) -> Outcome:
    if options.timing_only:
        return time_alone(fitted(config, dataset, cores(), make_display()), dataset, stage, traced=traced)
    own = folder / f"workers-{stage.workers}"
    return learn(config, dataset, stage, own, traced=traced, target=options.target_error)


def _keep(folder: Path, options: SimulateArguments, cluster: Cluster) -> None:
    """Note what the virtual time depends on; a sweep that goes on must have the same.

    Raises:
        UsageError: it has another cluster, or other options, or is of another kind.
    """
    learning = any(folder.glob("workers-*/config.toml"))
    if learning and options.timing_only:
        raise UsageError(f"{folder} holds runs with the mathematics: give --timing-only another --out.")
    content = {"cluster.toml": to_toml(cluster)}
    content["simulation.json"] = json.dumps(
        {"tasks_per_node": options.tasks_per_node, "target_error": options.target_error}
    )
    for name, text in content.items():
        path = folder / name
        if learning and (not path.exists() or path.read_text(encoding="utf-8") != text):
            raise UsageError(
                f"the sweep in {folder} has another cluster, --tasks-per-node or --target-error (see {path}): "
                "give the same, or another --out."
            )
        write_text(path, text)


def _keep_for_the_report(folder: Path, config: Config) -> None:
    """What a sweep without the mathematics would else not tell: it has no runs with their own files."""
    write_text(folder / "options.toml", tomli_w.dumps(tables(config)))
    if not (folder / "environment.json").exists():
        write_json(folder / "environment.json", environment())


def _draw_time_line(ledger: Ledger, stage: Stage, folder: Path) -> None:
    title = f"{counted(stage.workers, 'worker')} on {stage.cluster.name}"
    path, place = folder / "trace.json", stage.placement
    write_trace(path, ledger.spans, stage.ranks, place.node, stage.cluster.name, ledger.cut)
    draw_timeline(ledger.spans, stage.ranks, title, folder / "timeline", ledger.cut)


def _forget_time_line(folder: Path) -> None:
    """That of an earlier sweep, which may have had other options: a sweep of time alone begins anew."""
    for name in ("trace.json", "timeline.png", "timeline.svg"):
        (folder / name).unlink(missing_ok=True)


def _conclude(rows: Sequence[Row], options: SimulateArguments, cluster: Cluster, folder: Path) -> None:
    strategy = options.parallel.strategy
    title = f"{strategy} on {cluster.name}"
    if wanted():
        draw_sweep(rows, title, folder / "sweep")
    console = Console()
    console.print(timing_table(rows, title, options.target_error))
    learnt = [row for row in rows if "weights_sha256" in row]
    if learnt:
        console.print(learning_table(learnt))
    console.print(f"results in {folder}:", soft_wrap=True, highlight=False, markup=False)
    console.print(f"  sweep.json, {'sweep.png, ' * wanted()}cluster.toml", highlight=False)
    if (folder / "trace.json").exists():
        console.print("  timeline.png, trace.json (open it in ui.perfetto.dev)", highlight=False)
    if not options.timing_only:
        console.print("  and a run's folder for each number of workers")
    write_page(folder, partial(console.print, soft_wrap=True, highlight=False, markup=False))


def _with_earlier_dtype(config: Config, folder: Path) -> Config:
    """`config` with the dtype that was decided when the sweep in `folder` began, if it was left to the machine."""
    runs = [RunFolder(path.parent) for path in sorted(folder.glob("workers-*/config.toml"))]
    if config.training.dtype != "auto" or not runs:
        return config
    return with_dtype(config, saved_config(runs[0]).training.dtype)


def take_counts(arguments: Sequence[str]) -> tuple[list[int], list[str]]:
    """The numbers of workers that `arguments` ask for, and the rest of them.

    Raises:
        UsageError: what stands there is no list of counts.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--workers", default=COUNTS)
    try:
        known, rest = first.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise UsageError(f"--workers wants a list of worker counts, such as {COUNTS}.") from error
    return parse_counts(known.workers), rest

"""`anabranch compare`: several strategies on one network and one data set, on equal terms."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from anabranch.autodtype import decided
from anabranch.cli.options import Arguments, SimulateArguments, as_config, parse
from anabranch.cli.pages import write_page
from anabranch.cluster import load_cluster
from anabranch.cluster.tables import tables
from anabranch.compare.cells import tuning_cell
from anabranch.compare.ranking import answer
from anabranch.compare.study import Runs, Study, compare
from anabranch.compare.tables import Sheet, all_sheets
from anabranch.compare.terms import Equal, Terms, contenders
from anabranch.compare.words import check_own, shared_words
from anabranch.compare.writing import notes, write
from anabranch.config import Config
from anabranch.data import Dataset
from anabranch.errors import CheckpointError, Interrupted, UsageError
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.course import Course
from anabranch.experiments.runner import Runner
from anabranch.files import make_folder, write_json
from anabranch.launch import cores, find_mpirun, started_ranks
from anabranch.progress import make_display
from anabranch.runfolder import RunFolder
from anabranch.session import fitted, load_data, with_dtype
from anabranch.signals import StopFlag
from anabranch.wording import counted

TERMS = "terms.json"
STRATEGIES = "allreduce,averaging,downpour,easgd"
WORKERS = 4
DESCRIPTION = f"""\
Which strategy is best for this network, these data and this cluster? Each trains the same network from the same weights
on the same data; learning rates are tried on a part of the training examples ({5} for each unless --budget says
otherwise), then every strategy, and one process alone, runs with several seeds. The answer names the first, says which
differences are beyond the noise, and whether to distribute at all. --epochs, --model and all other options are those of
`anabranch train`; a strategy may have some of its own. Started again with the same --out, it goes on where it was.

  anabranch compare
  anabranch compare --strategies allreduce,averaging,downpour,easgd --workers 8 --data mnist --cluster ethernet-1g
  anabranch compare --strategies "averaging --every 16,averaging --every 64,bmuf" --workers 16 --tasks-per-node 4
  anabranch compare --world mpi --workers 2 --strategies allreduce,averaging --target-error 0.05
"""


@dataclasses.dataclass(frozen=True)
class CompareArguments(Arguments):
    """All options of `anabranch compare`: its own, and those of `anabranch train`."""

    strategies: Annotated[str, tyro.conf.arg(metavar="NAMES")] = STRATEGIES
    """Which, with commas between; each may have options of its own: "averaging --every 16,bmuf"."""
    cluster: Annotated[str, tyro.conf.arg(metavar="NAME|FILE.toml")] = "ethernet-25g"
    """Where they run, in virtual time: as in `anabranch simulate`."""
    tasks_per_node: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Workers on each node; as many as it has cores unless given."""
    seeds: int = 5
    """Runs of each strategy, with seeds 0, 1, 2 ..."""
    budget: int = 5
    """Learning rates that each strategy may try, around --learning-rate."""
    equal: Equal = "examples"
    """examples: all see as many. time: all have as long as one process needs for --epochs."""
    target_error: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """The race's goal (0.05 is 5 %); a tenth above what one process ends in unless given."""
    jobs: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Simulated runs at the same time, each on one core; as many as this process may use unless given."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    if started_ranks():
        raise UsageError("anabranch compare starts MPI by itself: start it without mpirun or srun.")
    options = parse(arguments, "anabranch compare", DESCRIPTION, CompareArguments, _usual())
    folder, jobs, console = Path(options.run.out or "comparison"), options.jobs or cores(), Console()
    terms = _terms(options, folder)
    _keep(terms, folder)
    _announce(terms, options, console)
    try:
        with StopFlag().listening(announce=False) as flag:
            study = compare(terms, options.target_error, _runs(folder / "cells", jobs, console, flag))
    except Interrupted as error:
        sentence = f"stopped; finished runs are kept: go on with the same command and --out {folder}"
        raise Interrupted(error.exit_code - 128, sentence) from error
    write(study, folder)
    _show(study, folder, console)
    return 0


def _usual() -> Config:
    """Defaults that end in minutes where those of `train` would take hours, times all strategies, rates and seeds."""
    config = Config()
    return dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, validation_fraction=0.1),
        model=dataclasses.replace(config.model, model="mlp"),
        parallel=dataclasses.replace(config.parallel, workers=WORKERS, world="simulated", threads=1),
        training=dataclasses.replace(config.training, epochs=10),
    )


def _terms(options: CompareArguments, folder: Path) -> Terms:
    """The terms of the comparison, checked.

    Raises:
        UsageError: an option is wrong, or another comparison is in `folder`.
    """
    _check(options)
    config, world = as_config(options), options.parallel.world
    asked = config.training.dtype
    precision = (_dtype_before(folder) if asked == "auto" else None) or decided(asked, print)
    terms = Terms(
        contenders=contenders(options.strategies, options.parallel.workers),
        world="mpi" if world == "mpi" else "simulated",
        place=() if world == "mpi" else _place(options),
        options=shared_words(with_dtype(config, precision)),
        epochs=config.training.epochs,
        rate=config.training.learning_rate,
        budget=options.budget,
        validation=config.data.validation_fraction,
        seeds=options.seeds,
        equal=options.equal,
        finetuning=config.finetuning.finetune_epochs if config.model.model.startswith("dbn") else None,
        cluster={} if world == "mpi" else tables(load_cluster(options.cluster)),
    )
    _check_contenders(terms, load_data(config))
    return terms


def _check(options: CompareArguments) -> None:
    world, target = options.parallel.world, options.target_error
    if options.resume is not None:
        raise UsageError("anabranch compare resumes by itself: start it again with the same --out.")
    if options.jobs is not None and options.jobs < 1:
        raise UsageError(f"--jobs must be 1 or more, not {options.jobs}.")
    if target is not None and not 0 < target < 1:
        raise UsageError(f"--target-error is a fraction between 0 and 1, not {target}: write 0.05 for 5 %.")
    if world not in ("simulated", "mpi"):
        raise UsageError(f"anabranch compare has no --world {world}: simulated or mpi.")
    usual = _usual()
    if options.parallel.strategy != usual.parallel.strategy:
        raise UsageError(f"anabranch compare has no --strategy: write --strategies {options.parallel.strategy},….")
    if options.training.seed != usual.training.seed:
        raise UsageError("anabranch compare has no --seed: --seeds says how many each strategy has, from 0 on.")
    if options.training.stop != "epochs":
        raise UsageError("anabranch compare gives all the same number of epochs: leave --stop out.")
    if options.parallel.workers < 2:
        raise UsageError(f"nothing is distributed on {options.parallel.workers} worker: give --workers 2 or more.")
    if options.model.model.startswith("dbn") and not options.finetuning.finetune_epochs:
        raise UsageError("no labels are learnt with --finetune-epochs 0, and errors are compared: give 1 or more.")
    if world == "mpi":
        if (options.cluster, options.tasks_per_node) != (CompareArguments.cluster, CompareArguments.tasks_per_node):
            raise UsageError(
                "real processes run where they are: leave --cluster and --tasks-per-node out, or --world mpi."
            )
        find_mpirun()


def _check_contenders(terms: Terms, dataset: Dataset) -> None:
    """What is wrong with a strategy's own options must not come out after hours."""
    if not dataset.classes:
        raise UsageError(f"errors are compared, but {dataset.name} has no labels: give data with labels.")
    for contender in terms.contenders:
        check_own(contender.options, contender.name)
        first, *rest = tuning_cell(terms, contender, terms.rate).arguments
        kind = SimulateArguments if first == "simulate" else Arguments
        fitted(as_config(parse(rest, f"anabranch {first}", "", kind)), dataset, 1, make_display())


def _dtype_before(folder: Path) -> str | None:
    """What an earlier start of this comparison has decided about --dtype auto."""
    before = _terms_before(folder)
    if before is None:
        return None
    words: list[str] = before["options"]
    return words[words.index("--dtype") + 1] if "--dtype" in words else Config().training.dtype


def _keep(terms: Terms, folder: Path) -> None:
    """Note the terms: whoever goes on must have the same.

    Raises:
        UsageError: the folder has others.
    """
    RunFolder(folder).check_no_run()
    make_folder(folder)
    content: dict[str, object] = json.loads(json.dumps(terms.as_data()))
    before = _terms_before(folder) or content
    if changed := [name for name, value in content.items() if before.get(name) != value]:
        raise UsageError(
            f"{folder} holds a comparison with other {', '.join(changed)}: give the same options, or another --out."
        )
    write_json(folder / TERMS, content)


def _terms_before(folder: Path) -> dict[str, Any] | None:
    """What an earlier start of this comparison has noted.

    Raises:
        CheckpointError: it cannot be read.
    """
    path = folder / TERMS
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        list(content["options"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} cannot be read: give another --out, or delete {folder}.") from error
    return content


def _place(options: CompareArguments) -> tuple[str, ...]:
    load_cluster(options.cluster)  # refuses an unknown one
    spread = () if options.tasks_per_node is None else ("--tasks-per-node", str(options.tasks_per_node))
    return ("--cluster", options.cluster, *spread)


def _runs(folder: Path, jobs: int, console: Console, flag: StopFlag) -> Runs:
    def run(cells: Sequence[Cell]) -> Mapping[str, Outcome]:
        return Runner(folder, jobs, Course(console), flag).run(cells)

    return run


def _announce(terms: Terms, options: CompareArguments, console: Console) -> None:
    names = ", ".join(one.name for one in terms.contenders)
    runs = len(terms.contenders) * (terms.budget + terms.seeds)
    each = f"{counted(terms.budget, 'learning rate')} and {counted(terms.seeds, 'seed')}"
    _say(console, f"{names}: up to {each} each, {runs} runs at most")
    if terms.world == "simulated":
        cluster = load_cluster(options.cluster)
        if options.tasks_per_node is None and cluster.nodes.cores >= options.parallel.workers:
            _say(
                console,
                f"all {options.parallel.workers} workers fit on one node of {cluster.name}, whose network is then not "
                "used: --tasks-per-node 1 spreads them",
            )


def _show(study: Study, folder: Path, console: Console) -> None:
    for sheet in all_sheets(study):
        console.print(_for_terminal(sheet))
    for note in notes(study):
        _say(console, note)
    console.print(Text(answer(study.places, study.target, study.equal_seconds), style="bold"), soft_wrap=True)
    _say(console, f"results in {folder}:\n  comparison.md, comparison.json, curves.png, cells/")
    write_page(folder, partial(_say, console))


def _for_terminal(sheet: Sheet) -> Table:
    table = Table(title=Text(sheet.title), title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for at, head in enumerate(sheet.heads):
        table.add_column(head, justify="right" if at else "left")
    for row in sheet.rows:
        table.add_row(*map(Text, row))
    return table


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)

"""The page of one run."""

from anabranch.report.asynchrony import asynchrony_section
from anabranch.report.charts import shown
from anabranch.report.layers import layers_section
from anabranch.report.learning import learning_section
from anabranch.report.mistakes import mistakes_section
from anabranch.report.page import Page, Section, Tile
from anabranch.report.records import Json, Run
from anabranch.report.setup import setup_section
from anabranch.report.spending import time_section
from anabranch.wording import counted, seconds_text


def run_page(run: Run) -> Page:
    """The page of a run, however far it got."""
    found: list[Section | None] = [
        learning_section([run]),
        time_section(run),
        asynchrony_section(run),
        mistakes_section(run),
        layers_section(run),
        setup_section(run.config, run.environment),
    ]
    sections = tuple(section for section in found if section)
    headline = verdict(run)
    return Page("Run", f"{headline} · {run.name}", headline, lede(run), tiles(run), sections)


def verdict(run: Run) -> str:
    """What came out, in a few words."""
    summary = run.summary
    if summary is None:
        return f"Not finished: {counted(len(run.epochs), 'epoch')} so far"
    if summary["test_error"] is not None:
        return f"{100 * summary['test_error']:.2f} % test error"
    last = summary["tasks"][-1]
    return f"{last['quantity'].capitalize()} {shown(last['error'])}"


def lede(run: Run) -> str:
    """What was done, in a sentence."""
    options, summary = run.config["parallel"], run.summary
    servers = summary["servers"] if summary else 0
    with_servers = f" and {counted(servers, 'server')}" if servers else ""
    every = f", every {options['every']} steps" if options.get("every") else ""
    workers = counted(summary["workers"] if summary else options["workers"], "worker")
    took = f" in {seconds_text(summary['seconds'])}" if summary else ""
    model, data = run.config["model"]["model"], run.config["data"]["data"]
    return (
        f"{model} learnt {data}{took}, with {options['strategy']}{every} on {workers}{with_servers} "
        f"({WORLDS.get(options['world'], options['world'])})."
    )


WORLDS = {"single": "one process", "simulated": "simulated in one process", "mpi": "processes of MPI"}


def tiles(run: Run) -> tuple[Tile, ...]:
    """The key figures."""
    summary, options = run.summary, run.config["parallel"]
    workers = Tile("Workers", str(summary["workers"] if summary else options["workers"]), options["strategy"])
    if summary is None:
        return (workers, Tile("Epochs so far", str(len(run.epochs))))
    error = [] if summary["test_error"] is None else [_error_tile(run, summary)]
    rate = Tile("Speed", f"{summary['samples_per_second'] or 0:,.0f}", "examples a second")
    threads = counted(summary["threads"], "thread")
    time = Tile("Training time", seconds_text(summary["seconds"]), f"{threads} a process, {summary['dtype']}")
    epochs = " + ".join(str(task["epochs"]) for task in summary["tasks"])
    total = sum(task["epochs"] for task in summary["tasks"])
    return (
        *error,
        time,
        rate,
        workers,
        Tile("Epochs", str(total), f"{epochs} of {counted(len(summary['tasks']), 'task')}"),
    )


def _error_tile(run: Run, summary: Json) -> Tile:
    found = run.evaluation
    note = f"{found['wrong']:,} of {found['examples']:,} wrong" if found and "wrong" in found else ""
    return Tile("Test error", f"{100 * summary['test_error']:.2f} %", note)

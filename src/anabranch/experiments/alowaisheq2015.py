"""Alowaisheq & Dhami 2015, "Distributed neural networks: a parallel approach": Tables 1 and 2, Figures 3 to 5.

Ten random splits of the 5000 digits, 70 % for training; minibatches of 90 % of that; five iterations with a line
search, then the models are averaged (`strategies/sampled_averaging.py`). What the paper leaves open is chosen here, and
what it says but cannot have had is run beside: docs/alowaisheq2015.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.findings import Comparison, Entry, Findings, Line, Panel, Picture, averages
from anabranch.experiments.paper import Plan, Repeats
from anabranch.experiments.partial import Known, whole
from anabranch.objectives import Precision

EPOCHS = (100, 200, 250, 500)
ROUND = 5  # their epochs in one of ours: iterations between two averages
WORKERS = (2, 4, 8)
ACCURACY = {"sequential": (80.67, 86.89, 88.63, 89.9), "parallel": (84.06, 87.28, 86.45, 88.93)}
"""Table 1, per cent."""
SECONDS = {1: (244, 494, 622, 1225), 2: (211, 337, 406, 790), 4: (209, 318, 398, 746), 8: (217, 345, 431, 807)}
"""Table 2, against the number of workers; 1 is the sequential program, on another machine."""

COMMON: tuple[str, ...] = ("--data", "coursera-digits", "--test-fraction", "0.3", "--activation", "sigmoid")
SPLITS = Repeats(10, "splits")
DTYPE: Precision = "float64"
COMMON += ("--outputs", "logistic", "--penalty", "0.6987", "--strategy", "sampled-averaging", "--dtype", DTYPE)
COMMON += ("--threads", "1", "--checkpoint-seconds", "60", "--test-each-epoch")
CLUSTER = ("--cluster", "ethernet-25g", "--trace", "0")


@dataclass(frozen=True)
class Variant:
    """One reading of the paper: what it is called, its network, its initial weights, its line searches."""

    name: str
    hidden: str
    start: str
    directions: str

    @property
    def options(self) -> tuple[str, ...]:
        """On the command line."""
        return ("--model", f"mlp:400-{self.hidden}-10", "--mlp-start", self.start, "--directions", self.directions)


MAIN = Variant("main", "100-32", "glorot", "gradient")
OTHERS = (
    Variant("weights from 0 to 1", "100-32", "unit-interval", "gradient"),
    Variant("weights from 0 to 1, conjugate gradients", "100-32", "unit-interval", "conjugate-gradient"),
    Variant("conjugate gradients", "100-32", "glorot", "conjugate-gradient"),
    Variant("25 hidden units", "25", "glorot", "gradient"),
)


NOTES = (
    "Our data are an 8-bit copy of the original digits, clipped to [0, 1].",
    "The paper does not name its network. Two hidden layers of 100 and 32 units are those of an example that was "
    "published with a program of that kind. It has weights uniform in [0, 1], with which steepest descent stays at "
    "chance here; ours are Glorot's, chosen among four scales by the paper's sequential column.",
    "Workers draw their own minibatches. Had they drawn the same, the parallel figures would be the sequential ones.",
    "Times are multiples, for the paper's sequential program ran on another machine than the parallel one. What is "
    "measured on MPI is compared with one process, what is simulated (ethernet-25g, two nodes) with one simulated "
    "worker.",
)


@dataclass(frozen=True)
class Alowaisheq2015:
    """The experiment."""

    title: str = "Alowaisheq & Dhami 2015, Distributed neural networks: a parallel approach"
    cuts: tuple[str, ...] = (
        "two splits instead of ten",
        "100 and 200 epochs instead of up to 500",
        "2 and 4 workers instead of 2, 4 and 8",
        "one other reading of the paper instead of four",
    )
    repeats: Repeats | None = SPLITS
    fixed_dtype: Precision | None = DTYPE

    def cells(self, plan: Plan) -> list[Cell]:
        """All runs: sequential and parallel on each split, other readings of the paper, and the two that are timed."""
        quick, found = plan.quick, []
        for split in _splits(plan):
            found.append(_alone(MAIN, split, quick))
            found += [_together(workers, split, quick) for workers in _workers(quick)]
            found += [_alone(variant, split, quick) for variant in _others(quick)]
        return found + _timed(quick) if plan.measured else found

    def findings(self, outcomes: Mapping[str, Outcome], plan: Plan) -> Findings:
        """Both tables, and the curves of the three figures."""
        quick = plan.quick
        tables = whole(
            lambda: [self._accuracy(outcomes, plan)],
            lambda: [self._readings(outcomes, plan)],
            lambda: [self._seconds(outcomes, plan)],
        )
        by_name = Known((table.name, table) for table in tables)
        pictures = whole(lambda: [_curves(by_name["Table 1"], quick)], lambda: [_times(by_name["Table 2"], quick)])
        return Findings(tuple(tables), tuple(pictures), NOTES)

    def _accuracy(self, outcomes: Mapping[str, Outcome], plan: Plan) -> Comparison:
        quick, entries = plan.quick, []
        for at, epochs in enumerate(_epochs(quick)):
            alone = _accuracies([outcomes[_alone(MAIN, split, quick).name] for split in _splits(plan)], 1, epochs)
            entries.append(Entry(f"{epochs} epochs", "sequential", ACCURACY["sequential"][at], alone))
            for workers in _workers(quick):
                runs = [outcomes[_together(workers, split, quick).name] for split in _splits(plan)]
                found = _accuracies(runs, workers, epochs)
                entries.append(Entry("", f"parallel ({workers})", ACCURACY["parallel"][at], found, "workers simulated"))
        return Comparison("Table 1", "Accuracy on the held-out 30 %", "%", tuple(entries))

    def _readings(self, outcomes: Mapping[str, Outcome], plan: Plan) -> Comparison:
        quick, entries = plan.quick, []
        for variant in _others(quick):
            runs = [outcomes[_alone(variant, split, quick).name] for split in _splits(plan)]
            for at, epochs in enumerate(_epochs(quick)):
                label = f"{epochs} epochs"
                found = _accuracies(runs, 1, epochs)
                entries.append(Entry(label, variant.name, ACCURACY["sequential"][at], found))
        return Comparison("Table 1, other readings", "The same, sequential, with other choices", "%", tuple(entries))

    def _seconds(self, outcomes: Mapping[str, Outcome], plan: Plan) -> Comparison:
        entries = []
        for at, epochs in enumerate(_epochs(plan.quick)):
            rows = [(2, self._measured(outcomes, epochs), "measured on MPI")] if plan.measured else []
            for workers in _workers(plan.quick):
                rows.append((workers, self._simulated(outcomes, workers, epochs, plan), "simulated"))
            for row, (workers, ours, how) in enumerate(rows):
                label = "" if row else f"{epochs} epochs"
                entries.append(Entry(label, f"parallel ({workers})", _ratio(workers, at), ours, how))
        title = "Time, as a multiple of the sequential program's"
        return Comparison("Table 2", title, "times", tuple(entries))

    def _measured(self, outcomes: Mapping[str, Outcome], epochs: int) -> tuple[float, ...]:
        """The time of two workers on MPI, divided by that of one process."""
        two, one = (_clock(outcomes[f"timed-{workers}"], workers, epochs, "seconds") for workers in (2, 1))
        return (two / one,)

    def _simulated(self, outcomes: Mapping[str, Outcome], workers: int, epochs: int, plan: Plan) -> tuple[float, ...]:
        """The virtual time of each split, divided by that of one worker's."""
        pairs = [
            (outcomes[_together(workers, split, plan.quick).name], outcomes[_alone(MAIN, split, plan.quick).name])
            for split in _splits(plan)
        ]
        return tuple(
            _clock(many, workers, epochs, "virtual_clock") / _clock(one, 1, epochs, "virtual_clock")
            for many, one in pairs
        )


def _timed(quick: bool) -> list[Cell]:
    """The measured pair: the sequential program, and two workers on MPI."""
    what = ("--epochs", str(_epochs(quick)[-1] // ROUND), "--seed", "0", *COMMON, *MAIN.options)
    return [
        Cell("timed-1", ("train", "--world", "single", *what), 1, alone=True),
        Cell("timed-2", ("train", "--world", "mpi", "--workers", "2", *what), 2, alone=True),
    ]


def _alone(variant: Variant, split: int, quick: bool) -> Cell:
    return _cell(variant, 1, split, quick)


def _together(workers: int, split: int, quick: bool) -> Cell:
    return _cell(MAIN, workers, split, quick)


def _cell(variant: Variant, workers: int, split: int, quick: bool) -> Cell:
    name = f"{variant.name.replace(' ', '-').replace(',', '')}-{workers}-split-{split}"
    where = (*CLUSTER, "--workers", str(workers), "--tasks-per-node", str(-(-workers // 2)))
    length = ("--epochs", str(_epochs(quick)[-1] // ROUND), "--seed", str(split))
    return Cell(name, ("simulate", *where, *length, *COMMON, *variant.options), workers)


def _accuracies(runs: Sequence[Outcome], workers: int, epochs: int) -> tuple[float, ...]:
    return tuple(100 * (1 - run.epochs[str(workers)][epochs // ROUND - 1]["test_error"]) for run in runs)


def _clock(run: Outcome, workers: int, epochs: int, clock: str) -> float:
    return float(run.epochs[str(workers)][epochs // ROUND - 1][clock])


def _ratio(workers: int, at: int) -> float:
    return SECONDS[workers][at] / SECONDS[1][at]


def _splits(plan: Plan) -> range:
    return range(plan.repeats or (2 if plan.quick else SPLITS.count))


def _workers(quick: bool) -> tuple[int, ...]:
    return WORKERS[:2] if quick else WORKERS


def _epochs(quick: bool) -> tuple[int, ...]:
    return EPOCHS[:2] if quick else EPOCHS


def _others(quick: bool) -> tuple[Variant, ...]:
    return OTHERS[:1] if quick else OTHERS


def _curves(table: Comparison, quick: bool) -> Picture:
    """Figure 3."""
    epochs = _epochs(quick)
    lines = [Line(f"paper, {name}", epochs, values[: len(epochs)], paper=True) for name, values in ACCURACY.items()]
    for name in dict.fromkeys(entry.series for entry in table.entries):
        means, spreads = averages([entry.ours for entry in table.entries if entry.series == name])
        lines.append(Line(name, epochs, means, spreads))
    return Picture(
        "figure-3", "Accuracy against epochs", (Panel("epochs", "accuracy, %", tuple(lines), from_zero=False),)
    )


def _times(table: Comparison, quick: bool) -> Picture:
    """Figures 4 and 5."""
    epochs = _epochs(quick)
    by_epochs: list[Line] = []
    by_workers: list[Line] = []
    for workers in _workers(quick):
        paper = tuple(_ratio(workers, at) for at in range(len(epochs)))
        by_epochs.append(Line(f"paper, {workers} workers", epochs, paper, paper=True))
        chosen = [e.ours for e in table.entries if e.series == f"parallel ({workers})" and e.note == "simulated"]
        by_epochs.append(Line(f"{workers} workers, simulated", epochs, *averages(chosen)))
    counts = _workers(quick)
    for at, number in enumerate(epochs):
        by_workers.append(Line(f"paper, {number}", counts, tuple(_ratio(n, at) for n in counts), paper=True))
        ours = tuple(line.y[at] for line in by_epochs if not line.paper)
        by_workers.append(Line(f"{number} epochs", counts, ours))
    unit = "time, multiple of sequential"
    panels = (Panel("epochs", unit, tuple(by_epochs)), Panel("workers", unit, tuple(by_workers)))
    return Picture("figures-4-and-5", "Time against epochs, and against workers", panels)

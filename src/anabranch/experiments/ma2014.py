"""Ma 2014, "Parallel implementation of deep learning using MPI" (slides): a hundred iterations, and Tables 1 and 2.

Algorithm 4 (get, compute, update, put) is `fetch-put`. Table 1 fixes two nodes and raises the tasks on each; Table 2
fixes two tasks a node and adds nodes; both give the time to 90 % accuracy on MNIST. The slides name neither network nor
minibatch nor rate: ours were chosen in trials (docs/ma2014.md), which also says what stays fast beyond twenty cores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anabranch.experiments import ma2014_runs as runs
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.findings import Comparison, Entry, Findings, Line, Panel, Picture
from anabranch.experiments.ma2014_runs import MA, NODES, TARGET, TASKS, Method
from anabranch.experiments.paper import Plan, Repeats
from anabranch.experiments.partial import whole
from anabranch.objectives import Precision

TABLES: dict[str, dict[int, tuple[float, float]]] = {
    NODES: {
        4: (1413, 3.1552),
        8: (674, 6.6152),
        12: (405, 11.0152),
        16: (314, 14.2152),
        20: (318, 14.0152),
        24: (342, 13.0152),
        28: (428, 10.4152),
        32: (741, 6.0152),
    },
    TASKS: {
        4: (1411, 3.1552),
        8: (728, 6.1254),
        12: (438, 10.1854),
        16: (337, 13.2054),
        20: (337, 13.2054),
        24: (365, 12.2054),
        28: (474, 9.4054),
        32: (856, 5.2054),
    },
}
"""Seconds and speed-up against cores: Table 1, Table 2."""
LINEAR_UNTIL = 10  # partitions: "the speed-up is not increasing linearly" after about so many

ITERATIONS = 100

NOTES = (
    "The slides name neither network nor minibatch nor rate. Ours are 784-500 and a classifier, minibatches of 20 on "
    "each worker, one epoch of contrastive divergence, then back-propagation at a rate of 0.3 until 90 %.",
    "All times are those of the simulated cluster ccr-2014, unless they are measured. Its speed was fitted to another "
    "network, so seconds cannot be compared; speed-ups can.",
    "Speed-ups are against one core without momentum, which reaches 90 % in its first epoch of fine-tuning. Errors are "
    "measured after epochs, so that times come in steps of an epoch, and every run is one run with one seed.",
    "Ma's algorithm has no momentum. Where a row does not name one, other strategies have none either: they are on its "
    "terms then. All rates are 0.3, which was chosen by the test error of the first epochs on 32 cores.",
    "A hundred iterations are read as 100 epochs over the divided data. One was simulated, without the mathematics, "
    "for all take the same time. The slides have curves without numbers.",
)


@dataclass(frozen=True)
class Ma2014:
    """The experiment."""

    title: str = "Ma 2014, Parallel implementation of deep learning using MPI"
    cuts: tuple[str, ...] = (
        "4, 16 and 32 cores instead of eight numbers",
        "two nodes with 4 and 32 cores alone",
        "of the other strategies the fastest alone, with momentum and without",
    )
    repeats: Repeats | None = None
    fixed_dtype: Precision | None = "float32"

    def cells(self, plan: Plan) -> list[Cell]:
        """All runs: one core, both tables, other strategies, and a hundred iterations, simulated and measured."""
        quick = plan.quick
        found = [runs.learning(MA, TASKS, 1)]
        found += [runs.learning(MA, fixed, cores) for fixed in TABLES for cores in runs.cores(MA, fixed, quick)]
        for method in runs.others(quick):
            found += [runs.learning(method, TASKS, cores) for cores in runs.cores(method, TASKS, quick)]
        found += [runs.shared(), *([runs.measured(1), runs.measured(2)] if plan.measured else [])]
        return list({cell.name: cell for cell in found}.values())  # two nodes with two tasks each are in both tables

    def findings(self, outcomes: Mapping[str, Outcome], plan: Plan) -> Findings:
        """Both tables as seconds and speed-ups, the other strategies, and all curves."""
        found = _Found(outcomes, plan.quick, plan.measured)
        others = runs.others(plan.quick)
        tables = whole(
            lambda: [found.iterations()],
            lambda: found.both("Table 1", NODES.capitalize(), found.rows(MA, NODES)),
            lambda: found.both("Table 2", TASKS.capitalize(), found.rows(MA, TASKS)),
            lambda: found.both(
                "Beyond 20 cores",
                f"Other strategies, {TASKS}",
                [row for method in others for row in found.rows(method, TASKS)],
            ),
        )
        pictures = whole(
            lambda: [found.hundred()],
            lambda: [found.curves("fixed-nodes", "Two nodes, accuracy > 90 %", (NODES,))],
            lambda: [found.curves("fixed-tasks-per-node", "Two tasks a node, accuracy > 90 %", (TASKS,))],
            lambda: [found.curves("all", "All cores, accuracy > 90 %", tuple(TABLES))],
            lambda: [found.strategies()],
        )
        return Findings(tuple(tables), tuple(pictures), NOTES)


@dataclass(frozen=True)
class _Row:
    """A row of a table: what was run, and what the slides say."""

    method: Method
    fixed: str
    cores: int
    seconds: float | None
    speed_up: float | None


@dataclass(frozen=True)
class _Found:
    """What the runs come to."""

    outcomes: Mapping[str, Outcome]
    quick: bool
    measured: bool

    def iterations(self) -> Comparison:
        """Cores against speed-up, with a fixed amount of work."""
        entries = []
        if self.measured:
            entries.append(Entry("2 cores", "", None, (self._measured(),), "measured on MPI, this machine"))
        entries += [Entry(f"{n} cores", "", None, (up,), "simulated") for n, up in self._shared_speed_ups().items()]
        title = f"{ITERATIONS} iterations, two tasks a node: speed-up, against one core"
        return Comparison("Cores vs speed-up", title, "times", tuple(entries))

    def rows(self, method: Method, fixed: str) -> list[_Row]:
        """Of a table; the slides have figures of Ma's algorithm alone."""
        theirs = TABLES[fixed] if method is MA else {}
        return [
            _Row(method, fixed, cores, *theirs.get(cores, (None, None)))
            for cores in runs.cores(method, fixed, self.quick)
        ]

    def both(self, name: str, title: str, rows: Sequence[_Row]) -> tuple[Comparison, Comparison]:
        """Time to the target, with the epochs that it took, and speed-up."""
        seconds, speed_ups = [], []
        for row in rows:
            label, series, key = f"{row.cores} cores", row.method.name, (row.method, row.fixed, row.cores)
            seconds.append(Entry(label, series, row.seconds, _known(self._time(*key)), self._when(*key)))
            speed_ups.append(Entry(label, series, row.speed_up, _known(self._speed_up(*key)), "simulated"))
        return (
            Comparison(name, f"{title}: seconds to 90 %", "s", tuple(seconds)),
            Comparison(f"{name}, speed-up", f"{title}: speed-up, against one core", "times", tuple(speed_ups)),
        )

    def hundred(self) -> Picture:
        """Cores against time and speed-up, with a fixed amount of work."""
        rows = self.outcomes[runs.shared().name].rows
        cores = tuple(row["workers"] for row in rows)
        time = Line("simulated", cores, tuple(ITERATIONS * row["virtual_seconds"] for row in rows))
        ours = self._shared_speed_ups()
        said = Line(f"slides: nearly linear to about {LINEAR_UNTIL}", (1, LINEAR_UNTIL), (1, LINEAR_UNTIL), paper=True)
        lines = [said, Line("simulated", tuple(ours), tuple(ours.values()))]
        if self.measured:
            lines.append(Line("measured on MPI", (1, 2), (1, self._measured())))
        panels = (Panel("cores", "seconds", (time,)), Panel("cores", "speed-up", tuple(lines)))
        return Picture("hundred-iterations", f"{ITERATIONS} iterations", panels)

    def curves(self, name: str, title: str, layouts: tuple[str, ...]) -> Picture:
        """Cores against time, theirs and ours apart since seconds cannot be compared, and against speed-up."""
        theirs, ours, speed_ups = [], [], []
        for fixed in layouts:
            cores, figures = tuple(TABLES[fixed]), TABLES[fixed].values()
            theirs.append(Line(f"Ma, {fixed}", cores, tuple(seconds for seconds, _ in figures), paper=True))
            ours.append(self._times(MA, fixed, f"ours, {fixed}"))
            speed_ups.append(Line(f"Ma, {fixed}", cores, tuple(up for _, up in figures), paper=True))
            speed_ups.append(self._rises(MA, fixed, f"ours, {fixed}"))
        return Picture(name, title, (_time(theirs), *_panels(ours, speed_ups)))

    def strategies(self) -> Picture:
        """Ma's algorithm and the others."""
        methods = (MA, *runs.others(self.quick))
        times = [self._times(method, TASKS, method.name) for method in methods]
        speed_ups = [self._rises(method, TASKS, method.name) for method in methods]
        return Picture("beyond-20-cores", "Other strategies, two tasks a node", _panels(times, speed_ups))

    def _speed_up(self, method: Method, fixed: str, cores: int) -> float | None:
        """Against one core of Ma's algorithm, which is plain serial descent; None where one did not get there."""
        base, own = self._time(MA, TASKS, 1), self._time(method, fixed, cores)
        return base / own if base and own else None

    def _when(self, method: Method, fixed: str, cores: int) -> str:
        """In which epoch of fine-tuning the target was reached, or how far it went without."""
        lines = self._run(method, fixed, cores).epochs[str(cores)]
        errors = [line["test_error"] for line in lines if "test_error" in line]
        reached = next((number for number, error in enumerate(errors, 1) if error <= TARGET), None)
        when = f"in epoch {reached}" if reached else f"{100 * (1 - errors[-1]):.1f} % after epoch {len(errors)}"
        return f"simulated, {when}"

    def _times(self, method: Method, fixed: str, name: str) -> Line:
        return _line(name, {n: self._time(method, fixed, n) for n in runs.cores(method, fixed, self.quick)})

    def _rises(self, method: Method, fixed: str, name: str) -> Line:
        return _line(name, {n: self._speed_up(method, fixed, n) for n in runs.cores(method, fixed, self.quick)})

    def _run(self, method: Method, fixed: str, cores: int) -> Outcome:
        return self.outcomes[runs.learning(method, fixed, cores).name]

    def _time(self, method: Method, fixed: str, cores: int) -> float | None:
        seconds: float | None = self._run(method, fixed, cores).rows[0]["seconds_to_target"]
        return seconds

    def _shared_speed_ups(self) -> dict[int, float]:
        rows = self.outcomes[runs.shared().name].rows
        return {row["workers"]: rows[0]["virtual_seconds"] / row["virtual_seconds"] for row in rows}

    def _measured(self) -> float:
        one, two = (self.outcomes[runs.measured(workers).name].summary["tasks"][0]["seconds"] for workers in (1, 2))
        return float(one / two)


def _known(figure: float | None) -> tuple[float, ...]:
    return () if figure is None else (figure,)


def _line(name: str, points: Mapping[int, float | None]) -> Line:
    """A curve of what was reached."""
    reached = {x: y for x, y in points.items() if y is not None}
    return Line(name, tuple(reached), tuple(reached.values()))


def _panels(times: list[Line], speed_ups: list[Line]) -> tuple[Panel, Panel]:
    return _time(times), Panel("cores", "speed-up", tuple(speed_ups))


def _time(lines: list[Line]) -> Panel:
    return Panel("cores", "seconds to 90 %", tuple(lines))

"""De Filippo De Grazia, Stoianov & Zorzi 2012: the tables, the paper's figures beside ours.

All counts of workers are simulated, in one process: the errors are of real training, the times are virtual, of the
cluster padova-2012. What was measured on this machine says so.
"""

from collections.abc import Mapping
from dataclasses import replace
from statistics import mean

from anabranch.experiments import degrazia2012_cells as cells
from anabranch.experiments.cell import Outcome
from anabranch.experiments.degrazia2012_cells import EPOCHS, MANY, Extent
from anabranch.experiments.degrazia2012_reading import (
    LAYERS,
    epochs_of_layers,
    exponent,
    percent_wrong,
    reconstruction_errors,
    virtual_seconds,
    wall_seconds,
)
from anabranch.experiments.findings import Comparison, Entry
from anabranch.wording import counted

FIXED_ERROR, FIXED_SECONDS = {1: 1.14, MANY: 1.62}, {1: 16_500.0, MANY: 900.0}
CONVERGED_ERROR, CONVERGED_SECONDS = {1: 1.25, MANY: 1.57}, {1: 6_700.0, MANY: 1_100.0}
EXPONENT = -0.86  # of Figure 1's times
TRAINED, SIMULATED, MEASURED = "trained, workers simulated", "simulated, padova-2012", "measured on this machine"
NEAR = 0.1  # points above one worker that a recipe may cost


def figure_1(outcomes: Mapping[str, Outcome], extent: Extent) -> list[Comparison]:
    """A fixed number of epochs: errors, times."""
    seconds = virtual_seconds(outcomes["time"])
    errors = [
        Entry(counted(n, "worker"), "error", FIXED_ERROR.get(n), fixed_errors(outcomes, extent, n), TRAINED)
        for n in extent.counts
    ]
    times = [
        Entry(counted(n, "worker"), "time", FIXED_SECONDS.get(n), (EPOCHS * sum(seconds[n]),), SIMULATED)
        for n in extent.counts
    ]
    epochs = f"{extent.epochs} epochs a layer"
    return [
        Comparison("Figure 1, error", f"Test error after {epochs}", "%", tuple(errors)),
        Comparison("Figure 1, time", f"Pretraining, {EPOCHS} epochs a layer", "s", tuple(times), digits=0),
    ]


def figure_2(outcomes: Mapping[str, Outcome], extent: Extent) -> list[Comparison]:
    """Until convergence: errors, times, and both by layer."""
    seconds, errors, times, by_layer, epochs = virtual_seconds(outcomes["time"]), [], [], [], []
    for n in extent.converging:
        runs = converged(outcomes, extent, n)
        found = tuple(percent_wrong(run) for run in runs)
        errors.append(Entry(counted(n, "worker"), "error", CONVERGED_ERROR.get(n), found, TRAINED))
        spent = [[c * s for c, s in zip(epochs_of_layers(run), seconds[n], strict=True)] for run in runs]
        times.append(Entry(counted(n, "worker"), "time", CONVERGED_SECONDS.get(n), tuple(map(sum, spent)), SIMULATED))
        for at, layer in enumerate(LAYERS):
            label = "" if at else counted(n, "worker")
            by_layer.append(Entry(label, layer, None, tuple(one[at] for one in spent), SIMULATED))
            lengths = tuple(float(epochs_of_layers(run)[at]) for run in runs)
            epochs.append(Entry(label, layer, None, lengths, TRAINED))
    return [
        Comparison("Figure 2a, error", "Test error after convergence", "%", tuple(errors)),
        Comparison("Figure 2a, time", "Pretraining until convergence", "s", tuple(times), digits=0),
        Comparison("Figure 2b", "Pretraining until convergence, by layer", "s", tuple(by_layer), digits=0),
        Comparison("Figure 2b, epochs", "Epochs until convergence, by layer", "epochs", tuple(epochs), digits=1),
    ]


def follow_up(outcomes: Mapping[str, Outcome], extent: Extent) -> list[Comparison]:
    """Epochs of the first layer against minibatch x workers, and the error that they end with."""
    epochs, errors = [], []
    for batch, n in pairs(extent):
        runs = [outcomes[cells.first_layer(extent, batch, n, at).name] for at in range(extent.repeats)]
        label, series = f"{batch} x {n} = {batch * n}", counted(n, "worker")
        epochs.append(Entry(label, series, None, tuple(float(epochs_of_layers(run)[0]) for run in runs), TRAINED))
        errors.append(Entry(label, series, None, tuple(reconstruction_errors(run)[0] for run in runs), TRAINED))
    title = "First layer, minibatch x workers"
    return [
        Comparison("Follow-up, epochs", f"{title}: epochs until convergence", "epochs", tuple(epochs), digits=1),
        Comparison("Follow-up, error", f"{title}: reconstruction error then", "squared error", tuple(errors)),
    ]


def exponents(tables: Mapping[str, Comparison], extent: Extent) -> Comparison:
    """Of the curves in `tables`, which are straight lines where both axes are logarithmic."""
    entries = []
    for name, counts, paper in (("Figure 1", extent.counts, EXPONENT), ("Figure 2a", extent.converging, None)):
        means = [mean(entry.ours) for entry in tables[f"{name}, time"].entries]
        entries.append(Entry(f"{name}: time against workers", "", paper, (exponent(counts, means),), SIMULATED))
    means = [mean(entry.ours) for entry in tables["Follow-up, epochs"].entries]
    products = [batch * n for batch, n in pairs(extent)]
    label = "Follow-up: epochs against minibatch x workers"
    entries.append(Entry(label, "", None, (exponent(products, means),), TRAINED))
    return Comparison("Exponents", "Least squares of the logarithms", "power", tuple(entries))


def two_workers(outcomes: Mapping[str, Outcome], *, measured: bool) -> list[Comparison]:
    """Two workers on MPI, on this machine's own cores if they were `measured`, beside the simulated ones."""
    virtual = {n: sum(seconds) for n, seconds in virtual_seconds(outcomes["time"]).items()}
    simulated = Entry("2 workers", "the paper's cluster", None, (virtual[1] / virtual[2],), SIMULATED)
    found, ratios = [], [simulated]
    if measured:
        wall = {n: wall_seconds(outcomes[cells.measured(n).name]) for n in (1, 2)}
        epoch = [Entry(counted(n, "worker"), "this machine", None, (wall[n],), MEASURED) for n in (1, 2)]
        found.append(Comparison("Measured", "An epoch of each layer on MPI, float32", "s", tuple(epoch)))
        first = Entry("2 workers", "this machine, MPI", None, (wall[1] / wall[2],), MEASURED)
        ratios = [first, replace(simulated, label="")]
    return [*found, Comparison("Two workers", "Speed-up over one", "times", tuple(ratios))]


def improved(outcomes: Mapping[str, Outcome], extent: Extent) -> list[Comparison]:
    """40 workers with other options: error, its distance to one worker's, and the time of an epoch."""
    alone, seconds = fixed_errors(outcomes, extent, 1), virtual_seconds(outcomes["time"])
    found = {f"preset, {counted(n, 'worker')}": fixed_errors(outcomes, extent, n) for n in (1, MANY)}
    virtual = dict(zip(found, (sum(seconds[n]) for n in (1, MANY)), strict=True))
    for recipe in extent.recipes:
        runs = [outcomes[cells.improved(extent, recipe, at).name] for at in range(extent.networks)]
        found[recipe.name] = tuple(percent_wrong(run) for run in runs)
        virtual[recipe.name] = sum(virtual_seconds(outcomes[cells.improved_timing(recipe).name])[recipe.workers])
    errors = [Entry(name, "error", None, ours, TRAINED) for name, ours in found.items()]
    gaps = {name: tuple(many - one for many, one in zip(ours, alone, strict=True)) for name, ours in found.items()}
    del gaps["preset, 1 worker"]
    above = [Entry(name, "error", None, gap, _near(mean(gap))) for name, gap in gaps.items()]
    times = [Entry(name, "time", None, (virtual[name],), SIMULATED) for name in found]
    title = f"{MANY} workers unless said, {extent.epochs} epochs a layer"
    return [
        Comparison("Improved recipe, error", f"Test error, {title}", "%", tuple(errors)),
        Comparison(
            "Improved recipe, loss", f"Above the error of the preset on 1 worker, {title}", "points", tuple(above)
        ),
        Comparison("Improved recipe, time", "An epoch of each layer", "s", tuple(times), digits=1),
    ]


def fixed_errors(outcomes: Mapping[str, Outcome], extent: Extent, workers: int) -> tuple[float, ...]:
    """Figure 1's errors of all networks."""
    runs = (outcomes[cells.fixed(extent, workers, at).name] for at in range(extent.networks))
    return tuple(percent_wrong(run) for run in runs)


def converged(outcomes: Mapping[str, Outcome], extent: Extent, workers: int) -> list[Outcome]:
    """Figure 2's runs of all networks."""
    return [outcomes[cells.converging(extent, workers, at).name] for at in range(extent.networks)]


def pairs(extent: Extent) -> list[tuple[int, int]]:
    """The follow-up's minibatches and numbers of workers."""
    return [(batch, n) for n in extent.spread for batch in extent.batches]


def _near(gap: float) -> str:
    # Rounded: errors are whole numbers of examples, and 1.35 - 1.25 is more than 0.1 in binary.
    return f"within {NEAR} points" if round(gap, 6) <= NEAR else f"more than {NEAR} points"

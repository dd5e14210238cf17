"""De Filippo De Grazia, Stoianov & Zorzi 2012: the figures, drawn from the tables."""

from collections.abc import Mapping, Sequence

from anabranch.experiments.degrazia2012_cells import Extent
from anabranch.experiments.degrazia2012_reading import LAYERS
from anabranch.experiments.degrazia2012_tables import (
    CONVERGED_ERROR,
    CONVERGED_SECONDS,
    FIXED_ERROR,
    FIXED_SECONDS,
    pairs,
)
from anabranch.experiments.findings import Comparison, Entry, Line, Panel, Picture, averages
from anabranch.experiments.partial import whole
from anabranch.wording import counted

ERROR, SECONDS = "test error, %", "seconds of pretraining (simulated)"


def all_pictures(tables: Mapping[str, Comparison], extent: Extent) -> tuple[Picture, ...]:
    """Figures 1, 2a and 2b, the follow-up, and the recipes."""
    paper_1, paper_2 = (FIXED_ERROR, FIXED_SECONDS), (CONVERGED_ERROR, CONVERGED_SECONDS)
    title_1 = f"Error after {extent.epochs} epochs a layer, and RBM training time"
    title_2 = "The same until convergence"
    return tuple(
        whole(
            lambda: [_both("figure-1", title_1, tables, "Figure 1", extent.counts, paper_1)],
            lambda: [_both("figure-2a", title_2, tables, "Figure 2a", extent.converging, paper_2)],
            lambda: [_by_layer(tables, extent)],
            lambda: [_follow_up(tables, extent)],
            lambda: [_recipes(tables)],
        )
    )


def _both(
    name: str,
    title: str,
    tables: Mapping[str, Comparison],
    figure: str,
    counts: Sequence[int],
    paper: tuple[Mapping[int, float], Mapping[int, float]],
) -> Picture:
    errors, seconds = (
        (Line("paper", tuple(known), tuple(known.values()), paper=True), _line("ours", counts, tables[table].entries))
        for known, table in zip(paper, (f"{figure}, error", f"{figure}, time"), strict=True)
    )
    panels = (
        Panel("workers", ERROR, errors, log_x=True),
        Panel("workers", SECONDS, seconds, log_x=True, log_y=True),
    )
    return Picture(name, title, panels)


def _by_layer(tables: Mapping[str, Comparison], extent: Extent) -> Picture:
    seconds, epochs = (
        tuple(_line(layer, extent.converging, _series(tables[name], layer)) for layer in LAYERS)
        for name in ("Figure 2b", "Figure 2b, epochs")
    )
    panels = (
        Panel("workers", SECONDS, seconds, log_x=True, log_y=True),
        Panel("workers", "epochs", epochs, log_x=True),
    )
    return Picture("figure-2b", "Each layer until convergence", panels)


def _follow_up(tables: Mapping[str, Comparison], extent: Extent) -> Picture:
    def lines(table: Comparison) -> tuple[Line, ...]:
        found = []
        for n in extent.spread:
            products = [batch * workers for batch, workers in pairs(extent) if workers == n]
            found.append(_line(counted(n, "worker"), products, _series(table, counted(n, "worker"))))
        return tuple(found)

    x, epochs, errors = "minibatch x workers", tables["Follow-up, epochs"], tables["Follow-up, error"]
    panels = (
        Panel(x, "epochs until convergence", lines(epochs), log_x=True),
        Panel(x, "reconstruction error then", lines(errors), log_x=True),
    )
    return Picture("follow-up", "Convergence of the first layer against minibatch x workers", panels)


def _recipes(tables: Mapping[str, Comparison]) -> Picture:
    errors, times = tables["Improved recipe, error"], tables["Improved recipe, time"]
    lines = [_line(entry.label, time.ours, (entry,)) for entry, time in zip(errors.entries, times.entries, strict=True)]
    panel = Panel("seconds of an epoch of each layer (simulated)", ERROR, tuple(lines), log_x=True)
    return Picture("improved-recipe", "Recipes: error against time", (panel,))


def _series(table: Comparison, name: str) -> list[Entry]:
    return [entry for entry in table.entries if entry.series == name]


def _line(name: str, x: Sequence[float], entries: Sequence[Entry]) -> Line:
    return Line(name, tuple(x), *averages([entry.ours for entry in entries]))

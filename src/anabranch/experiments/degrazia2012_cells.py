"""De Filippo De Grazia, Stoianov & Zorzi 2012: the runs, as commands.

The mathematics and the time come from different runs. What a worker computes does not depend on the cluster, so errors
and epochs to convergence are those of `train --world simulated`; what an epoch takes on the paper's cluster does not
depend on the weights, so that it is timed once for all networks (`simulate --timing-only`).
"""

from dataclasses import dataclass

from anabranch.experiments.cell import Cell
from anabranch.objectives import Precision

EPOCHS = 50  # of each layer, with the first stopping criterion
MANY = 40  # workers: all cores of the cluster
FINE_TUNING_COST = 0.4  # of an epoch of fine-tuning, beside one of all three layers
FIRST_LAYER_COST = 0.25  # of the first layer, beside all three
STEP_COST = 20.0  # examples that the passes over the weights in every step are worth

DATA: tuple[str, ...] = ("--data", "mnist")
PRESET: tuple[str, ...] = (*DATA, "--preset", "degrazia")
# float64, as Octave computes: the cluster is fitted to that.
TIMING: tuple[str, ...] = ("--cluster", "padova-2012", "--dtype", "float64", "--finetune-epochs", "0", "--epochs", "5")
TIMING += ("--timing-only", "--trace", "0")


@dataclass(frozen=True)
class Recipe:
    """A change of the preset, on 40 workers: its name, its options on the command line, its minibatches."""

    name: str
    options: tuple[str, ...]
    batch: int
    workers: int = MANY

    @property
    def slug(self) -> str:
        """In names of cells."""
        return self.name.replace(",", "").replace(" ", "-")

    @property
    def cost(self) -> float:
        """Of an epoch, beside one in the preset's minibatches."""
        return _cost_in(self.batch)


@dataclass(frozen=True)
class Extent:
    """How much is run.

    Attributes:
        counts: of workers, with a fixed number of epochs.
        networks: of each; their numbers are the seeds.
        epochs: of each layer.
        finetuning: epochs of it.
        converging: counts of workers under the convergence criterion.
        converged: options of that criterion.
        limit: the most epochs of a layer there.
        batches: of the follow-up.
        spread: counts of workers of the follow-up.
        repeats: networks of the follow-up.
        recipes: what is tried on 40 workers.
        dtype: of the training.
        measured: one and two workers are timed on MPI, too.
    """

    counts: tuple[int, ...]
    networks: int
    epochs: int
    finetuning: int
    converging: tuple[int, ...]
    converged: tuple[str, ...]
    limit: int
    batches: tuple[int, ...]
    spread: tuple[int, ...]
    repeats: int
    recipes: tuple[Recipe, ...]
    dtype: Precision = "float32"
    measured: bool = True


def all_cells(extent: Extent) -> list[Cell]:
    """Every run."""
    found = [timing(extent)]
    for network in range(extent.networks):
        found += [fixed(extent, workers, network) for workers in extent.counts]
        found += [converging(extent, workers, network) for workers in extent.converging]
        found += [improved(extent, recipe, network) for recipe in extent.recipes]
    for network in range(extent.repeats):
        found += [first_layer(extent, b, n, network) for b in extent.batches for n in extent.spread]
    found += [improved_timing(recipe) for recipe in extent.recipes]
    return [*found, measured(1), measured(2)] if extent.measured else found


def fixed(extent: Extent, workers: int, network: int) -> Cell:
    """Figure 1: a fixed number of epochs."""
    options = (*_finetuned(extent, network), "--workers", str(workers), "--epochs", str(extent.epochs))
    return Cell(f"fixed-{workers}-network-{network}", options, extent.epochs + _finetuning_cost(extent))


def converging(extent: Extent, workers: int, network: int) -> Cell:
    """Figure 2: until convergence."""
    options = (*_finetuned(extent, network), "--workers", str(workers), "--epochs", str(extent.limit))
    cost = min(extent.limit, EPOCHS) + _finetuning_cost(extent)
    return Cell(f"convergence-{workers}-network-{network}", (*options, *extent.converged), cost)


def first_layer(extent: Extent, batch: int, workers: int, network: int) -> Cell:
    """The follow-up: the first layer alone, until convergence."""
    size = ("--workers", str(workers), "--batch-size", str(batch), "--epochs", str(extent.limit))
    alone = ("--model", "dbn:784-500", "--finetune-epochs", "0", "--seed", str(network))
    cost = min(extent.limit, EPOCHS) * FIRST_LAYER_COST * _cost_in(batch)
    name = f"first-layer-{batch}x{workers}-network-{network}"
    return Cell(name, (*_learning(extent), *alone, *size, *extent.converged), cost)


def improved(extent: Extent, recipe: Recipe, network: int) -> Cell:
    """Other options, as many epochs as in Figure 1."""
    size = ("--workers", str(recipe.workers), "--epochs", str(extent.epochs))
    options = (*_finetuned(extent, network), *size, *recipe.options)
    cost = extent.epochs * recipe.cost + _finetuning_cost(extent)
    return Cell(f"recipe-{recipe.slug}-network-{network}", options, cost)


def timing(extent: Extent) -> Cell:
    """What an epoch of each layer takes on the paper's cluster."""
    counts = ",".join(str(workers) for workers in sorted({*extent.counts, *extent.converging, 2}))
    return Cell("time", ("simulate", *PRESET, *TIMING, "--workers", counts))


def improved_timing(recipe: Recipe) -> Cell:
    """The same, with a recipe."""
    options = ("simulate", *PRESET, *TIMING, "--workers", str(recipe.workers), *recipe.options)
    return Cell(f"recipe-{recipe.slug}-time", options)


def measured(workers: int) -> Cell:
    """On this machine's own cores; float32, which every processor computes fast."""
    world = ("--world", "mpi", "--workers", str(workers))
    length = ("--epochs", "2", "--finetune-epochs", "0", "--seed", "0")
    options = ("train", *PRESET, *world, *length, "--dtype", "float32", "--threads", "1")
    return Cell(f"measured-{workers}", options, 2 / workers, alone=True)


def _finetuned(extent: Extent, network: int) -> tuple[str, ...]:
    length = ("--finetune-epochs", str(extent.finetuning), "--seed", str(network))
    return (*_learning(extent), *length)


def _learning(extent: Extent) -> tuple[str, ...]:
    how = ("--world", "simulated", "--dtype", extent.dtype, "--threads", "1", "--checkpoint-seconds", "60")
    return ("train", *PRESET, *how)


def _finetuning_cost(extent: Extent) -> float:
    return FINE_TUNING_COST * extent.finetuning


def _cost_in(batch: int) -> float:
    return (1 + STEP_COST / batch) / (1 + STEP_COST / 125)

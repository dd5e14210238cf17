"""What a run is: every option with its default, as data. The same fields make the command line and `config.toml`."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import tyro
from typeguard import TypeCheckError, check_type

from anabranch.data import Scale
from anabranch.errors import UsageError, unknown_name
from anabranch.models import Activation, Start, VisibleUnits
from anabranch.objectives import Outputs, Precision
from anabranch.optim import Directions, RuleName, Schedule
from anabranch.server.partition import Placing
from anabranch.strategies.shard import Draws

World = Literal["auto", "single", "simulated", "mpi"]
StopRule = Literal["epochs", "convergence"]
Arithmetic = Literal["auto", Precision]


@dataclass(frozen=True)
class DataOptions:
    """What to learn from."""

    data: str = "digits"
    """digits, mnist, coursera-digits, or a path: .npz (x, y), .npy, .mat, or a folder with four IDX files."""
    test_fraction: float = 0.2
    """Part held out for testing, where the data have no test part of their own."""
    validation_fraction: float = 0.0
    """Part of the training examples held out, on which errors are then measured instead of on the test part: to choose
    options by."""
    scale: Scale = "auto"
    """auto: bytes and whole numbers to [0, 1], floats as they are; minmax: to [0, 1]; standard: mean 0, variance 1."""
    classes: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Number of classes; the highest label plus 1 unless given."""


@dataclass(frozen=True)
class ModelOptions:
    """What to train."""

    model: str = "dbn"
    """dbn:784-500-500-2000 (the input first), mlp:784-500-10, or module:function returning a torch module.
    Plain 'dbn' and 'mlp' choose sizes that fit the data."""
    units: VisibleUnits = "bernoulli"
    """Visible units of the lowest RBM; gaussian ones want --scale standard."""
    initial_std: float = 0.01
    """Standard deviation of the initial RBM weights."""
    activation: Activation = "relu"
    """Units of an mlp."""
    mlp_start: Start = "fan-in"
    """Initial weights of an mlp, uniform. fan-in: up to 1/sqrt(inputs) on either side of 0. glorot: up to
    sqrt(6/(inputs + outputs)), biases too. unit-interval: from 0 to 1, biases too."""
    outputs: Outputs = "softmax"
    """Of a classifier, and so its cross-entropy. softmax: one class of all. logistic: each class for itself."""


@dataclass(frozen=True)
class ParallelOptions:
    """How to spread the work."""

    strategy: str = "averaging"
    """allreduce: average the gradients at every step.
    averaging: replicas learn alone, then their updates are averaged.
    bmuf: averaging, and a momentum of the averaged updates.
    diloco: averaging, rarely, by an outer optimizer; made for --optimizer adamw.
    post-local: allreduce at first, then averaging.
    easgd-sync: elastic averaging, in step.
    easgd: the same, each worker at its own pace, as are those that follow.
    downpour: fetch parameters, push gradients.
    fetch-put, fetch-add: as Ma 2014 has it, and mended.
    hogwild: on memory that all share, without locks.
    sampled-averaging: line searches on large random minibatches, then the models are averaged; an epoch is a round.
    module:Class: a strategy of your own (docs/python.md)."""
    every: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """averaging, bmuf: batches between two averages; an epoch unless given.
    diloco: 500 unless given. post-local: 16 unless given.
    sampled-averaging: line searches between two; 5 unless given.
    easgd, easgd-sync: between two exchanges; 10 unless given."""
    workers: int = 1
    """Number of workers."""
    server: str = "auto"
    """Where the parameters of workers at their own pace are.
    window: in MPI windows of the workers, on one node.
    ranks:S: on S ranks more, which serve them; a worker may die.
    auto: window, where a trial shows that it works; else ranks:1."""
    shards: Placing = "contiguous"
    """Of what --server serves. contiguous: one shard an owner. hashed: shards of 1 MB, dealt out by their hashes, as in
    Project Adam."""
    reassign: bool = False
    """Let the others take over the examples of a worker that died; with server ranks."""
    fetch_every: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """downpour: steps between two fetches; 1 unless given."""
    push_every: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """downpour: steps between two pushes; 1 unless given."""
    overlap: bool = False
    """downpour: fetch and push while computing; hides a slow network, and makes gradients about twice as stale."""
    warm_start: Annotated[float | None, tyro.conf.arg(metavar="EPOCHS")] = None
    """downpour: epochs that the first worker trains alone; 0 unless given."""
    elasticity: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """easgd: of the springs of all workers together; 0.9 unless given."""
    outer_learning_rate: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """bmuf, diloco: by which the averaged update is multiplied; 1 for bmuf and 0.7 for diloco unless given."""
    outer_momentum: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """bmuf, diloco: of the averaged updates; 1 - 1/N with N workers for bmuf and 0.9 for diloco unless given."""
    local_after: Annotated[int | None, tyro.conf.arg(metavar="EPOCHS")] = None
    """post-local: epochs of allreduce, before those of averaging; half of them all unless given."""
    sample: Annotated[float | None, tyro.conf.arg(metavar="FRACTION")] = None
    """sampled-averaging: size of a worker's random minibatch; 0.9 of the data unless given."""
    draws: Draws | None = None
    """sampled-averaging, where minibatches come from. own, unless given: each worker draws from all the data.
    same: all draw the same. shard: each from its own part."""
    directions: Directions | None = None
    """sampled-averaging, where line searches go: along the gradient, unless given, or in conjugate directions."""
    world: World = "auto"
    """single: one process. simulated: all workers in this process, in virtual time. mpi: real processes.
    auto: mpi under mpirun or srun, else single for one worker, else simulated."""
    threads: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Threads of each process; the machine's cores shared out unless given."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train: every layer of a DBN (contrastive divergence), or the whole of another model (back-propagation)."""

    epochs: int = 20
    """Passes over the data: of each DBN layer, or of the model. The most, with --stop convergence."""
    batch_size: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Examples of a minibatch, on each worker. 100 unless given; less where the data are few (64 steps an epoch)."""
    optimizer: RuleName = "sgd"
    """Update rule, as torch has it (adamw: with a weight decay of 0.01, of biases, too)."""
    learning_rate: float = 0.1
    """At the start."""
    momentum: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """Of sgd. 0.9 unless given; 0 under downpour, fetch-put, fetch-add and hogwild: asynchrony acts like momentum.
    --momentum 0 is plain descent, from the first epoch on."""
    early_momentum: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """Of sgd, until --early-epochs have passed. 0.5, or --momentum where that is less, unless given."""
    early_epochs: int = 5
    """Length of the early phase, in epochs."""
    schedule: Schedule = "constant"
    """Course of the learning rate over the epochs."""
    weight_cost: float = 0.0002
    """L2 penalty on RBM weights."""
    penalty: float = 0.0
    """L2 penalty on the weights of an mlp or a module: its half times their squares, divided by the examples.
    Those are of a worker's own minibatch."""
    gibbs_steps: int = 1
    """k of CD-k and PCD-k."""
    persistent: bool = False
    """Persistent contrastive divergence, with as many chains as a minibatch has examples."""
    stop: StopRule = "epochs"
    """epochs: a fixed number. convergence: until the error has not fallen by --tolerance for three epochs.
    At their own pace that is the minibatches' loss, and epochs that one push has ended count as one."""
    tolerance: float = 0.01
    """The least fall of the error that counts, as a fraction of the error."""
    seed: int = 0
    """Of everything: split, initial weights, order of the data, noise."""
    dtype: Arithmetic = "float32"
    """bf16-mixed: bfloat16 matrix products with float32 weights.
    auto: bf16-mixed where such products are at least 1.3 times as fast on this machine, else float32."""

    @property
    def precision(self) -> Precision:
        """`dtype`, once it is decided.

        Raises:
            ValueError: it still is auto.
        """
        if self.dtype == "auto":
            raise ValueError("dtype is still auto: decide it first (anabranch.autodtype.decided).")
        return self.dtype


@dataclass(frozen=True)
class FineTuningOptions:
    """How to fine-tune a pretrained DBN as a classifier, by back-propagation."""

    finetune_epochs: int = 20
    """Passes over the data; 0 leaves the network unsupervised. The most, with --finetune-stop convergence."""
    finetune_batch_size: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """As --batch-size."""
    finetune_optimizer: RuleName = "sgd"
    """Update rule."""
    finetune_learning_rate: float = 0.5
    """At the start."""
    finetune_momentum: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """As --momentum."""
    finetune_schedule: Schedule = "cosine"
    """Course of the learning rate over the epochs."""
    finetune_dropout: float = 0.0
    """Probability with which a hidden unit is left out of a step."""
    finetune_stop: StopRule = "epochs"
    """convergence: until the RMS error of all patterns has not fallen by the tolerance for three epochs.
    At their own pace that is the minibatches' loss."""
    finetune_tolerance: float = 0.01
    """As --tolerance."""
    finetune_workers: Literal["all", "one"] = "all"
    """one: the first worker alone, as De Filippo De Grazia et al. 2012 did."""


@dataclass(frozen=True)
class RunOptions:
    """Where the results go."""

    out: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """The run's folder, which must not exist or be empty; runs/DATA-MODEL-DATE unless given."""
    test_each_epoch: bool = False
    """Measure and record the test error after every epoch with labels, too."""
    checkpoint_seconds: float = 10.0
    """Least time between checkpoints; they are written at the end of an epoch."""
    tensorboard: bool = False
    """Write event files for TensorBoard, too, into the run's folder."""
    verbose: bool = False
    """Show each rank's samples a second, and the share of its time in which it waited, after every epoch."""


@dataclass(frozen=True)
class Config:
    """All options of a run, in groups; on the command line the groups' names are left out."""

    data: tyro.conf.OmitArgPrefixes[DataOptions] = field(default_factory=DataOptions)
    model: tyro.conf.OmitArgPrefixes[ModelOptions] = field(default_factory=ModelOptions)
    parallel: tyro.conf.OmitArgPrefixes[ParallelOptions] = field(default_factory=ParallelOptions)
    training: tyro.conf.OmitArgPrefixes[TrainingOptions] = field(default_factory=TrainingOptions)
    finetuning: tyro.conf.OmitArgPrefixes[FineTuningOptions] = field(default_factory=FineTuningOptions)
    run: tyro.conf.OmitArgPrefixes[RunOptions] = field(default_factory=RunOptions)


PRESETS: dict[str, dict[str, Any]] = {
    # De Filippo De Grazia, Stoianov & Zorzi 2012: 784-500-500-2000, minibatches of 125, 50 epochs a layer as in Hinton
    # & Salakhutdinov 2006, fine-tuning on one processor. The paper leaves the fine-tuning's method open,
    # but ends it by the error, where ours has a fixed length; docs/degrazia2012.md says more.
    "degrazia": {
        "model": {"model": "dbn:784-500-500-2000"},
        "training": {"epochs": 50, "batch_size": 125, "tolerance": 0.003},
        "finetuning": {
            "finetune_epochs": 30,
            "finetune_batch_size": 125,
            "finetune_learning_rate": 0.3,
            "finetune_dropout": 0.2,
            "finetune_workers": "one",
        },
    },
}


def preset(name: str) -> Config:
    """The options of a paper's experiment.

    Raises:
        UsageError: no such preset.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return updated(Config(), PRESETS[name], f"preset {name}")


def read_toml(path: Path, base: Config) -> Config:
    """`base`, changed by a file of tables like those of a run's `config.toml`.

    Raises:
        UsageError: no such file, no TOML, or an option that does not exist or has the wrong type.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"cannot read the configuration {path}: {reason}.") from error
    except (ValueError, RecursionError) as error:  # which is what tomllib's own are, and Python's of endless numbers
        raise UsageError(f"{path} is not valid TOML: {error}.") from error
    return updated(base, tables, str(path))


def updated(config: Config, tables: dict[str, Any], source: str) -> Config:
    """`config` with the values of nested `tables`; every name and type is checked.

    Raises:
        UsageError: naming `source`.
    """
    changes = {}
    groups = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    for name, table in tables.items():
        if name not in groups:
            raise unknown_name(f"table in {source}", name, groups)
        if not isinstance(table, dict):
            raise UsageError(f"{source}: '{name}' must be a table of options, [{name}], not the value {table!r}.")
        changes[name] = _updated_group(groups[name], table, f"{source}, [{name}]")
    return dataclasses.replace(config, **changes)


def tables(config: Config) -> dict[str, dict[str, Any]]:
    """The options as nested tables; those without a value are left out, for TOML has no null."""
    groups: dict[str, dict[str, Any]] = dataclasses.asdict(config)
    return {
        group: {name: value for name, value in options.items() if value is not None}
        for group, options in groups.items()
    }


def _updated_group(group: Any, table: dict[str, Any], source: str) -> Any:
    hints = get_type_hints(type(group))
    for name, value in table.items():
        if name not in hints:
            raise unknown_name(f"option in {source}:", name, hints)
        try:
            check_type(value, hints[name])
        except TypeCheckError as error:
            raise UsageError(f"{source}: {name} = {value!r} does not fit: {error}.") from error
        if isinstance(value, bool) and hints[name] is not bool:  # to Python a bool is an int
            raise UsageError(f"{source}: {name} = {value!r} does not fit: it is no yes or no.")
    return dataclasses.replace(group, **table)

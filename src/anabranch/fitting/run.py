"""`anabranch.fit`: a run of `anabranch train`, from a Python program and with its own objects."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from anabranch.checkpoint import load_world
from anabranch.cluster import Cluster
from anabranch.comm.base import Communicator
from anabranch.config import Arithmetic, Config, World
from anabranch.data import Scale, Source
from anabranch.errors import Interrupted, UsageError
from anabranch.fitting.given import (
    Given,
    StrategyLike,
    as_cluster,
    as_config,
    as_decided,
    load_into,
    named_strategy,
    prepare,
    run_folder,
)
from anabranch.fitting.result import Epoch, Fit, History, fit_of
from anabranch.launch import cores, started_ranks
from anabranch.objectives import Loss
from anabranch.optim import RuleName, Schedule
from anabranch.progress import Display, Silence, make_display
from anabranch.session import train_here, with_world
from anabranch.simulate.plan import make_stage
from anabranch.trainer import Parts


def fit(
    model: nn.Module | str,
    data: Source,
    *,
    test: Source | None = None,
    loss: Loss | None = None,
    strategy: StrategyLike = "averaging",
    every: int | None = None,
    workers: int = 1,
    world: World = "auto",
    cluster: Cluster | str | Path | None = None,
    epochs: int = 20,
    batch_size: int | None = None,
    optimizer: RuleName | None = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    schedule: Schedule | None = None,
    seed: int = 0,
    dtype: Arithmetic = "float32",
    threads: int | None = None,
    test_fraction: float = 0.2,
    scale: Scale = "auto",
    test_each_epoch: bool = False,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Fit:
    """Train `model` on `data`, spread over workers; with the same options, the bits of `anabranch train`.

    Every worker trains a copy of the module: from its parameters as they are, without those that require no gradient.
    What is learnt is then loaded into the module itself. Buffers, such as running means of batch normalisation, stay
    with their worker while it trains; the module gets those of the first worker. Copies of a module in evaluation mode
    train in training mode, the module itself keeps its mode.

    Args:
        model: a module on the CPU, from batches of examples to logits [batch, classes], or to what `loss` takes; or a
            name, as of `anabranch train --model`.
        data: a pair (features, targets) of arrays or tensors, a `torch.utils.data.Dataset`, an `anabranch.Dataset`, or
            a name or path, as of `--data`. Features become floating point; the module is given them in their shape,
            those of named data and of ours as rows.
        test: data of the same kind to be tested on; unless given a part of `data` is held out.
        loss: (outputs, targets) to the mean over the batch, a scalar tensor; cross-entropy unless given. With a loss
            targets may be any numbers [n, …]: floating point, unless they are integers that could number classes.
        strategy: a name, as of `--strategy`; a strategy object, with its own update rule; or a class, which is made
            with the rule that the following options describe.
        every: as `--every`.
        workers: how many; on MPI as many as there are.
        world: auto: MPI under mpirun or srun, where every rank must call this; else single for one worker, else
            simulated.
        cluster: its name or file, or an `anabranch.cluster.Cluster`, in whose virtual time simulated workers run
            (`anabranch simulate`).
        epochs: passes over the data. Of a DBN this and what follows are those of each layer; where there are labels its
            fine-tuning is as the defaults of `anabranch train` have it.
        batch_size: examples of a minibatch, on each worker; chosen as by `anabranch train` unless given.
        optimizer: sgd unless given.
        learning_rate: at the start; 0.1 unless given.
        momentum: of sgd, in the first five epochs at most 0.5; as `--momentum` unless given. It goes with no
            other optimizer.
        schedule: of the learning rate; constant unless given.
        seed: of everything but the module's initial weights: split, order of the data, noise.
        dtype: of the arithmetic, whatever the module's is.
        threads: of each process.
        test_fraction: of `data`, where they have no test part of their own.
        scale: of features, as `--scale`.
        test_each_epoch: measure the test error after every epoch, too.
        out: folder of the run, as `--out`; nothing is written to the disk unless given.
        resume: go on with the run in `out`, if there is one; on a cluster in the virtual time where it stopped.
        progress: whether to show the course.
        on_epoch: told of every epoch, on rank 0.

    Returns:
        The trained model, its epochs, and what each worker did; on MPI the same on every rank.

    Raises:
        UsageError: an option is wrong, or two do not go together.
        DataError: the data are damaged, or do not fit together.
        DivergedError: a loss or weights are no longer finite. (On MPI a rank that fails ends all.)
        Interrupted: a signal came, and a checkpoint was written to `out`.
    """
    given = Given(model, data, test, loss, test_fraction, scale)
    rule = {"optimizer": optimizer, "learning_rate": learning_rate, "momentum": momentum, "schedule": schedule}
    with _speaking_python(), named_strategy(strategy, rule) as (chosen, rule):
        groups = {
            "parallel": {**chosen, "every": every, "workers": workers, "world": world, "threads": threads},
            "training": {**rule, "epochs": epochs, "batch_size": batch_size, "seed": seed, "dtype": dtype},
            "run": {"out": None if out is None else str(out), "test_each_epoch": test_each_epoch},
        }
        config, history = as_config(given, groups), History(on_epoch)
        return _run(config, given, as_cluster(cluster), history, resume=resume, progress=progress)


def _run(
    config: Config, given: Given, cluster: Cluster | None, history: History, *, resume: bool, progress: bool
) -> Fit:
    started, threads = started_ranks(), torch.get_num_threads()
    if config.parallel.world == "mpi" and not started:
        raise UsageError(
            "no ranks were started, and a program that runs cannot start itself anew: start it by  "
            f"mpirun -n {max(config.parallel.workers, 2)} python script.py"
        )
    config = with_world(as_decided(config) if resume else config, started)
    if cluster is not None and config.parallel.world == "mpi":
        raise UsageError("a cluster is simulated, MPI is not: leave one of them out.")
    try:
        if config.parallel.world == "mpi":
            from anabranch.fitting.onmpi import fit_on_mpi  # starts MPI: only where it is wanted

            return fit_on_mpi(config, given, history, resume=resume, progress=progress)
        return _fit_here(config, given, cluster, history, make_display() if progress else Silence(), resume=resume)
    finally:
        torch.set_num_threads(threads)


def _fit_here(
    config: Config, given: Given, cluster: Cluster | None, history: History, display: Display, *, resume: bool
) -> Fit:
    config, dataset, parts = prepare(config, given, cores(), display)
    stage = None if cluster is None else make_stage(config, dataset, cluster, None, parts)
    folder = run_folder(config, stage.cluster if stage else None, resume=resume)
    trained: list[nn.Module] = []

    def finished(comm: Communicator, model: nn.Module, network: nn.Module | None, _summary: object) -> None:
        if comm.rank == 0:
            trained.append(load_into(given.model, model, network))

    parts = Parts(parts.build, parts.loss, parts.classifies, [history], finished)
    if stage is None:
        summary = train_here(config, dataset, folder, display, parts=parts)
        return fit_of(trained[0], history.as_json(), summary)
    world = stage.world(start=load_world(folder.checkpoints) if folder else [])
    summary = train_here(config, dataset, folder, display, world, staged=stage.staged, parts=parts)
    virtual = max(account.clock for account in world.ledger.accounts())
    return fit_of(trained[0], history.as_json(), summary, virtual)


@contextmanager
def _speaking_python() -> Iterator[None]:
    """Have sentences name options as `fit` calls them: batch_size, not --batch-size."""
    try:
        yield
    except Interrupted as error:
        again = f"{str(error).rstrip('.')}: go on by the same fit with resume=True."
        raise Interrupted(error.exit_code - 128, again) from error
    except UsageError as error:
        text = re.sub(r"--resume \S+", "resume=True", str(error))
        text = re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda found: found[1].replace("-", "_"), text)
        raise UsageError(text) from error

"""The parts of a training loop of one's own: a task for each worker, and worlds for them to work in.

def program(comm):                                   every worker runs it
task = anabranch.task(make_model(), data, comm)
for step in anabranch.Averaging().run(task, comm):
...                                          step.loss, step.epoch, step.examples
return task.errors

anabranch.simulated(4).run(program)                  a list, of what each returned
program(anabranch.mpi())                             under mpirun
"""

from functools import cache

from torch import nn

from anabranch.build import try_out
from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.data import Source, as_dataset
from anabranch.errors import UsageError
from anabranch.launch import started_ranks
from anabranch.models import RBM
from anabranch.objectives import ContrastiveDivergence, Loss, Objective, Precision, back_propagation
from anabranch.objectives.base import pattern_dtype, weight_dtype
from anabranch.plans import TRAINING, fitting_batch
from anabranch.strategies import FixedEpochs, Monitor, Shard, Stopping, Task
from anabranch.supervise import supervised_seed


def task(
    model: nn.Module,
    data: Source,
    comm: Communicator,
    *,
    loss: Loss | None = None,
    epochs: int = 20,
    batch_size: int | None = None,
    seed: int = 0,
    precision: Precision = "float32",
    stopping: Stopping | None = None,
    monitor: Monitor | None = None,
) -> Task:
    """One worker's task: `model`, which is trained in place, on this worker's part of `data`.

    Each worker calls it with a model of its own; strategies begin at the first worker's weights. An RBM learns by
    contrastive divergence, other modules by back-propagation. For what else can be chosen, make an `anabranch.Task`.

    Args:
        model: a module on the CPU, from rows [batch, features] to logits, or to what `loss` takes. Its training puts it
            into training mode, if it is in evaluation mode.
        data: as for `anabranch.fit`; examples come as rows. Those held out for testing are not used.
        comm: of all workers.
        loss: as for `anabranch.fit`.
        epochs: passes over the data.
        batch_size: examples of a minibatch, on each worker; chosen as by `anabranch.fit` unless given.
        seed: of the division of the data, their order, and the noise.
        precision: of the arithmetic; the module's parameters are of that type already.
        stopping: another criterion than a number of epochs.
        monitor: hears of every step and epoch.

    Raises:
        UsageError, DataError: they are wrong, or do not fit together.
    """
    dataset, _ = as_dataset(data, regression=loss is not None, seed=seed)
    rbm = isinstance(model, RBM)
    objective: Objective
    if isinstance(model, RBM):
        objective = ContrastiveDivergence(model, precision=precision)
    else:
        try_out(type(model).__name__, model, dataset, weight_dtype(precision), loss)
        objective = back_propagation(model, loss=loss, precision=precision)
    batch = batch_size or fitting_batch(len(dataset.train), comm.size)
    dtype = pattern_dtype(precision) if rbm else weight_dtype(precision)
    return Task(
        objective,
        Shard.of(dataset.train, comm, batch, seed, dtype),
        stopping or FixedEpochs(epochs),
        seed=supervised_seed(seed, comm.rank),
        name=TRAINING,
        monitor=monitor,
        quantity="reconstruction error" if rbm else "loss",
    )


def simulated(workers: int) -> SimulatedWorld:
    """A world of so many workers in this process: `simulated(4).run(program)` runs `program(comm)` on each.

    Raises:
        UsageError: fewer than one.
    """
    return SimulatedWorld(workers)


@cache
def mpi() -> Communicator:
    """The communicator of all ranks that mpirun or srun started, this process among them. Collective.

    Raises:
        UsageError: none were started, or the MPI library is not that of the mpirun.
    """
    started = started_ranks()
    if not started:
        raise UsageError(
            "no ranks were started, and a program that runs cannot start itself anew: start it by  "
            "mpirun -n 4 python script.py"
        )
    from anabranch.comm import mpi_world  # starts MPI

    return mpi_world.join(started)

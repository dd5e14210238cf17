"""One tree of exceptions. A user meets each as one sentence: what was wrong, and what to do about it."""

import difflib
from collections.abc import Iterable


class AnabranchError(Exception):
    """Anything that Anabranch says to a user. `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(AnabranchError):
    """An option, name, size or path is wrong, and nothing has run yet."""

    exit_code = 2


class DataError(AnabranchError):
    """A data set's content is damaged or does not mean what it should."""


class StorageError(AnabranchError):
    """A file could not be written (permissions, full disk)."""


class CheckpointError(AnabranchError):
    """A checkpoint is missing, damaged, or belongs to another run."""


class DivergedError(AnabranchError):
    """The loss or the weights are no longer finite."""

    remedy = "use a lower learning rate"
    """In every such sentence: by it one who reads a run's last words knows this end from others."""


class CommunicationError(AnabranchError):
    """The ranks do not fit together: operations, shapes or counts differ between them."""


class DeadlockError(CommunicationError):
    """Every rank waits for another one."""


class ReceiveTimeout(CommunicationError):
    """No message came within the time that `recv` was given."""


class PeerLost(CommunicationError):
    """A rank that this operation needs is dead. `ranks` are its ranks in the communicator that raised."""

    def __init__(self, ranks: Iterable[int], sentence: str = "") -> None:
        self.ranks = frozenset(ranks)
        names = ", ".join(str(rank) for rank in sorted(self.ranks)) or "unknown"
        usual = f"rank {names} is lost: start again with --resume, which continues from the last checkpoint."
        super().__init__(sentence or usual)


class Unsupported(CommunicationError):
    """This communicator cannot do what was asked; `Communicator.provides` says beforehand."""


class Interrupted(AnabranchError):
    """A signal asked the run to stop; a checkpoint was written first.

    `agreed` says that all ranks end so, by themselves.
    """

    agreed = True

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def no_mpi_library() -> UsageError:
    """The error for a machine where mpi4py finds no MPI to load."""
    return UsageError(
        "no MPI library found: load your cluster's MPI module, or install one with  pip install 'anabranch[mpi]'"
    )


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is in no catalogue, with the nearest known name, if any is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"choose one of: {', '.join(names)}."
    return UsageError(f"unknown {kind} '{name}': {hint}")

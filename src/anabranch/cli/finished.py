"""What the commands that work on a finished run share."""

import torch

from anabranch.config import Config
from anabranch.errors import UsageError
from anabranch.launch import cores, started_ranks


def alone(command: str) -> None:
    """Refuse to run several times at once.

    Raises:
        UsageError: mpirun or srun has started more than one rank.
    """
    if (ranks := started_ranks()) > 1:
        raise UsageError(
            f"anabranch {command} runs in one process, but {ranks} ranks were started: start it without mpirun or srun."
        )


def use_threads(config: Config) -> None:
    """Compute with as many threads as the run did, on which the last bits depend, or with those that there are."""
    torch.set_num_threads(min(config.parallel.threads or 1, cores()))

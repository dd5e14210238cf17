"""Where the parameters of an asynchronous run on MPI are, if that was left open: a trial says."""

import dataclasses

from anabranch.comm.base import Communicator
from anabranch.config import Config
from anabranch.plans import hosting
from anabranch.progress import Display
from anabranch.server.probe import probe


def with_server(config: Config, comm: Communicator, display: Display) -> Config:
    """`config` with its server decided by a trial, and the workers that are left. Collective.

    Where windows do not do, the first rank serves instead of working.
    """
    if config.parallel.server != "auto" or hosting(config) is None:
        return config
    found = probe(comm)
    server = "window" if found.works else "ranks:1"
    display.say(f"parameters in {'windows of the workers' if found.works else 'the care of rank 0'}: {found.reason}")
    workers = comm.size if found.works else comm.size - 1
    return dataclasses.replace(config, parallel=dataclasses.replace(config.parallel, server=server, workers=workers))

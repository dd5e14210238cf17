"""`anabranch COMMAND`: finds the command, and turns every error into one sentence and an exit code."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence

from anabranch import __version__
from anabranch.errors import AnabranchError, Interrupted, UsageError, unknown_name
from anabranch.launch import own_rank, report_failure, started_ranks

REPEAT_SECONDS = 0.5
USAGE = """\
Distributed neural-network training: the algorithms of the literature, simulated and on MPI, with the same code.

  anabranch train        train a model: on one process, on simulated workers, or on MPI
  anabranch simulate     the same training on 1, 2, 4, … simulated workers, as one table

  anabranch COMMAND --help     all options of a command
  anabranch --version

Begin with:  anabranch train                                a deep belief network on small digits, in seconds
             anabranch train --data mnist --preset degrazia     the experiment of De Filippo De Grazia et al. 2012
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0, 2 for wrong usage, 1 for a failure, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _command(arguments)
    except AnabranchError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return _fail(Interrupted(signal.SIGINT, "stopped at once; --resume goes on from the last checkpoint."))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # A bug of ours, or of a user's own module: the ranks must not hang, whatever it was.
        return _fail(_unforeseen(error))


def _command(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0
    if arguments[0] == "--version":
        print(f"anabranch {__version__}")
        return 0
    # Imported when needed: `--help` should not wait for torch.
    from anabranch.cli import simulate, train

    commands: dict[str, Callable[[list[str]], int]] = {"train": train.main, "simulate": simulate.main}
    if arguments[0] not in commands:
        raise unknown_name("command", arguments[0], commands)
    return commands[arguments[0]](arguments[1:])


def _unforeseen(error: Exception) -> AnabranchError:
    if os.environ.get("ANABRANCH_TRACEBACK"):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return AnabranchError(
        f"unforeseen {type(error).__name__} in {frame.filename}, line {frame.lineno}: {error} "
        "(set ANABRANCH_TRACEBACK=1 to see all of it)"
    )


def _fail(error: AnabranchError) -> int:
    rank = own_rank()
    if rank > 0:
        if isinstance(error, Interrupted):
            return error.exit_code  # agreed on by all ranks; rank 0 says so
        # Where all ranks fail alike, rank 0 says so and ends the others before they repeat it.
        time.sleep(REPEAT_SECONDS)
    report_failure(error.exit_code, f"anabranch: {error}" + (f" (rank {rank})" if rank > 0 else ""))
    if started_ranks() and not isinstance(error, Interrupted):
        _end_all(error.exit_code)
    return error.exit_code


def _end_all(code: int) -> None:
    try:
        from anabranch.comm import mpi_world
    except UsageError:
        return  # no MPI library: there is nobody to end
    mpi_world.end_all(code)

"""`anabranch COMMAND`: finds the command, and turns every error into one sentence and an exit code."""

import contextlib
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence

from anabranch import __version__
from anabranch.cli.refusals import refusal
from anabranch.errors import AnabranchError, Interrupted, UsageError, unknown_name
from anabranch.lasting import silence_stdout
from anabranch.launch import AT_ONCE, NOTHING_KEPT, own_rank, report_failure, started_ranks

REPEAT_SECONDS = 0.5
COMMANDS = (
    "train",
    "simulate",
    "compare",
    "reproduce",
    "report",
    "evaluate",
    "sample",
    "export",
    "calibrate",
    "doctor",
)
KEEPING_NOTHING = ("evaluate", "sample", "export", "calibrate", "doctor", "report")  # where they are stopped half-way
BY_ITSELF = "stopped at once; what was finished is kept: go on with the same command and --out."
GOING_ON_BY_THEMSELVES = ("simulate", "compare", "reproduce")
USAGE = """\
Distributed neural-network training: the algorithms of the literature, simulated and on MPI, with the same code.

  anabranch train        train a model: on one process, on simulated workers, or on MPI
  anabranch simulate     the same training on 1, 2, 4, … simulated workers, as one table
  anabranch compare      strategies on equal terms: which is best for your network and cluster
  anabranch reproduce    a paper's tables and figures, with ours beside them
  anabranch report       a page with charts about what is in a folder, or about several runs

  anabranch evaluate     a trained model's error, class by class, on its test part or on other data
  anabranch sample       pictures that a trained deep belief network dreams up, of one class if you like
  anabranch export       a trained model for plain PyTorch, or as ONNX

  anabranch doctor       what Anabranch finds on this machine, what is wrong, and what to do about it
  anabranch calibrate    measure this machine's computing and MPI, as a cluster file

  anabranch COMMAND --help     all options of a command
  anabranch --version

Begin with:  anabranch train                                a deep belief network on small digits, in seconds
             anabranch train --data mnist --preset degrazia     the experiment of De Filippo De Grazia et al. 2012
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0, 2 for wrong usage, 1 for a failure, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # NumPy multiplies nothing large here, and the threads of its library have been seen to wait for torch's at the end.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        return _command(arguments)
    except AnabranchError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return _fail(Interrupted(signal.SIGINT, _at_once(arguments[0] if arguments else "")), agreed=False)
    except SystemExit as ending:  # of tyro, which has shown help, or said what is wrong
        return _leave(ending)
    except BrokenPipeError:
        silence_stdout()
        return 1
    except Exception as error:  # A bug of ours, or of a user's own module: the ranks must not hang, whatever it was.
        if isinstance(error, OSError) and error.filename is None:
            silence_stdout()  # a full disk behind it must not fail once more at the end
        return _fail(refusal(error) or _unforeseen(error))


def _at_once(command: str) -> str:
    """What there is after a stop at once, and how to go on."""
    if command in KEEPING_NOTHING:
        return NOTHING_KEPT
    return BY_ITSELF if command in GOING_ON_BY_THEMSELVES else AT_ONCE


def _command(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0
    if arguments[0] == "--version":
        print(f"anabranch {__version__}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise unknown_name("command", name, COMMANDS)
    # Imported when needed: neither `--help` nor `report` should wait for torch, nor `train` for what others draw with,
    # nor `doctor` for what may be broken.
    main: Callable[[list[str]], int] = importlib.import_module(f"anabranch.cli.{name}").main
    return main(rest)


def _unforeseen(error: Exception) -> AnabranchError:
    if os.environ.get("ANABRANCH_TRACEBACK"):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return AnabranchError(
        f"unforeseen {type(error).__name__} in {frame.filename}, line {frame.lineno}: {error} "
        "(set ANABRANCH_TRACEBACK=1 to see all of it)"
    )


def _fail(error: AnabranchError, *, agreed: bool = True) -> int:
    """Say what is wrong, once, and end all ranks unless they have `agreed` on this interruption."""
    rank = own_rank()
    agreed = agreed and isinstance(error, Interrupted) and error.agreed
    if rank > 0:
        if agreed:
            return error.exit_code  # rank 0 says so
        _let_rank_0_speak()
    report_failure(error.exit_code, f"anabranch: {error}" + (f" (rank {rank})" if rank > 0 else ""))
    if started_ranks() and not agreed:
        _end_all(error.exit_code)
    return error.exit_code


def _let_rank_0_speak() -> None:
    """Wait a little: where all ranks fail alike, rank 0 says so and ends the others before they repeat it."""
    # Joining MPI waits for rank 0, which joins after it has spoken where it failed before: then its end is near.
    with contextlib.suppress(UsageError):
        importlib.import_module("anabranch.comm.mpi_world")
    time.sleep(REPEAT_SECONDS)


def _leave(ending: SystemExit) -> int:
    if isinstance(ending.code, str):
        print(ending.code, file=sys.stderr)
    code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    if code and started_ranks():
        _end_all(code)
    return code


def _end_all(code: int) -> None:
    try:
        from anabranch.comm import mpi_world
    except UsageError:
        return  # no MPI library: there is nobody to end
    mpi_world.end_all(code)

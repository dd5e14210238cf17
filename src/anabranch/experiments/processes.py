"""A process for each cell, forked from one that has imported everything: it begins in milliseconds, not in seconds."""

import multiprocessing
import os
import runpy
import signal
import sys
import threading
from collections.abc import Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

from anabranch.report.wanted import PAGES

ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""For each: matrix products of several processes would else fight for all cores."""

PRELOADED = "anabranch.cli.preloaded"
"""By its name, as `python -m anabranch` would be: an experiment is above the commands, and imports none."""

_context = multiprocessing.get_context("forkserver")


class CellProcess:
    """A command of ours in a process of its own, which does not outlive this one, and hears no Ctrl-C but through it.

    Args:
        arguments: of `anabranch`.
        said: the file for what it says on standard error; standard output is dropped.
    """

    def __init__(self, arguments: Sequence[str], said: Path) -> None:
        _start_server()
        ours, self._alive = _context.Pipe(duplex=False)
        self._said, self._ended = said, threading.Event()
        given = (list(arguments), dict(os.environ | ONE_CORE | {PAGES: "none"}), Path.cwd(), said.absolute(), ours)
        self._process = _context.Process(target=_run, args=given, daemon=True)
        self._process.start()
        ours.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process.pid is not None  # it was started
        return self._process.pid

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it. For one thread alone, which is the first to know."""
        self._process.join()
        self._ended.set()
        self._alive.close()
        code = self._process.exitcode
        return 1 if code is None else code

    def ended(self, timeout: float) -> bool:
        """Whether `wait` has returned, or does so within `timeout` seconds."""
        return self._ended.wait(timeout)

    def said(self) -> str:
        """On standard error."""
        return self._said.read_text(encoding="utf-8", errors="replace") if self._said.exists() else ""

    def terminate(self) -> None:
        """Ask it to stop at the end of an epoch."""
        if not self.ended(0):
            self._process.terminate()

    def hurry(self) -> None:
        """Once it was asked to stop: not to wait for the end of an epoch, as a second Ctrl-C says."""
        if not self.ended(0):
            os.kill(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it at once, without a word to what it has started."""
        if not self.ended(0):
            self._process.kill()


def _start_server() -> None:
    """The process to fork from: libraries take their number of threads from the environment when they are imported."""
    _context.set_forkserver_preload([PRELOADED])
    before = {name: os.environ.get(name) for name in ONE_CORE}
    os.environ.update(ONE_CORE)
    try:
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _run(arguments: list[str], environment: dict[str, str], here: Path, said: Path, parent: Connection) -> None:
    """In the new process."""
    os.setsid()  # the terminal's Ctrl-C must reach the experiment alone: a cell on MPI takes a second signal for haste
    os.chdir(here)
    os.environ.clear()
    os.environ.update(environment)
    null = os.open(os.devnull, os.O_RDWR)
    for target, source in ((0, null), (1, null), (2, os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666))):
        os.dup2(source, target)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    sys.argv = ["anabranch", *arguments]
    runpy.run_module("anabranch", run_name="__main__")


def _end_with(parent: Connection) -> None:
    """Stop this process, as SIGTERM does, when the one that asked for it is gone: its end of the pipe closes then."""
    try:
        parent.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)

"""Messages get on while this process computes: MPI libraries move large ones only inside of a call, so a thread calls.

MPI must allow calls from all threads. It does as mpi4py starts it; where not, messages get on at `done()` and `wait()`.
"""

import atexit
import threading
import time
from typing import Protocol

from anabranch.comm.mpi_library import MPI

_PERIOD = 0.001  # seconds between calls while something is under way


class Pending(Protocol):
    """What the thread brings to its end."""

    def advance(self) -> bool:
        """Let MPI get on with it, and whether it has ended. Raises nothing, waits for nobody."""
        ...


class Progress:
    """The operations of this process that are under way, and the thread that lets MPI get on with them.

    It also holds them: a request that its owner forgets still has memory that MPI reads or writes.
    """

    def __init__(self, threaded: bool) -> None:
        self._pending: set[Pending] = set()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="anabranch-mpi", daemon=True) if threaded else None
        self._ended = False

    def watch(self, operation: Pending) -> None:
        """Let `operation` get on until `forget`."""
        with self._changed:
            self._pending.add(operation)
            if self._thread is None or self._ended:
                return
            if self._thread.ident is None:
                self._thread.start()
            self._changed.notify()

    def forget(self, operation: Pending) -> None:
        """`operation` has ended."""
        with self._changed:
            self._pending.discard(operation)

    def end(self) -> None:
        """Make no more calls: MPI is about to be finalized."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._await_work():
            # First the nap: whoever started the operation has just called MPI, and short ones need no help.
            time.sleep(_PERIOD)
            for operation in self._under_way():
                operation.advance()

    def _await_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._ended)
            return not self._ended

    def _under_way(self) -> list[Pending]:
        with self._changed:
            return [] if self._ended or MPI.Is_finalized() else list(self._pending)


PROGRESS = Progress(MPI.Query_thread() == MPI.THREAD_MULTIPLE)
# Runs before mpi4py finalizes MPI, which it does when the interpreter is gone.
atexit.register(PROGRESS.end)

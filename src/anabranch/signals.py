"""A wish to stop, from outside: Ctrl-C, a scheduler's SIGTERM, or the launcher's SIGUSR1."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopFlag:
    """Holds the number of the first signal that asked this process to stop; 0 until then."""

    def __init__(self) -> None:
        self.signal_number = 0

    @contextmanager
    def listening(self, *, announce: bool) -> Iterator["StopFlag"]:
        """Catch the signals; a second SIGINT stops at once. `announce` says so on standard error.

        Only a program's main thread can: in another one nothing is caught.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return

        def handle(number: int, _frame: FrameType | None) -> None:
            if number == signal.SIGINT and self.signal_number:
                raise KeyboardInterrupt
            # The launcher forwards a Ctrl-C as SIGUSR1, for mpirun kills its ranks at a SIGINT.
            self.signal_number = signal.SIGINT if number == signal.SIGUSR1 else number
            if announce:
                print(
                    "\nstopping at the end of this epoch or before, and saving; Ctrl-C again: at once",
                    file=sys.stderr,
                )

        caught = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        before = {number: signal.signal(number, handle) for number in caught}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

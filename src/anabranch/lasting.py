"""Standard output that may end before the program does: a pipe whose reader has gone, a full disk, none at all."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any, TextIO, cast


def silence_stdout() -> None:
    """Send all that is still said to nowhere, so that nothing fails for it, not even at the program's end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # it may be closed, or no file at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Lasting:
    """A stream for the course of a run, which goes on when nobody can read of it any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As the stream's, while it lasts."""
        try:
            return self._stream.write(text)
        except OSError:
            silence_stdout()
            return len(text)

    def flush(self) -> None:
        """As the stream's, while it lasts."""
        try:
            self._stream.flush()
        except OSError:
            silence_stdout()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def lasting_stdout() -> TextIO:
    """Standard output, or, where it was closed, nowhere."""
    if sys.stdout is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    return cast(TextIO, Lasting(sys.stdout))

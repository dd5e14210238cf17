"""Running a command that may hang: it ends in time, and what it says cannot block."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GRACE = 2.0  # seconds between asking a command to end and killing it


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code; None where it took too long and was stopped.
        output: its standard output.
        complaints: its standard error.
    """

    code: int | None
    output: str
    complaints: str

    @property
    def reason(self) -> str:
        """The first words of what it complained about, or else said."""
        said = [line.strip() for line in f"{self.complaints}\n{self.output}".splitlines()]
        return next((line[:200] for line in said if line.strip("-=*\0 ")), "it said nothing")


def run_bounded(command: Sequence[str], seconds: float, environment: Mapping[str, str] = os.environ) -> Ended:
    """Run `command` for at most `seconds` and a little; it and its process group are killed then, or with this one."""
    # Files, not pipes: a grandchild that outlives the command would hold a pipe open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=complaints,
                env=dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            return Ended(127, "", error.strerror or str(error))
        code = _waited(process, seconds)
        texts = []
        for file in (output, complaints):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return Ended(code, *texts)


def _waited(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:  # after a Ctrl-C, too
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE)

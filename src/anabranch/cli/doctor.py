"""`anabranch doctor`: a checklist of this machine, with a remedy for everything that is wrong."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.text import Text

from anabranch import __version__
from anabranch.doctor.checklist import STATES, conclusion, findings, lines, self_test_findings
from anabranch.doctor.findings import Finding
from anabranch.doctor.look import (
    look_around,
    look_at_compiled,
    look_at_cores,
    look_at_installation,
    look_at_storage,
    look_at_torch,
)
from anabranch.doctor.look_mpi import look_at_mpi
from anabranch.doctor.selftest import self_test
from anabranch.doctor.sights import SelfTest, Sight
from anabranch.errors import UsageError
from anabranch.files import make_folder, write_json
from anabranch.launch import started_ranks

DESCRIPTION = """\
Look at what Anabranch needs of this machine, and say what to do about what is wrong: Python and its packages, the speed
of torch, cores, MPI, shared memory, Slurm, data, disk; then let two ranks compute under mpirun. It takes some seconds,
and ends with exit code 1 if there is a problem. Examples:

  anabranch doctor
  anabranch doctor --json doctor.json        all that was seen, as data, for a report of a bug
  anabranch doctor --no-self-test            without starting ranks, as on a login node
"""
STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}


@dataclass(frozen=True)
class Arguments:
    """All options of `anabranch doctor`."""

    self_test: bool = True
    """Let two ranks compute under mpirun."""
    json: Annotated[str | None, tyro.conf.arg(metavar="FILE.json")] = None
    """Write the findings, and all that was seen, there too; a file that exists is replaced."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code: 1 if there is a problem.

    Raises:
        UsageError: mpirun or srun has started this process.
        StorageError: the file cannot be written.
    """
    if started_ranks():
        raise UsageError("anabranch doctor starts its own ranks: start it without mpirun or srun.")
    options = tyro.cli(Arguments, args=arguments, prog="anabranch doctor", description=DESCRIPTION)
    console = Console(highlight=False)
    console.print(f"anabranch {__version__}: looking at this machine …")
    seen = look()
    found = findings(seen)
    _show(found, console)
    test = _tested(seen, console, wanted=options.self_test)
    tested = self_test_findings(test)
    _show(tested, console)
    found += tested
    console.print(conclusion(found))
    if options.json is not None:
        _write(Path(options.json), found, seen, test)
        console.print(f"written to {options.json}", markup=False, soft_wrap=True)
    return int(any(finding.state == "problem" for finding in found))


def look() -> Sight:
    """Everything that can be seen without starting ranks."""
    return Sight(
        look_at_installation(),
        look_at_torch(),
        look_at_compiled(),
        look_at_cores(),
        look_around(),
        look_at_storage(),
        look_at_mpi(),
    )


def _tested(seen: Sight, console: Console, *, wanted: bool) -> SelfTest:
    """The self-test, unless something stands against it."""
    if not wanted:
        return SelfTest(skipped="--no-self-test")
    if seen.torch.error:
        return SelfTest(skipped="torch cannot be imported")
    console.print("         two ranks are computing, for half a minute at most …", style="dim")
    return self_test(seen.mpi)


def _show(found: Sequence[Finding], console: Console) -> None:
    for finding in found:
        first, *others = lines(finding)
        text = Text(first)
        text.stylize(STYLES[finding.state], 0, STATES)
        console.print(text, soft_wrap=True)
        for line in others:
            console.print(line, markup=False, soft_wrap=True)


def _write(path: Path, found: Sequence[Finding], seen: Sight, test: SelfTest) -> None:
    make_folder(path.parent)
    content = {
        "anabranch": __version__,
        "problems": sum(finding.state == "problem" for finding in found),
        "findings": [asdict(finding) for finding in found],
        "seen": asdict(seen) | {"self_test": asdict(test)},
    }
    write_json(path, content)

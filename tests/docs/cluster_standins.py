"""The programs of a cluster, for one machine: `python cluster_standins.py NAME ARGUMENTS` is what NAME does here.

Their ranks are started by this environment's mpirun, two or up to four of them, whatever hosts are asked for.
"""

import os
import re
import sys
import tempfile

from anabranch.launch import find_mpirun, mpirun_command

REAL_PATH = "STANDINS_REAL_PATH"
"""Environment variable: the PATH of the tests."""

SCRATCH = "STANDINS_SCRATCH"
"""Environment variable: a folder for the ranks' shared memory."""

RANKS = 2
MOST_RANKS = 4
VALUES = {"--mca": 2, "-mca": 2, "--prtemca": 2}
"""How many words follow an option; one unless it is here."""
VALUES |= dict.fromkeys(
    ("--oversubscribe", "--exclusive", "--exact", "--allow-run-as-root", "--parsable", "-v", "-l"), 0
)


def command_at(words: list[str]) -> int:
    """Where the options of mpirun, srun, sbatch or ssh end."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        whole = "=" in words[at] or re.fullmatch(r"-[a-zA-Z]\d+", words[at])
        at += 1 if whole else 1 + VALUES.get(words[at], 1)
    return at


def ranks(options: list[str], program: list[str]) -> int:
    """Two for `anabranch`, which takes what it finds; else as many as are asked for, if there are not too many."""
    found = re.search(r"(?:^|\s)(?:-np?|--ntasks|-c)[= ]?(\d+)", " ".join(options))
    return int(found[1]) if found and int(found[1]) <= MOST_RANKS and program[0] != "anabranch" else RANKS


def mpirun(words: list[str]) -> None:
    at = command_at(words)
    fault_tolerance = ["--with-ft", "ulfm"] * ("--with-ft" in words[:at])
    _start(words[:at], words[at:], fault_tolerance)


def srun(words: list[str]) -> None:
    if "--mpi=list" in words:
        print("MPI plugin types are...\n\tnone\n\tpmix")
        return
    at = command_at(words)
    _start(words[:at], words[at:], [])


def sbatch(words: list[str]) -> None:
    """Runs the script at once."""
    os.execvp("sh", ["sh", "-e", *words[command_at(words) :]])


def ssh(words: list[str]) -> None:
    """Every host is this one."""
    os.execvp("sh", ["sh", "-ec", " ".join(words[command_at(words) + 1 :])])


def module(_words: list[str]) -> None:
    """What modules bring is there."""


NAMES = {"mpirun": mpirun, "mpiexec": mpirun, "srun": srun, "sbatch": sbatch, "ssh": ssh, "module": module}


def _start(options: list[str], program: list[str], extra: list[str]) -> None:
    if not program:
        sys.exit("no program to start")
    staged = os.environ["PATH"]
    os.environ["PATH"] = os.environ[REAL_PATH]  # where mpirun is not this program
    command = mpirun_command(find_mpirun(), ranks(options, program), tempfile.mkdtemp(dir=os.environ[SCRATCH]))
    os.environ["PATH"] = f"{staged}:{os.environ[REAL_PATH]}"
    os.execv(command[0], [*command, *extra, *program])


if __name__ == "__main__":
    NAMES[sys.argv[1]](sys.argv[2:])

"""MPI starts only for those who ask for it."""

import subprocess
import sys

MISSING = """
import sys
sys.modules["mpi4py"] = None
import anabranch.comm
from anabranch.errors import UsageError
try:
    anabranch.comm.MpiCommunicator
except UsageError as error:
    print(error)
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_importing_the_communicators_does_not_load_mpi() -> None:
    assert run("import sys, anabranch.comm; print('mpi4py' in sys.modules)") == "False"


def test_a_missing_mpi_is_a_sentence() -> None:
    assert run(MISSING) == (
        "no MPI library found: load your cluster's MPI module, or install one with  pip install 'anabranch[mpi]'"
    )

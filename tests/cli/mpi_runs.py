"""Trains several times in one MPI job: `mpirun -n 4 python mpi_runs.py FILE`; FILE is a JSON list of argument lists."""

import json
import sys
from pathlib import Path

from anabranch.cli.main import main

for arguments in json.loads(Path(sys.argv[1]).read_text()):
    code = main(arguments)
    if code:
        sys.exit(code)

"""`anabranch` on MPI with rates that differ by the rank: `mpirun -n 2 python mpi_dtype.py ARGUMENTS`."""

import sys

from anabranch import autodtype
from anabranch.cli.main import main
from anabranch.launch import own_rank

FAST, SLOW = autodtype.Rates(float32=100.0, bfloat16=200.0), autodtype.Rates(float32=100.0, bfloat16=50.0)

autodtype.measured_rates = lambda: SLOW if own_rank() else FAST
sys.exit(main(sys.argv[1:]))

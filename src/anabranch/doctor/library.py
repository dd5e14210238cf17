"""Names the MPI library that mpi4py loads, as JSON. A process of its own: a broken library may end or hang it.

`python -m anabranch.doctor.library` starts no MPI.
"""

import json
from pathlib import Path


def main() -> None:
    """Print {"vendor": …, "version": …, "path": …}."""
    import mpi4py

    mpi4py.rc.initialize = False  # to ask for the version is allowed before
    from mpi4py import MPI

    vendor, version = MPI.get_vendor()
    print(json.dumps({"vendor": vendor, "version": ".".join(map(str, version)), "path": _loaded()}))


def _loaded() -> str:
    """The file of the library in this process's memory."""
    mapped = {Path(line.split()[-1]) for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()}
    return next((str(path) for path in sorted(mapped) if path.name.startswith(("libmpi.", "libmpich."))), "")


if __name__ == "__main__":
    main()

"""What MPI tells of dead ranks. It goes on after a death only with ULFM: `mpirun --with-ft ulfm`."""

import ctypes
import time

from anabranch.comm.mpi_library import MPI
from anabranch.errors import CommunicationError, PeerLost

_FAILURES = frozenset({MPI.ERR_PROC_FAILED, MPI.ERR_PROC_FAILED_PENDING, MPI.ERR_REVOKED})
_OPEN_MPI_FT = 12  # the predefined attribute MPI_FT of Open MPI 5's mpi.h: points to whether ULFM is in force
_PATIENCE = {True: 2.0, False: 0.2}  # seconds, certain of a failure or not; deaths were seen after 6 to 31 ms


def ulfm_is_live() -> bool:
    """Whether the running MPI library survives the death of a rank.

    Asked of the library, for the functions exist and `Get_failed` answers "nobody" without ULFM too; and mpirun's
    option is only one of the ways to switch it on.
    """
    vendor, version = MPI.get_vendor()
    if vendor != "Open MPI" or version < (5, 0, 0):
        return False
    try:
        address = MPI.COMM_WORLD.Get_attr(_OPEN_MPI_FT)
    except MPI.Exception:
        return False
    return isinstance(address, int) and address != 0 and ctypes.c_bool.from_address(address).value


class Failures:
    """The dead of one communicator. `told`: those that this rank has heard of by an exception or from `dead`."""

    def __init__(self, comm: MPI.Comm, live: bool) -> None:
        self.live = live
        self.told: frozenset[int] = frozenset()
        self._comm = comm

    def dead(self) -> frozenset[int]:
        """Ranks that are known to be dead."""
        self.told |= self._find()
        return self.told

    def check_news(self) -> None:
        """Raise PeerLost if somebody has died that this rank has not heard of; and let any-source receives go on."""
        if not self.live:
            return
        dead = self._find()
        if dead:
            self._comm.Ack_failed()
        if self._comm.Is_revoked() or dead - self.told:
            self.told |= dead
            raise PeerLost(self.told)

    def translate(self, error: MPI.Exception) -> CommunicationError:
        """The error to raise for MPI's `error`."""
        certain = error.Get_error_class() in _FAILURES
        if (self.live and self._await_names(_PATIENCE[certain])) or certain:
            return PeerLost(self.told)
        see = "see that all ranks call the same operations"
        if error.Get_error_class() == MPI.ERR_ARG and MPI.Get_version() < (4, 0):
            see += ", and that no tensor has 2^31 elements or more, which MPI 3 does not take"
        return CommunicationError(f"MPI failed with {error.Get_error_string()}: {see}.")

    def _await_names(self, seconds: float) -> bool:
        """Wait a little for the names of the dead: an operation may break off before the death is known here."""
        end = time.monotonic() + seconds
        while not self.dead() and time.monotonic() < end:
            MPI.COMM_SELF.Iprobe()  # Get_failed alone does not let MPI take in the news
            time.sleep(0.001)
        return bool(self.told)

    def _find(self) -> frozenset[int]:
        if not self.live:
            return frozenset()
        failed = self._comm.Get_failed()
        if failed.Get_size() == 0:
            return frozenset()
        group = self._comm.Get_group()
        return frozenset(failed.Translate_ranks(range(failed.Get_size()), group))

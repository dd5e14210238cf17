"""The death of a simulated rank."""


class RankDied(BaseException):
    """Raised inside a simulated rank's program, this kills that rank alone: the others meet `PeerLost`.

    It stands for SIGKILL, so it is no `Exception`: a strategy's own `except Exception` must not survive it.
    """

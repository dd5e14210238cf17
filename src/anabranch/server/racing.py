"""Memory that all workers read and write at once, without locks or atomic operations: what Hogwild runs on.

Niu, Recht, Ré & Wright 2011: an addition may be lost when two workers write to one element at a time, which does little
harm where steps are small. It has the methods of a window, so that all else is as with windows.
"""

from torch import Tensor

from anabranch.comm.base import Request


class Racing:
    """The shared memory `local` [n], of one owner, seen as a window; every operation is done when it returns."""

    def __init__(self, local: Tensor) -> None:
        self.local = local

    def get(self, owner: int, out: Tensor, start: int = 0) -> None:  # noqa: ARG002 - there is one owner
        """Copy the elements from `start` on into `out`, whatever state of others' writes they are in."""
        out.copy_(self._part(out, start))

    def put(self, owner: int, x: Tensor, start: int = 0) -> None:  # noqa: ARG002
        """Overwrite them with `x`."""
        self._part(x, start).copy_(x)

    def accumulate(self, owner: int, x: Tensor, start: int = 0) -> None:  # noqa: ARG002
        """Add `x`: read, add, write. What others wrote in between is lost."""
        self._part(x, start).add_(x)

    def get_accumulate(self, owner: int, x: Tensor, out: Tensor, start: int = 0) -> None:
        """Read, then add; others may come between."""
        self.get(owner, out, start)
        self.accumulate(owner, x, start)

    def start_get(self, owner: int, out: Tensor, start: int = 0) -> Request:
        """As `get`."""
        self.get(owner, out, start)
        return DONE

    def start_accumulate(self, owner: int, x: Tensor, start: int = 0) -> Request:
        """As `accumulate`."""
        self.accumulate(owner, x, start)
        return DONE

    def fetch_add(self, owner: int, index: int, by: int) -> int:
        """Not here: counters must be exact.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("racing memory cannot count: open a window for the counters.")

    def _part(self, x: Tensor, start: int) -> Tensor:
        return self.local[start : start + x.numel()]


class _Done:
    def done(self) -> bool:
        return True

    def wait(self) -> None:
        """It is done."""


DONE = _Done()
"""A request that has ended."""

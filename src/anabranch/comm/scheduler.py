"""Greenlets in virtual time: exactly one strand runs, the runnable one whose clock is least.

Ties go to the strand that has had fewer turns at that instant, then to the lower rank: without the turns a rank that
polls without computing would starve the others of its instant for ever.

A blocking strand switches straight to the next one, not by way of the scheduler, which halves the switches.
"""

import heapq
import math
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from greenlet import GreenletExit, getcurrent, greenlet

from anabranch.comm import modes
from anabranch.comm.deadlock import deadlock_sentence
from anabranch.comm.failures import Fate, RankDied
from anabranch.errors import DeadlockError

NO_FATES: Mapping[int, Fate] = MappingProxyType({})


class Wait(Protocol):
    """What a blocked strand waits for."""

    def describe(self) -> str:
        """For example `recv from rank 0 (tag 0)`."""
        ...


class Strand:
    """One rank's thread of control: a greenlet with a virtual clock in seconds."""

    __slots__ = (
        *("clock", "dead", "due", "error", "finished", "greenlet"),
        *("noticed", "rank", "seconds", "stopped", "stops", "ticket", "turn", "wait"),
    )

    def __init__(self, rank: int, fate: Fate, clock: float) -> None:
        self.rank = rank
        self.greenlet: greenlet | None = None
        self.clock = clock
        self.stops, self.noticed = fate.stops, fate.noticed
        self.turn = 0
        self.seconds = 0.0
        self.due = math.inf
        self.ticket = 0
        self.wait: Wait | None = None
        self.error: Exception | None = None
        self.finished = False
        self.stopped = False
        self.dead = False


Entry = tuple[float, int, int, int]
"""(time, turn, rank, ticket): a strand's place in the queue, stale once the strand's ticket has moved on."""


class Scheduler:
    """Runs one program a strand until all have finished.

    `on_stop` is told of each strand that stops at its foreseen time, while it still seems alive to the others;
    `on_death` of each that they can know to be dead.

    Args:
        size: number of strands.
        fates: of those strands that stop at a foreseen time.
        clocks: where each strand begins, in seconds; 0 unless given.
    """

    def __init__(self, size: int, fates: Mapping[int, Fate] = NO_FATES, clocks: Sequence[float] = ()) -> None:
        starts = clocks or [0.0] * size
        self.strands = [Strand(rank, fates.get(rank, Fate()), starts[rank]) for rank in range(size)]
        self.dead = 0
        self.switches = 0
        self.on_stop: Callable[[Strand], None] = lambda _: None
        self.on_death: Callable[[Strand], None] = lambda _: None
        self._queue: list[Entry] = []
        self._unfinished = size
        self._failure: BaseException | None = None
        self._closing = False
        self._hub = getcurrent()
        self._since = 0.0  # when the running strand was switched to

    def run(self, programs: Sequence[Callable[[], None]]) -> None:
        """Run `programs`, one a strand, to their ends.

        Raises:
            DeadlockError: every strand that has not finished waits for another one.
            BaseException: what the first strand to fail raised, with a note that names the rank.
        """
        before = modes.current()
        try:
            for strand, program in zip(self.strands, programs, strict=True):
                strand.greenlet = greenlet(self._body(strand, program, before), parent=self._hub)
                # Enter every greenlet from here: one that began on top of another's stack would inherit its depth.
                strand.greenlet.switch()
                self.schedule(strand, strand.clock, 0)
            while self._unfinished:
                self._step()
        finally:
            self._close()
            modes.restore(before)

    def turn_seconds(self, strand: Strand) -> float:
        """Real seconds that the running `strand` has run for so far."""
        return strand.seconds + time.perf_counter() - self._since

    def elapse(self, strand: Strand, seconds: float) -> None:
        """Charge `seconds` to the running `strand`, and let those run first that come before it now."""
        self.wait(strand, None, strand.clock + seconds)

    def wait(self, strand: Strand, wait: Wait | None, until: float = math.inf) -> None:
        """Suspend the running `strand` until another one wakes it, or at the latest until its clock is `until`.

        Raises:
            Exception: what another strand gave to `interrupt`.
            RankDied: the strand's foreseen end has come.
        """
        if self._closing:
            raise GreenletExit
        strand.wait = wait
        self.wake(strand, min(until, strand.stops))
        self._rest(strand)
        if strand.clock >= strand.stops:
            self._stop(strand)
        strand.wait = None
        if strand.error is not None:
            error, strand.error = strand.error, None
            raise error

    def wake(self, strand: Strand, at: float) -> None:
        """Let the suspended `strand` go on at time `at`, or now if that is past, if it was not to go on earlier."""
        at = max(at, strand.clock)
        if at < strand.due:
            self.schedule(strand, at, strand.turn + 1 if at == strand.clock else 0)

    def interrupt(self, strand: Strand, at: float, error: Exception) -> None:
        """Let the suspended `strand` raise `error` at time `at`, or now if that is past."""
        if strand.stopped:
            return
        strand.error = error
        strand.due = math.inf
        self.wake(strand, at)

    def schedule(self, strand: Strand, at: float, turn: int) -> None:
        """Let the suspended `strand` go on at exactly this place, whatever was planned for it but its end."""
        if strand.stopped:
            return
        if at > strand.stops:
            at, turn = strand.stops, 0
        strand.ticket += 1
        strand.due = at
        heapq.heappush(self._queue, (at, turn, strand.rank, strand.ticket))

    def _pop(self) -> Strand | None:
        """The strand that runs next, with its clock set; None: nothing is runnable."""
        while self._queue:
            at, turn, rank, ticket = heapq.heappop(self._queue)
            strand = self.strands[rank]
            if ticket == strand.ticket:
                strand.clock, strand.turn, strand.due = at, turn, math.inf
                return strand
        return None

    def _rest(self, strand: Strand) -> None:
        """Let others run until it is the turn of `strand` again."""
        if (following := self._pop()) is not strand:
            strand.seconds += time.perf_counter() - self._since
            self._switch(following)
            self._since = time.perf_counter()

    def _stop(self, strand: Strand) -> None:
        """The end of `strand`, which the others learn of only later, or never.

        Raises:
            RankDied: always.
        """
        self.on_stop(strand)
        strand.stops = math.inf
        if strand.noticed < math.inf:
            self.schedule(strand, max(strand.noticed, strand.clock), 0)
        strand.stopped = True
        self._rest(strand)
        strand.wait = None
        raise RankDied

    def _switch(self, following: Strand | None) -> None:
        """Hand over to `following`, or to the hub, and come back when this strand is next."""
        own = modes.current()
        self.switches += 1
        target = following.greenlet if following is not None else self._hub
        try:
            if target is not None:
                target.switch()
        finally:
            modes.restore(own)

    def _step(self) -> None:
        """One turn of the hub, which runs only when a strand has ended or none can go on."""
        following = self._pop()
        if following is None:
            raise DeadlockError(deadlock_sentence(self._waits()))
        self._switch(following)
        if self._failure is not None:
            raise self._failure

    def _waits(self) -> dict[int, str]:
        states = {s.rank: f"waits for {s.wait.describe()}" for s in self.strands if s.wait}
        states |= {strand.rank: "has finished" for strand in self.strands if strand.finished}
        states |= {strand.rank: "has stopped" for strand in self.strands if strand.stopped}
        states |= {strand.rank: "is dead" for strand in self.strands if strand.dead}
        return states

    def _body(self, strand: Strand, program: Callable[[], None], before: modes.Modes) -> Callable[[], None]:
        def body() -> None:
            try:
                self._hub.switch()
                modes.restore(before)
                self._since = time.perf_counter()
                program()
            except RankDied:
                self._bury(strand)
            except BaseException as error:
                if not self._closing:
                    error.add_note(f"raised by rank {strand.rank} of {len(self.strands)}")
                    self._failure = error
            strand.finished = True
            self._unfinished -= 1

        return body

    def _bury(self, strand: Strand) -> None:
        strand.dead = True
        strand.finished = True
        self.dead += 1
        if not self._closing:
            self.on_death(strand)

    def _close(self) -> None:
        """End every strand that is still suspended, its `finally` blocks included."""
        self._closing = True
        for strand in self.strands:
            if strand.greenlet is not None and not strand.greenlet.dead:
                strand.greenlet.throw(GreenletExit)
            strand.greenlet = None

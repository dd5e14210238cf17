"""Messages and one-sided operations, one by one, over cards and memories that may be busy.

A message of n bytes keeps its sender's card busy for n / bandwidth, comes to its target's card `latency` later, and
keeps that busy as long: the gap of LogGP (Alexandrov et al. 1995). Bytes flow through (cut-through), so that a message
alone takes latency + n / bandwidth (Hockney 1994). Messages to one card queue there (incast). Inside a node there is no
card and no queue. Requests and answers without data take latency alone.
"""

from collections import defaultdict
from collections.abc import Callable

from anabranch.cluster.collective_rounds import link_between
from anabranch.cluster.description import Link, Network
from anabranch.cluster.network_queue import Queue
from anabranch.comm.costs import Transfer

ANSWERED = frozenset({"get", "fetch_add"})
ADDING = frozenset({"accumulate", "get_accumulate", "fetch_add"})


class Leg:
    """One way of a message: when its first byte is sent and comes in, when its last one does, and what it queued."""

    __slots__ = ("came", "end", "queued", "sent")

    def __init__(self, ready: float, sent: float, latency: float, came: float, seconds: float) -> None:
        self.sent = sent
        self.came = came
        self.end = came + seconds
        self.queued = (sent - ready) + (came - (sent + latency))


class Traffic:
    """The cards and memories of a cluster while a world runs."""

    def __init__(self, network: Network, node: Callable[[int], int]) -> None:
        self._network = network
        self._node = node
        self._out: defaultdict[int, Queue] = defaultdict(Queue)
        self._in: defaultdict[int, Queue] = defaultdict(Queue)
        self._memories: defaultdict[int, Queue] = defaultdict(Queue)

    def message(self, size: int, source: int, to: int, now: float, ready: float) -> Transfer:
        """From `source`, which asked at `now` and has the first byte at its card at `ready`, to the memory of `to`."""
        leg = self._carry(size, source, to, now, ready)
        return _transfer(now, leg.queued, leg.end)

    def one_sided(self, operation: str, size: int, caller: int, owner: int, now: float, ready: float) -> Transfer:
        """The owner's memory serves one operation at a time, each until its last byte is read, or written and added."""
        adding = size / self._network.add_bandwidth if operation in ADDING else 0.0
        if caller == owner:
            return self._own(operation, size, owner, now, ready, adding)
        link = self._link(caller, owner)
        serving = size / link.bandwidth + adding
        if operation == "get":
            asked = ready + link.latency
            read = self._serve(owner, now, asked, serving)
            leg = self._carry(size, owner, caller, now, read)
            return _transfer(now, (read - asked) + leg.queued, leg.end)
        leg = self._carry(size, caller, owner, now, ready)
        begin = self._serve(owner, now, leg.came, serving)
        if operation == "get_accumulate":  # what was there before comes back
            back = self._carry(size, owner, caller, now, begin + serving)
            return _transfer(now, leg.queued + (begin - leg.came) + back.queued, back.end)
        answer = link.latency if operation in ANSWERED else 0.0
        return _transfer(now, leg.queued + (begin - leg.came), begin + serving + answer)

    def _own(self, operation: str, size: int, owner: int, now: float, ready: float, adding: float) -> Transfer:
        serving = adding if operation in ADDING else size / self._network.inside.bandwidth
        begin = self._serve(owner, now, ready, serving)
        return _transfer(now, begin - ready, begin + serving)

    def _serve(self, owner: int, now: float, at: float, seconds: float) -> float:
        return _take(self._memories[owner], now, at, seconds)

    def _carry(self, size: int, source: int, to: int, now: float, ready: float) -> Leg:
        link = self._link(source, to)
        seconds = size / link.bandwidth
        if self._node(source) == self._node(to):
            return Leg(ready, ready, link.latency, ready + link.latency, seconds)
        sent = _take(self._out[self._card(source)], now, ready, seconds)
        came = _take(self._in[self._card(to)], now, sent + link.latency, seconds)
        return Leg(ready, sent, link.latency, came, seconds)

    def _link(self, source: int, to: int) -> Link:
        return self._network.inside if self._node(source) == self._node(to) else link_between(self._network)

    def _card(self, rank: int) -> int:
        return self._node(rank) if self._network.shared_card else rank


def _take(queue: Queue, now: float, at: float, seconds: float) -> float:
    queue.forget(now)
    return queue.take(at, seconds)


def _transfer(now: float, queued: float, end: float) -> Transfer:
    """What queued on the way, `queued` seconds in all, is said to have queued at first."""
    return Transfer(min(now + queued, end), end)  # rounding must not let it begin after its end

"""The spans of a simulated world in the Trace Event Format, which chrome://tracing and ui.perfetto.dev open.

Sources: "Trace Event Format" (Google); the importers of Catapult's trace viewer and of Perfetto.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from anabranch.comm.ledger import KINDS, Span
from anabranch.files import write_bytes

Event = dict[str, Any]


def trace_events(
    spans: Iterable[Span], size: int, node_of: Callable[[int], int], cluster: str, cut: float = math.inf
) -> dict[str, Any]:
    """The trace of a world of `size` ranks: nodes as processes, ranks as threads, times in microseconds.

    Args:
        spans: what the ranks did, times in seconds; the events keep their order.
        size: number of ranks.
        node_of: the node of a rank.
        cluster: its name.
        cut: the time in seconds from which on spans are missing, as `Ledger.cut`; infinite where none are.
    """
    nodes = [node_of(rank) for rank in range(size)]
    events = _names(nodes) + [_complete(span, nodes[span.rank]) for span in spans]
    about: dict[str, Any] = {"what": f"virtual time of {size} simulated ranks", "cluster": cluster, "ranks": size}
    if cut < math.inf:
        about["cut"] = f"not all of it: spans from {cut:.9g} s on were not kept"
        about["cut_seconds"] = cut
        events.append(_mark("spans from here on were not kept", cut))
    return {"displayTimeUnit": "ms", "otherData": about, "traceEvents": events}


def write_trace(
    path: Path,
    spans: Iterable[Span],
    size: int,
    node_of: Callable[[int], int],
    cluster: str,
    cut: float = math.inf,
) -> None:
    """Write `trace_events` as JSON, an event a line. Equal input makes equal bytes.

    Raises:
        StorageError: the place is not writable, or full.
    """
    write_bytes(path, trace_bytes(trace_events(spans, size, node_of, cluster, cut)))


def trace_bytes(trace: dict[str, Any]) -> bytes:
    """The JSON of a trace, its keys in alphabetical order, an event a line."""
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode
    head = encode({key: value for key, value in trace.items() if key != "traceEvents"})
    events = ",\n".join(map(encode, trace["traceEvents"]))
    return f'{head[:-1]},"traceEvents":[\n{events}\n]}}\n'.encode()


def sums(trace: dict[str, Any]) -> dict[int, dict[str, float]]:
    """Of every rank, the seconds of each kind that the events of `trace` show."""
    result: dict[int, dict[str, float]] = {}
    for event in trace["traceEvents"]:
        if event["name"] == "thread_name":
            result[event["tid"]] = dict.fromkeys(KINDS, 0.0)
        if event["ph"] == "X":
            result[event["tid"]][event["cat"]] += event["dur"] / 1e6
    return result


def _names(nodes: Sequence[int]) -> list[Event]:
    # Older Perfettos give a thread's name to the newest thread of that number, and make one for each new process:
    # so all processes come first, and theirs are without "tid".
    events = []
    for node in sorted(set(nodes)):
        events += [
            {"ph": "M", "name": "process_name", "pid": node, "args": {"name": f"node {node}"}},
            {"ph": "M", "name": "process_sort_index", "pid": node, "args": {"sort_index": node}},
        ]
    for rank, node in enumerate(nodes):
        who = {"ph": "M", "pid": node, "tid": rank}
        events += [
            who | {"name": "thread_name", "args": {"name": f"rank {rank}"}},
            who | {"name": "thread_sort_index", "args": {"sort_index": rank}},
        ]
    return events


def _complete(span: Span, node: int) -> Event:
    begin, end = _picoseconds(span.begin), _picoseconds(span.end)
    return {
        "ph": "X",
        "name": span.name,
        "cat": span.kind,
        "ts": _microseconds(begin),
        "dur": _microseconds(end - begin),
        "pid": node,
        "tid": span.rank,
        "args": {"times": span.times},
    }


def _mark(text: str, at: float) -> Event:
    return {"ph": "i", "s": "g", "name": text, "pid": 0, "tid": 0, "ts": _microseconds(_picoseconds(at))}


def _picoseconds(seconds: float) -> int:
    return round(seconds * 1e12)


def _microseconds(picoseconds: int) -> float:
    # Perfetto multiplies by 1000 and cuts off the rest: a nanosecond lost to rounding would make this span overlap
    # the one before, and older Perfettos drop spans that overlap.
    result = picoseconds / 1e6
    while int(result * 1000) < picoseconds // 1000:
        result = math.nextafter(result, math.inf)
    return result

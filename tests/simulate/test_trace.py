"""The trace is what a viewer accepts, abuts to the nanosecond, and sums to what the ledger's accounts say."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.comm.ledger import KINDS, Ledger, Span
from anabranch.simulate.trace import sums, trace_bytes, trace_events, write_trace

SCHEMA = json.loads(Path(__file__).with_name("trace_schema.json").read_text())
SPANS = [
    Span(0, "computing", "step", 0.0, 0.5, times=3),
    Span(1, "waiting", "allreduce", 0.25, 0.5),
    Span(0, "communicating", "allreduce", 0.5, 0.5000015),
]


def made(cut: float = math.inf) -> dict[str, Any]:
    return trace_events(SPANS, 4, lambda rank: rank // 2, "Zürich", cut)


def events(trace: dict[str, Any], ph: str) -> list[dict[str, Any]]:
    return [event for event in trace["traceEvents"] if event["ph"] == ph]


def test_a_span_becomes_a_complete_event() -> None:
    first, _, last = events(made(), "X")
    assert first == {
        "ph": "X",
        "name": "step",
        "cat": "computing",
        "ts": 0.0,
        "dur": 500000.0,
        "pid": 0,
        "tid": 0,
        "args": {"times": 3},
    }
    assert (last["ts"], last["dur"]) == (500000.0, 1.5)


def test_nodes_and_ranks_have_names_and_an_order() -> None:
    named = [(e["name"], e["pid"], e.get("tid"), *e["args"].values()) for e in events(made(), "M")]
    assert named[:4] == [
        ("process_name", 0, None, "node 0"),
        ("process_sort_index", 0, None, 0),
        ("process_name", 1, None, "node 1"),
        ("process_sort_index", 1, None, 1),
    ]
    assert named[-2:] == [("thread_name", 1, 3, "rank 3"), ("thread_sort_index", 1, 3, 3)]
    assert len(named) == 2 * 2 + 2 * 4


def test_a_trace_fits_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(made(), SCHEMA)
    jsonschema.validate(made(cut=0.25), SCHEMA)


@pytest.mark.parametrize(
    ("ph", "change"),
    [
        ("X", {"ts": None}),
        ("X", {"ts": "0.5"}),
        ("X", {"dur": -1.0}),
        ("X", {"tid": -1}),
        ("X", {"pid": 2**32}),
        ("X", {"ph": "Y"}),
        ("X", {"name": ""}),
        ("M", {"args": {}}),
        ("M", {"name": "rank_name"}),
    ],
)
def test_a_broken_event_does_not(ph: str, change: dict[str, Any]) -> None:
    trace = made()
    events(trace, ph)[0].update(change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(trace, SCHEMA)


@pytest.mark.parametrize("key", ["ts", "dur", "tid", "cat", "name", "pid", "ph"])
def test_nor_one_without_a_key(key: str) -> None:
    trace = made()
    del events(trace, "X")[0][key]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(trace, SCHEMA)


def test_a_trace_says_where_it_is_cut() -> None:
    assert "cut" not in made()["otherData"]
    assert not events(made(), "i")
    cut = made(cut=0.25)
    assert cut["otherData"]["cut"] == "not all of it: spans from 0.25 s on were not kept"
    assert cut["otherData"]["cut_seconds"] == 0.25
    assert [event["ts"] for event in events(cut, "i")] == [250000.0]


def test_the_sums_of_the_events() -> None:
    result = sums(made())
    assert result[0] == pytest.approx({"computing": 0.5, "waiting": 0.0, "communicating": 1.5e-6})
    assert result[1] == {"computing": 0.0, "waiting": 0.25, "communicating": 0.0}
    assert result[3] == dict.fromkeys(KINDS, 0.0)


durations = st.lists(st.tuples(st.sampled_from(KINDS), st.floats(1e-9, 10.0)), min_size=1, max_size=30)


@given(durations)
def test_the_sums_are_those_of_the_ledger(row: list[tuple[Any, float]]) -> None:
    ledger, now = Ledger(1, spans=1000), 0.0
    for kind, seconds in row:
        ledger.span(0, kind, "work", now, now + seconds)
        now += seconds
    ledger.close()
    account = ledger.accounts()[0]
    expected = {kind: getattr(account, kind) for kind in KINDS}
    read = json.loads(trace_bytes(trace_events(ledger.spans, 1, lambda rank: 0, "c")))
    assert sums(read)[0] == pytest.approx(expected, rel=1e-9, abs=1e-11)


@given(durations)
def test_no_span_overlaps_the_next_in_nanoseconds_as_perfetto_reads_them(row: list[tuple[Any, float]]) -> None:
    spans, now = [], 0.0
    for kind, seconds in row:
        spans.append(Span(0, kind, "work", now, now := round(now + seconds, 9)))
    found = events(trace_events(spans, 1, lambda rank: 0, "c"), "X")
    for this, following in itertools.pairwise(found):
        assert int(this["ts"] * 1000) + int(this["dur"] * 1000) <= int(following["ts"] * 1000)


def test_a_file_has_an_event_a_line_and_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_trace(tmp_path / name, SPANS, 4, lambda rank: rank // 2, "Zürich", 0.25)
    content = (tmp_path / "a").read_bytes()
    assert content == (tmp_path / "b").read_bytes()
    assert json.loads(content) == made(cut=0.25)
    assert len(content.splitlines()) == 2 + len(made(cut=0.25)["traceEvents"])
    assert content.index(b"displayTimeUnit") < content.index(b"otherData") < content.index(b"traceEvents")

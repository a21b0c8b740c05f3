"""The parser of server-sent events: however the bytes come, the events are the same."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode.container.sse import EventParser, ServerSentEvent
from py_code_mode.errors import ProtocolError

STREAM = (
    b": stream\n\nid: r.1\nevent: printed\ndata: {}\n\n"
    b"data:a\r\ndata: b\r\ndata\r\n\r\n: ping\n\nretry: 10\nevent: empty\n\n"
    b"id: bad\0id\nfoo: bar\ndata:  \xc3\xbc\n\nid: r.2\nevent: finished\ndata: x\n\nid: r.3\ndata: cut"
)
EVENTS = [
    ServerSentEvent("r.1", "printed", b"{}"),
    ServerSentEvent("r.1", "message", b"a\nb\n"),
    ServerSentEvent("r.1", "message", b" \xc3\xbc"),
    ServerSentEvent("r.2", "finished", b"x"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_events_do_not_depend_on_chunks(cuts):
    """Comments, fields without meaning, both line ends, and an unfinished event: as the standard says."""
    parser, found = EventParser(1000), []
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in itertools.pairwise(edges):
        found += parser.feed(STREAM[start:end])
    assert found == EVENTS


@given(st.binary(max_size=300))
def test_any_bytes_are_taken(data):
    """Whatever a server sends, the parser goes on."""
    parser = EventParser(1000)
    whole = EventParser(1000).feed(data)
    assert [event for byte in data for event in parser.feed(bytes([byte]))] == whole


@pytest.mark.parametrize("endless", [b"data: x\n", b"data: " + b"x" * 50, b"x" * 50, b"\xff\xfe"])
def test_an_endless_event_is_refused(endless):
    """An event that does not end is given up at its limit."""
    parser = EventParser(1000)
    with pytest.raises(ProtocolError, match="more than 1,000 bytes"):
        list(map(parser.feed, [endless] * 1000))


def test_a_large_event_takes_linear_time():
    """An event of many megabytes that comes in small chunks is searched once."""
    parser = EventParser(100_000_000)
    started = time.process_time()
    parser.feed(b"data: ")
    for _ in range(1000):
        parser.feed(b"x" * 20_000)
    (event,) = parser.feed(b"\n\n")
    assert len(event.data) == 20_000_000
    assert time.process_time() - started < 2

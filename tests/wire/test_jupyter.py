"""Messages as frames: what jupyter_client reads back is what was written."""

from __future__ import annotations

import hmac
import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.session import DELIM, Session

from kernel_bootstrap.wire.jupyter import DELIMITER, MessageWriter, pack_json

KEY = b"0123456789abcdef"

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # JSON cannot hold lone surrogates in UTF-8.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc"), inner, max_size=4),
    max_leaves=10,
)


def writer(key: bytes = KEY) -> MessageWriter:
    """A writer that signs with a key."""
    return MessageWriter(hmac.new(key, digestmod="sha256"))


@given(
    content=st.dictionaries(st.text("xyz"), json_values),
    metadata=st.dictionaries(st.text("m"), json_values),
)
def test_a_jupyter_client_reads_what_was_written(content, metadata):
    """Signature, header, parent, metadata and content come out as they went in."""
    session = Session(key=KEY)
    header = session.msg_header("execute_request")
    frames = writer().frames(header, {}, metadata, content)
    assert frames[0] == DELIMITER == DELIM
    message = session.deserialize(frames[1:])
    assert message["content"] == content
    assert message["metadata"] == metadata
    assert message["header"]["date"] == header["date"]


def test_a_wrong_key_is_noticed():
    """A message signed with another key is refused."""
    session = Session(key=KEY)
    frames = writer(b"another").frames(session.msg_header("status"), {}, {}, {})
    with pytest.raises(ValueError, match="Invalid Signature"):
        session.deserialize(frames[1:])


def test_without_a_key_there_is_no_signature():
    """An unsigned connection stays readable."""
    session = Session(key=b"")
    frames = MessageWriter(None).frames(session.msg_header("status"), {}, {}, {"a": 1})
    assert frames[1] == b""
    assert session.deserialize(frames[1:])["content"] == {"a": 1}


def test_each_message_names_its_own_parent():
    """The parent packed for one message is not taken for that of another, equal or not."""
    out = writer()
    first, second = {"msg_id": "1"}, {"msg_id": "2"}
    parents = [first, first, second, first, dict(first)]
    told = [json.loads(out.frames({}, parent, {}, {})[3]) for parent in parents]
    assert told == parents


def test_dates_are_written_as_iso_8601():
    """A date carries its zone, UTC as Z."""
    assert (
        pack_json({"t": datetime(2024, 1, 2, 3, 4, 5, 6, UTC)})
        == b'{"t": "2024-01-02T03:04:05.000006Z"}'
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800", object(), {1, 2}, b"bytes"])
def test_what_json_cannot_hold_is_refused(value):
    """No value is written that a reader would refuse or misread."""
    with pytest.raises((TypeError, ValueError)):
        pack_json({"value": value})

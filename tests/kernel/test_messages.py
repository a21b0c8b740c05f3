"""The few fields of Jupyter messages we read: garbage becomes None, colours go."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_bootstrap.wire.codec import MAX_DEPTH
from kernel_bootstrap.wire.limits import strip_ansi
from py_code_mode.kernel.messages import (
    JupyterMessage,
    error_info,
    mime_bundle,
    read_message,
)
from py_code_mode.notebook import Notebook
from tests.examples import examples
from tests.kernel.scripts import IDLE, REPLY, play

any_text = st.text(st.characters(exclude_categories=()), max_size=10)
json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(["header", "parent_header", "content", "metadata"])
inner = st.dictionaries(st.sampled_from(["msg_type", "msg_id", "x"]), json_data, max_size=3)

GOOD = {
    "header": {"msg_type": "stream", "msg_id": "m"},
    "parent_header": {"msg_id": "p"},
    "content": {"name": "stdout"},
    "metadata": {"a": 1},
    "buffers": [b"x"],
}


def test_a_good_message_is_read():
    """The fields we use arrive as they were."""
    assert read_message(GOOD) == JupyterMessage("stream", "p", {"name": "stdout"}, {"a": 1}, [b"x"])
    assert read_message(GOOD | {"parent_header": {}}).parent_id == ""


@examples()
@given(st.dictionaries(fields, inner | json_data))
def test_garbage_is_none_or_a_message(raw):
    """Any object gives None or a message whose fields have their types."""
    message = read_message(raw | {"buffers": []})  # buffers are what the sockets gave
    if message is not None:
        assert isinstance(message.msg_type, str)
        assert isinstance(message.parent_id, str)
        assert isinstance(message.content, dict)
        assert isinstance(message.metadata, dict)


@pytest.mark.parametrize("field", ["header", "parent_header", "content", "metadata"])
@pytest.mark.parametrize("value", [None, 5, "x", []], ids=repr)
def test_a_part_that_is_no_object_is_refused(field, value):
    """A message whose parts are not all objects is dropped, as is one that lacks a part."""
    assert read_message(GOOD | {field: value}) is None
    assert read_message({key: GOOD[key] for key in GOOD if key != field}) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("header", {}), ("header", {"msg_type": 5}), ("parent_header", {"msg_id": 5})],
)
def test_a_header_without_its_texts_is_refused(field, value):
    """Type and parent's id must be text."""
    assert read_message(GOOD | {field: value}) is None


ANSI = {
    "plain": ("plain [0m text", "plain [0m text"),
    "colour": ("\x1b[31mred\x1b[0m", "red"),
    "256 colours": ("\x1b[38;5;196mred\x1b[39m", "red"),
    "true colour with colons": ("\x1b[38:2::255:0:0mred\x1b[m", "red"),
    "cursor": ("\x1b[2J\x1b[1;1H\x1b[?25lx\x1b[?25h", "x"),
    "intermediate bytes": ("\x1b[1 qx", "x"),
    "title ended by BEL": ("\x1b]0;title\x07x", "x"),
    "link ended by ST": ("\x1b]8;;http://a\x1b\\text\x1b]8;;\x1b\\", "text"),
    "character set": ("\x1b(B\x1b[mx", "x"),
    "save and restore": ("\x1b7x\x1b8", "x"),
    "keypad": ("\x1b=x\x1b>", "x"),
    "reset": ("\x1bcx", "x"),
    "index": ("\x1bMx", "x"),
}


@pytest.mark.parametrize(("text", "shown"), ANSI.values(), ids=ANSI.keys())
def test_escape_sequences_are_removed(text, shown):
    """Colours, cursor movements, titles and the like leave nothing behind."""
    assert strip_ansi(text) == shown


@examples()
@given(any_text | st.text(st.sampled_from("\x1b[]0;m\\\x07 @A"), max_size=40))
def test_text_without_escapes_stays(text):
    """Only sequences that begin with an escape are removed; all else stays, in order."""
    if "\x1b" not in text:
        assert strip_ansi(text) == text
    rest = iter(text)
    assert all(char in rest for char in strip_ansi(text))


@pytest.mark.alone
@pytest.mark.parametrize("text", ["\x1b]", "\x1b[0", "\x1b[ ", "\x1b", "\x1b]\x1b[", "\x1b(("])
def test_hostile_escapes_take_no_time(text):
    """Sequences that never end are given up in linear time."""
    started = time.monotonic()
    strip_ansi(text * 50_000)
    strip_ansi(text[:2] + text[2:3] * 200_000 + "x" * 200_000)
    assert time.monotonic() - started < 2


@examples()
@given(st.dictionaries(st.sampled_from(["data", "metadata", "x"]), json_data))
def test_any_content_gives_a_bundle(content):
    """Data and metadata of a display are always two dicts, the data with text keys only."""
    data, metadata = mime_bundle(content)
    assert isinstance(data, dict)
    assert isinstance(metadata, dict)
    assert all(isinstance(value, str) or mime.endswith("json") for mime, value in data.items())


@pytest.mark.parametrize(
    "mime",
    ["odd json", "json", "/json", "application/", "a b/c+json", ""],
)
def test_json_needs_a_proper_type(mime):
    """Structured data is kept only under a MIME type that says it is JSON, as nbformat wants it."""
    assert mime_bundle({"data": {mime: {"a": 1}}}) == ({}, {})
    kept = {"application/json": [1], "application/vnd.vegalite.v5+json": {"a": 1}}
    assert mime_bundle({"data": kept}) == (kept, {})


@examples()
@given(st.dictionaries(st.sampled_from(["ename", "evalue", "traceback"]), json_data))
def test_any_content_gives_an_error(content):
    """Whatever stands in an error's fields, there is a name and there are texts."""
    error = error_info(content)
    assert error.name
    assert isinstance(error.message, str)
    assert isinstance(error.text, str)
    assert error.text


def nested(levels: int) -> dict[str, object]:
    """JSON that is so many objects deep."""
    value: dict[str, object] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def test_json_nested_too_deep_to_be_shown_is_left_out():
    """JSON deeper than a value may be is no format, and no metadata; the rest is shown."""
    data = {"text/plain": "x", "application/json": nested(MAX_DEPTH)}
    assert mime_bundle({"data": data, "metadata": nested(MAX_DEPTH)}) == (data, nested(MAX_DEPTH))
    deep = {"text/plain": "x", "application/json": nested(MAX_DEPTH + 1)}
    assert mime_bundle({"data": deep, "metadata": nested(950)}) == ({"text/plain": "x"}, {})


def test_a_notebook_is_built_of_displays_however_deep():
    """A cell that shows JSON as deep as it can be read has a notebook, without secrets, too."""
    content = {
        "data": {"text/plain": "x", "application/json": [nested(900)]},
        "metadata": nested(900),
    }
    transcript, _ = play(("display_data", content), REPLY, IDLE)
    notebook = Notebook()
    notebook.add("1", transcript.result(seconds=0))
    (cell,) = notebook.build("s").cells
    assert cell.outputs[0].data == {"text/plain": "x"}

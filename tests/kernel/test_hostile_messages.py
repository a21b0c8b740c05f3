"""Whatever a kernel sends, nothing raises: every message type with every kind of content."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import METADATA_KEY, VALUE_MIME
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.kernel.transcript import Transcript
from py_code_mode.notebook import Notebook
from tests.examples import examples
from tests.kernel.scripts import IDLE, REPLY, display, message, play

few = examples(40)  # because each one is large

TYPES = (
    "execute_input",
    "stream",
    "display_data",
    "execute_result",
    "update_display_data",
    "clear_output",
    "error",
    "status",
    "execute_reply",
)

any_text = st.text(st.characters(exclude_categories=()), max_size=8)
words = st.sampled_from(
    [
        "stdout",
        "stderr",
        "idle",
        "ok",
        "error",
        "page",
        "text/plain",
        "image/png",
        "application/x+json",
        "\r\b",
    ]
)
numbers = st.integers() | st.floats() | st.sampled_from([10**4000, -(10**4000), 2**63])
leaves = st.none() | st.booleans() | numbers | any_text | words
keys = st.sampled_from(
    "data metadata transient display_id name text wait execution_state status payload source "
    "ename evalue traceback execution_count text/plain text/html image/png application/x+json v value "
    f"packed remote $ b type repr truncated new_variables what {VALUE_MIME} {METADATA_KEY}".split()
)
json_data = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | any_text, inner, max_size=5),
    max_leaves=15,
)
objects = st.dictionaries(keys | any_text, json_data, max_size=8)
bundles = st.dictionaries(words | any_text, json_data, max_size=4)


def contents(msg_type: str) -> st.SearchStrategy:
    """Contents of a type: anything at all, or the right fields with anything in them."""
    right = {
        "execute_input": {"execution_count": json_data},
        "stream": {"name": words, "text": any_text | json_data},
        "clear_output": {"wait": json_data},
        "error": {"ename": json_data, "evalue": json_data, "traceback": json_data},
        "status": {"execution_state": words | json_data},
        "execute_reply": {
            "status": words,
            "execution_count": json_data,
            "payload": st.lists(st.fixed_dictionaries({"source": words, "data": bundles})),
            "ename": json_data,
            "traceback": json_data,
        },
    }.get(
        msg_type,
        {
            "data": bundles | json_data,
            "metadata": json_data,
            "transient": st.fixed_dictionaries({"display_id": json_data}) | json_data,
        },
    )
    return st.one_of(objects, st.fixed_dictionaries(right))


messages = st.sampled_from(TYPES).flatmap(
    lambda kind: st.builds(
        JupyterMessage,
        st.just(kind),
        st.just("cell-1"),
        contents(kind),
        st.one_of(objects, st.fixed_dictionaries({METADATA_KEY: objects | json_data})),
        st.lists(st.binary(max_size=20), max_size=3),
    )
)


def tell_all(transcript: Transcript) -> None:
    """Do all that is done with a result."""
    result = transcript.result(seconds=0)
    assert isinstance(result.text, str)
    assert isinstance(result._repr_mimebundle_()["text/html"], str)
    json.dumps(result.to_dict())
    notebook = Notebook()
    notebook.add("code", result)


@few
@given(st.lists(messages, max_size=6), st.booleans())
def test_hostile_content_never_raises(script, ends):
    """Any JSON as content of any message type, in any order, still gives a result."""
    transcript = Transcript(Limits(stream_chars=50, text_chars=50, outputs=3, output_bytes=200))
    for one in script:
        transcript.feed(one)
    if ends:
        transcript.feed(message(REPLY))
        transcript.feed(message(IDLE))
        assert transcript.done
    tell_all(transcript)


@few
@given(st.lists(messages, max_size=5))
@example([message(display({"text/plain": "x", "odd json": {"a": 1}}))])
@example([message(("execute_input", {"execution_count": -1}))])
@example([message(("execute_input", {"execution_count": 10**4000}))])
def test_a_notebook_of_hostile_cells_can_be_built(script):
    """The transcript as a notebook is built and written, whatever a kernel has shown."""
    import nbformat

    transcript, _ = play(*script, REPLY, IDLE)
    notebook = Notebook()
    notebook.add("1", transcript.result(seconds=0))
    nbformat.writes(notebook.build("s"))


@few
@given(objects, st.lists(messages, max_size=3))
def test_what_the_reply_tells_never_raises(told, script):
    """Our own entries in the reply's metadata are no more trusted than the rest."""
    reply = message(REPLY, metadata={METADATA_KEY: told})
    transcript, _ = play(*script, reply, IDLE)
    result = transcript.result(seconds=0)
    assert all(isinstance(name, str) for name in result.new_variables)

"""Transcripts: made of a hostile kernel's messages, and read from a hostile file.

Place in the house: ``tests.fuzz.targets``.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import METADATA_KEY, VALUE_MIME
from py_code_mode.errors import ConfigError
from py_code_mode.jsonform import dump_json, load_json
from py_code_mode.kernel.messages import JupyterMessage, read_message
from py_code_mode.kernel.transcript import Transcript
from py_code_mode.notebook import Notebook
from py_code_mode.replay.compare import differences
from py_code_mode.replay.recorded import RecordedRun, parse_run
from py_code_mode.results import ExecutionResult
from tests.fuzz.draw import Draw, further_down, now_and_then
from tests.fuzz.seeds import TREES
from tests.fuzz.texts import SKILLS

__all__ = ["notebook", "recording"]

_NAMES = (
    "data metadata transient display_id name text wait execution_state status payload source "
    "ename evalue traceback execution_count text/plain text/html text/markdown image/png "
    "image/svg+xml application/pdf application/x+json application/vnd.vegalite.v6.json v "
    "value packed remote type repr reason handle truncated new_variables frame what kept "
    "total unit artifact whole stdout stderr idle busy ok error aborted page locals shape "
    "cells cell_type code markdown outputs output_type stream display_data tool arguments "
    "execute_result tool_calls outcome answer asked tree base64 number not_recorded seconds "
    "tools skills artifacts format session id kind params tags returns annotation required "
    "default description documentation refused_commands command said more_refused state_lost "
)
_CELL_WORDS = (*_NAMES.split(), VALUE_MIME, METADATA_KEY, "<script>", "$", "\r\b\x1b[31m")
_TEXTS = tuple(tree.text for tree in TREES[:6])

_FRAME = {
    "file": "Cell In[3]",
    "line": 1,
    "function": "f",
    "code": "1/0",
    "locals": [],
    "omitted": 0,
}
_ERROR = {"ename": "ZeroDivisionError", "evalue": "by zero", "traceback": ["\x1b[31mZ", "-> 1/0"]}
_STEPS: tuple[tuple[str, Any], ...] = (
    ("status", {"execution_state": "busy"}),
    ("execute_input", {"code": "1", "execution_count": 3}),
    ("stream", {"name": "stdout", "text": "1%\r50%\rdone\n"}),
    ("stream", {"name": "stderr", "text": "x" * 60}),
    (
        "display_data",
        {
            "data": {"text/plain": "<F>", "image/png": "aGk="},
            "metadata": {"image/png": {"width": 3}},
            "transient": {"display_id": "d"},
        },
    ),
    (
        "update_display_data",
        {
            "data": {"text/html": "<b>x</b>", "application/x+json": {"a": [1]}},
            "metadata": {},
            "transient": {"display_id": "d"},
        },
    ),
    ("clear_output", {"wait": True}),
    (
        "execute_result",
        {
            "data": {"text/plain": "5", VALUE_MIME: {"v": 1, "value": 5}},
            "metadata": {},
            "execution_count": 3,
        },
    ),
    (
        "execute_result",
        {
            "data": {
                "text/plain": "B",
                VALUE_MIME: {
                    "v": 1,
                    "remote": {"type": "B", "repr": "<B>", "reason": "no", "handle": "Out[3]"},
                },
            },
            "metadata": {},
        },
    ),
    (
        "execute_result",
        {"data": {"text/plain": "5", VALUE_MIME: {"v": 1, "packed": True}}, "metadata": {}},
    ),
    ("error", _ERROR),
    (
        "execute_reply",
        {
            "status": "ok",
            "execution_count": 3,
            "payload": [{"source": "page", "data": {"text/plain": "help"}}],
        },
    ),
    ("execute_reply", {"status": "error", "execution_count": 3, **_ERROR}),
    ("status", {"execution_state": "idle"}),
)
_SEEDS = tuple(json.dumps(content) for _, content in _STEPS)
_TOLD = json.dumps(
    {
        "new_variables": ["x"],
        "frame": _FRAME,
        "truncated": [
            {
                "what": "stdout",
                "kept": 3,
                "total": 9,
                "unit": "characters",
                "artifact": "a",
                "whole": True,
            }
        ],
    }
)
_SMALL = Limits(stream_chars=50, text_chars=50, outputs=3, output_bytes=200, outputs_bytes=400)


def _read(draw: Draw, tree: Any) -> Any:
    """Return data as the reader of messages has it; what is too deep for it comes nowhere."""
    try:
        return json.loads(draw.dumped(tree))
    except (RecursionError, ValueError):
        return {}


def _message(draw: Draw) -> JupyterMessage | None:
    which = draw.below(len(_STEPS))
    kind, _ = _STEPS[which]
    seed = draw.pick(TREES)
    content = json.loads(_SEEDS[which])
    if kind == "execute_result" and draw.below(2):
        content["data"][VALUE_MIME] = {"v": 1, "value": json.loads(seed.text)}
    raw: dict[str, Any] = {
        "header": {"msg_type": kind},
        "parent_header": {"msg_id": "cell-1"},
        "content": _read(draw, draw.changed(content, _CELL_WORDS, _TEXTS)),
        "metadata": {},
        "buffers": [draw.bytes() for _ in range(draw.below(2))] or list(seed.buffers),
    }
    if kind == "execute_reply":
        raw["metadata"] = {METADATA_KEY: _read(draw, draw.changed(json.loads(_TOLD), _CELL_WORDS))}
    if draw.below(16) == 15:
        part = draw.pick(("header", "parent_header", "content", "metadata"))
        raw[part] = draw.changed(raw[part], _CELL_WORDS)
    return read_message(raw)


def recording(data: bytes) -> None:
    """Whatever messages a cell sent, it has a result, which is shown, written and sent."""
    draw = Draw(data)
    limits = _SMALL if draw.below(2) else Limits()
    script = [_message(draw) for _ in range(1 + draw.below(6))]
    further_down(lambda: _record(data, limits, script))


def _record(data: bytes, limits: Limits, script: list[JupyterMessage | None]) -> None:
    transcript = Transcript(limits)
    for message in script:
        if message is not None:
            transcript.feed(message)
    result = transcript.result(seconds=0)
    assert isinstance(result.text, str)
    sent = dump_json(result.to_dict())
    if now_and_then(data, 8):
        # JSON has no nan of its own: the second time nothing changes any more.
        came = ExecutionResult.from_dict(load_json(sent))
        again = ExecutionResult.from_dict(load_json(dump_json(came.to_dict())))
        assert dump_json(came.to_dict()) == dump_json(again.to_dict()), "a result changed"
    if now_and_then(data, 32):
        assert isinstance(result._repr_mimebundle_()["text/html"], str)
        list(result.for_model())
        notebook = Notebook()
        notebook.add("code", result)
        nbformat.writes(notebook.build("s"))


@cache
def _notebook() -> str:
    """A transcript as JSON, with a cell of every kind."""
    call = {
        "tool": "weather",
        "arguments": {"city": "Oslo", "n": {"$": "tuple", "v": [1]}},
        "outcome": "ok",
        "seconds": 0.1,
        "number": 1,
        "asked": {"tree": {"city": {"$": "bytes", "b": [0]}}, "base64": ["aGk="]},
        "answer": {"value": [1, {"$": "bytes", "b": [0]}], "base64": ["aGk="]},
    }
    failed = {
        "tool": "x.y",
        "arguments": {},
        "outcome": "error",
        "seconds": 1,
        "error": "E: no",
        "answer": {
            "failure": {"kind": "ToolCallError", "message": "no", "details": {}},
            "base64": [],
        },
    }
    about = {
        "origin": "agent",
        "started": "2024-01-01T00:00:00Z",
        "seconds": 0.5,
        "skills": {"s": 2},
        "tool_calls": [call, failed, {**failed, "answer": None}],
        "refused_commands": [{"command": "ls", "said": "no"}],
    }
    output = nbformat.v4.new_output
    cell = nbformat.v4.new_code_cell(
        "1 / 0", id="a", metadata={METADATA_KEY: about}, execution_count=3
    )
    del about["tool_calls"][2]["answer"]
    cell.outputs = [
        output("stream", name="stdout", text="a\n"),
        output("display_data", data={"text/html": "<b>x</b>", "image/png": "aGk="}),
        output("execute_result", data={"text/plain": "5"}, execution_count=3),
        output("error", ename="E", evalue="v", traceback=["a", "b"]),
    ]
    cells = [
        cell,
        nbformat.v4.new_markdown_cell("# Title", id="b"),
        nbformat.v4.new_code_cell("x", id="c"),
    ]
    param = {"name": "city", "annotation": "str", "required": True, "description": "", "default": 1}
    told = {
        "session": "s",
        "format": 1,
        "cells_dropped": 1,
        "not_recorded": ["x"],
        "tools": [
            {
                "name": "weather",
                "description": "d",
                "params": [param],
                "tags": ["a"],
                "returns": "str",
            }
        ],
        "skills": [{"name": "s", "source": SKILLS[2], "description": "d", "documentation": ""}],
        "artifacts": [
            {
                "name": "a",
                "kind": "json",
                "description": "",
                "tags": ["t"],
                "base64": "e30=",
                "metadata": {},
            }
        ],
    }
    made = nbformat.v4.new_notebook(metadata={METADATA_KEY: told}, cells=cells)
    return nbformat.writes(made)


_FILE = Path("/x/run.ipynb")


def notebook(data: bytes) -> None:
    """A file is a transcript, or a ``ConfigError`` names it; its cells can be compared."""
    draw = Draw(data)
    tree = json.loads(_notebook())
    where = draw.below(4)
    if where == 3:
        tree = draw.changed(tree, _CELL_WORDS, _TEXTS)
    else:  # what is ours: nbformat lets most of it pass
        about = (tree if where == 2 else tree["cells"][0])["metadata"]
        about[METADATA_KEY] = draw.changed(about[METADATA_KEY], _CELL_WORDS, _TEXTS)
    raw = draw.dumped(tree)
    try:
        run = parse_run(_FILE, draw.damaged(raw) if draw.below(8) == 7 else raw)
    except ConfigError as refused:
        named = refused.file
    else:
        _compare(run)
        named = _FILE
    assert named == _FILE, "the error names no file"


def _compare(run: RecordedRun) -> None:
    """Do what a replay does with the cells it has read, but for running them."""
    for cell in run.cells:
        assert not [*differences(cell.outputs, cell.outputs)], "a cell differs from itself"
        for other in run.cells:
            for difference in differences(cell.outputs, other.outputs):
                str(difference).encode(errors="surrogatepass")
        assert all(call.key for call in cell.calls)

"""Values, stored values, artifacts and messages, as a hostile kernel sends them.

Place in the house: ``tests.fuzz.targets``.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hmac import HMAC
from pathlib import Path
from typing import Any

from kernel_bootstrap.wire.codec import decode, encode, loads
from kernel_bootstrap.wire.errors import ArtifactError, ProtocolError, ValueNotEncodableError
from kernel_bootstrap.wire.jupyter import DELIMITER, MessageWriter
from kernel_bootstrap.wire.messages import Reply, Request, parse
from kernel_bootstrap.wire.mirror import HEADER, RING, missing_text
from kernel_bootstrap.wire.packing import KINDS, unpack
from py_code_mode.dispatch import _validated
from py_code_mode.errors import CodeModeError
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.kernel.reading import MessageReader
from py_code_mode.kernel.stacks import readable_stack
from py_code_mode.requests import MODELS
from py_code_mode.stackframes import read_frames
from py_code_mode.values import read_variable, read_variables
from tests.fuzz.draw import Draw, further_down, now_and_then
from tests.fuzz.frameseeds import FRAME_TREES, PACKED, STORED
from tests.fuzz.seeds import TREES, WIRE_WORDS, Tree

__all__ = ["artifacts", "frames", "messages", "values"]

_TEXTS = tuple(tree.text for tree in TREES)


def _json(text: str | bytes) -> Any:
    """Return what a message's JSON holds; None where the reader refuses it already."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _value(draw: Draw, trees: Sequence[Tree] = TREES) -> tuple[Any, list[bytes]]:
    """Return a tree and its buffers, changed."""
    seed = draw.pick(trees)
    buffers = [draw.damaged(each) if draw.below(4) == 3 else each for each in seed.buffers]
    if draw.below(16) == 15:
        buffers.append(draw.bytes())
    return draw.changed(json.loads(seed.text), WIRE_WORDS, _TEXTS), buffers


def values(data: bytes) -> None:
    """What decodes is a value, whose encoding decodes to the same again."""
    draw = Draw(data)
    how = draw.below(4)
    if how == 3:
        seed = draw.pick(STORED)
        with contextlib.suppress(ProtocolError):
            _comes_back(loads(draw.damaged(seed)))
        return
    if how == 2:
        buffers = [draw.bytes(16) for _ in range(draw.below(4))]
        tree = _json(draw.rest())
    else:
        tree, buffers = _value(draw)
    _decoded(tree, buffers, checked=now_and_then(data, 4))


def frames(data: bytes) -> None:
    """The same of arrays, and of what pandas and polars have, which take longer."""
    _decoded(*_value(Draw(data), FRAME_TREES), checked=now_and_then(data, 4))


def _decoded(tree: Any, buffers: Sequence[bytes], *, checked: bool) -> None:
    try:
        value = decode(tree, buffers)
    except ProtocolError:
        return
    if checked:
        _comes_back(value)


def _comes_back(value: Any) -> None:
    try:
        tree, buffers = encode(value)
    except ValueNotEncodableError:
        return
    again, more = encode(decode(tree, buffers))
    assert _sorted(tree) == _sorted(again), "a value that was decoded comes back as another"
    assert [bytes(each) for each in buffers] == [bytes(each) for each in more]


def _sorted(tree: Any) -> str:
    """Return a tree as text, the items of its sets in one order."""
    if isinstance(tree, list):
        return f"[{','.join(map(_sorted, tree))}]"
    if not isinstance(tree, dict):
        return repr(tree)
    said = {name: _sorted(field) for name, field in tree.items()}
    if tree.get("$") in {"set", "frozenset"}:
        said["v"] = ",".join(sorted(map(_sorted, tree["v"])))
    return ";".join(f"{name}={field}" for name, field in said.items())


def artifacts(data: bytes) -> None:
    """What an artifact's bytes hold is a value or an ``ArtifactError``."""
    draw = Draw(data)
    kind, seed = draw.pick(PACKED)
    if draw.below(16) == 15:
        kind = draw.pick(KINDS)
    with contextlib.suppress(ArtifactError):
        value = unpack(kind, draw.damaged(seed), "image/png", "mod.Type")
        if hasattr(value, "_repr_mimebundle_"):
            value._repr_mimebundle_()


@dataclass(frozen=True)
class _Frame:
    """A ``zmq.Frame`` without zmq."""

    bytes: bytes
    more: bool = False

    @property
    def buffer(self) -> memoryview:
        return memoryview(self.bytes)


_WRITER = MessageWriter(HMAC(b"key", digestmod="sha256"))
_HEADER = b'{"msg_id": "1", "msg_type": "comm_msg", "session": "s"}'
_PARENT = b'{"msg_id": "cell-1"}'


def messages(data: bytes) -> None:
    """Whatever frames say, they are a message of ours, or a ``ProtocolError``."""
    draw = Draw(data)
    how = draw.below(8)
    if how == 7:
        return _files(draw)
    if how == 6:
        return _answers(draw)
    said, buffers = _comm(draw)
    message = _received(draw, {"comm_id": "c", "data": said}, buffers)
    if message is None:
        return None
    came = message
    further_down(lambda: _act_on(came))
    return None


def _comm(draw: Draw) -> tuple[Any, Sequence[bytes]]:
    """Return the data of a comm's message, changed."""
    tree, buffers = _value(draw)
    how = draw.below(4)
    if how == 3:
        said: dict[str, Any] = {"kind": "reply", "id": 3, "value": tree}
    elif how == 2:
        failure = {"kind": "ToolCallError", "message": "m", "details": {"stderr": tree}}
        said = {"kind": "reply", "id": 3, "failure": failure}
    else:
        params = json.loads(draw.pick(_parameters()))
        if params and draw.below(2):
            params[draw.pick([*params])] = tree
        said = {"kind": "request", "id": 3, "method": draw.pick([*MODELS]), "params": params}
    return draw.changed(said, WIRE_WORDS, _TEXTS), buffers


@cache
def _parameters() -> tuple[str, ...]:
    """Parameters of every method, of the right names, as JSON."""
    found = []
    for model in MODELS.values():
        kinds = {name: field.annotation for name, field in model.model_fields.items()}
        found.append(json.dumps({name: 1 if kind is int else "x" for name, kind in kinds.items()}))
    return tuple(found)


def _received(
    draw: Draw, content: Any, buffers: Sequence[bytes], header: bytes = _HEADER
) -> JupyterMessage | None:
    """Send a message as a kernel would, damaged in its frames, and read it."""
    parts = [header, _PARENT, b"{}", draw.dumped(content)]
    if draw.below(8) == 7:
        at = draw.below(4)
        parts[at] = draw.damaged(parts[at])
    whole = [DELIMITER, _WRITER.sign(parts), *parts, *buffers]
    if draw.below(16) == 15:
        at = draw.below(len(whole))
        whole[at] = draw.damaged(whole[at])
    if draw.below(16) == 15:
        del whole[draw.below(len(whole))]
    try:
        return MessageReader(_WRITER.sign).read([_Frame(each) for each in whole])
    except ProtocolError:
        return None


def _act_on(came: JupyterMessage) -> None:
    """Do with a message what the host does before anything acts on it."""
    try:
        message = parse(came.content.get("data"), came.buffers)
    except ProtocolError:
        return
    if isinstance(message, Request):
        if message.method in MODELS:
            with contextlib.suppress(ProtocolError):
                _validated(message)
    elif isinstance(message, Reply):
        with contextlib.suppress(CodeModeError):
            message.unwrap()


_VARIABLE = '{"name": "x", "type": "numpy.ndarray", "shape": [2, 3], "length": 2, "size": 48, "preview": "[[1"}'
_STACK = f'[{{"file": "Cell In[3]", "line": 3, "function": "f", "code": "x", "locals": [{_VARIABLE}], "omitted": 2}}]'
_ROW_WORDS = ("name", "type", "shape", "length", "size", "preview", "locals", "omitted", "line")


def _answers(draw: Draw) -> None:
    """Read a kernel's answers to questions of ours."""
    with contextlib.suppress(ProtocolError):
        read_variables(decode(draw.changed([json.loads(_VARIABLE)], _ROW_WORDS)))
    for frame in read_frames(draw.changed(json.loads(_STACK), _ROW_WORDS)):
        json.dumps([str(frame), frame.where])
    remote = {"type": "T", "repr": "r", "reason": "why", "handle": "Out[3]"}
    with contextlib.suppress(ProtocolError):
        read_variable(draw.changed({"remote": remote}, WIRE_WORDS))


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="py-code-mode-fuzz-"))


_DUMP = """Thread 0x00007f01 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 320 in wait

Current thread 0x00007f02 (most recent call first):
  File "/tmp/ipykernel_17/123.py", line 2 in f
  File "/x/IPython/core/interactiveshell.py", line 3 in run_code
"""


def _files(draw: Draw) -> None:
    """Read the files that a kernel leaves behind."""
    assert isinstance(readable_stack(draw.spliced(_DUMP, _DUMP.splitlines(keepends=True))), str)
    head = draw.bytes(8).ljust(8, b"\0") + b"cell-1".ljust(HEADER - 8, b"\0")
    whole = draw.damaged(head)[: HEADER + RING].ljust(HEADER + RING - draw.below(2), b"\xe4")
    path = _folder() / "stdout.mirror"
    path.write_bytes(whole)
    assert len(missing_text(path, "cell-1", draw.below(9))) <= RING

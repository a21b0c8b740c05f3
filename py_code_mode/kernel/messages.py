"""The few fields of Jupyter messages that we read, checked.

Place in the house: bottom of ``kernel``, no I/O. A kernel is hostile: a message that lacks a
field or has one of the wrong type becomes ``None`` here and is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kernel_bootstrap.wire.codec import MAX_DEPTH, Buffer
from kernel_bootstrap.wire.limits import strip_ansi
from kernel_bootstrap.wire.messages import VALUE_MIME
from kernel_bootstrap.wire.parts import shown
from py_code_mode.results import ErrorInfo

__all__ = ["JupyterMessage", "error_info", "mime_bundle", "not_run", "read_message"]

_MIME = re.compile(r"[^\s/]+/[^\s/]+")
_JSON_MIME = re.compile(r"application/(?:[^\s/]+[+.])?json")


@dataclass(frozen=True, slots=True)
class JupyterMessage:
    """One message of a kernel.

    Attributes:
        msg_type: ``stream``, ``status``, ``execute_reply``, ...
        parent_id: Id of the request it answers, empty if none.
        content: Its content object.
        metadata: Its metadata object.
        buffers: Its binary buffers.
    """

    msg_type: str
    parent_id: str
    content: Mapping[str, Any]
    metadata: Mapping[str, Any]
    buffers: list[Buffer]


def read_message(raw: Mapping[str, Any]) -> JupyterMessage | None:
    """Check a deserialized message; None if it is not of Jupyter's form."""
    header, parent = raw.get("header"), raw.get("parent_header")
    content, metadata = raw.get("content"), raw.get("metadata")
    if not all(isinstance(part, dict) for part in (header, parent, content, metadata)):
        return None
    assert isinstance(header, dict)
    assert isinstance(parent, dict)
    msg_type, parent_id = header.get("msg_type"), parent.get("msg_id", "")
    if not isinstance(msg_type, str) or not isinstance(parent_id, str):
        return None
    return JupyterMessage(msg_type, parent_id, content or {}, metadata or {}, raw["buffers"])


def mime_bundle(content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return data and metadata of a display; what is no mime bundle is left out.

    So is JSON that is nested deeper than a value may be: JSON can be read deeper than whoever
    writes notebooks and pages of it can follow.
    """
    data, metadata = content.get("data"), content.get("metadata")
    data = data if isinstance(data, dict) else {}
    bundle = {
        mime: value
        for mime, value in data.items()
        if (_MIME if isinstance(value, str) else _JSON_MIME).fullmatch(mime)
        and (mime == VALUE_MIME or not _is_deep(value))  # the codec has bounds of its own
    }
    return bundle, metadata if isinstance(metadata, dict) and not _is_deep(metadata) else {}


def _is_deep(value: Any) -> bool:
    """Whether JSON is nested more than ``MAX_DEPTH`` deep; without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
    return bool(level)


def error_info(content: Mapping[str, Any]) -> ErrorInfo:
    """Read ``ename``, ``evalue`` and ``traceback`` of an error or a failed reply."""
    lines = content.get("traceback")
    traceback = "\n".join(map(_text, lines)) if isinstance(lines, list) else ""
    return ErrorInfo(
        name=_text(content.get("ename")) or "Error",
        message=strip_ansi(_text(content.get("evalue"))),
        traceback=strip_ansi(traceback).strip("\n"),
    )


def not_run(status: Any) -> ErrorInfo:
    """Say that a cell did not run, with the status that the kernel gave."""
    said = status[:80] if isinstance(status, str) else shown(status)
    return ErrorInfo("CellNotRun", f"the kernel did not run it: {said}")


def _text(value: Any) -> str:
    """Return text as it is; a hostile kernel's other values are not even printed."""
    return value if isinstance(value, str) else ""

"""What a tool of an MCP server answered, as Python values.

Place in the house: ``tools.mcp``; loaded on use, since it knows the SDK's types. Whatever a
server sends, this gives a value or a ``ToolCallError``.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

import mcp_types as types

from py_code_mode.errors import ToolCallError
from py_code_mode.outputs import Media, ResourceLink

__all__ = ["Parse", "is_wrapped", "value_of"]

Parse = Literal["auto", "text"]
"""Whether text that is JSON is parsed."""

_MESSAGE = 4_000  # characters of a server's error inside a message
_SILENT = "the server gave no reason"


def value_of(
    tool: str,
    result: types.CallToolResult,
    output_schema: Mapping[str, Any] | None,
    parse: Parse = "auto",
) -> Any:
    """Return what a tool answered.

    Args:
        tool: Its name, for messages.
        result: The answer.
        output_schema: The schema the server gave for it.
        parse: ``auto`` for JSON texts as values, ``text`` for every text as it came.

    Returns:
        Structured content where there is any; else the content: text, or what its JSON says,
        ``Media``, ``ResourceLink``; a list where there is more than one kind; None for nothing.

    Raises:
        ToolCallError: The server says that the tool failed.
    """
    if result.is_error:
        raise _failed(tool, result)
    if result.structured_content is None:
        items = _items(result.content, parse)
        return items[0] if len(items) == 1 else items or None
    value = result.structured_content
    if is_wrapped(output_schema) and isinstance(value, dict) and value.keys() == {"result"}:
        value = value["result"]
    # Its text repeats the structure; a picture beside it does not.
    beside = [block for block in result.content if not isinstance(block, types.TextContent)]
    return [value, *map(_item, beside)] if beside else value


def is_wrapped(schema: Mapping[str, Any] | None) -> bool:
    """Tell whether a schema is of ``{"result": x}``, made by the server's library around ``x``."""
    if schema is None or not isinstance(schema.get("properties"), dict):
        return False
    if schema["properties"].keys() != {"result"}:
        return False
    made = str(schema.get("title", "")).endswith(("Output", "_WrappedResult"))
    return made or schema.get("x-fastmcp-wrap-result") is True


def _failed(tool: str, result: types.CallToolResult) -> ToolCallError:
    texts = [block.text for block in result.content if isinstance(block, types.TextContent)]
    said = "\n".join(texts).strip()
    if not said and result.structured_content is not None:
        said = json.dumps(result.structured_content, default=str)
    shown = said if len(said) <= _MESSAGE else f"{said[:_MESSAGE]} [...]"
    details = {} if shown == said else {"text": said}
    return ToolCallError(f"tool {tool!r} failed: {shown or _SILENT}", **details)


def _items(blocks: Iterable[types.ContentBlock], parse: Parse) -> list[Any]:
    """Return the blocks as values, neighbouring texts as one."""
    items: list[Any] = []
    for is_text, group in groupby(blocks, lambda block: isinstance(block, types.TextContent)):
        if is_text:
            items.append(_joined([getattr(block, "text", "") for block in group], parse))
        else:
            items += map(_item, group)
    return items


def _joined(texts: Sequence[str], parse: Parse) -> Any:
    if parse == "auto":
        # A list of objects comes as one text for each.
        values = [_parsed(text) for text in texts]
        if all(value is not _NO_JSON for value in values):
            return values[0] if len(values) == 1 else values
        value = _parsed("\n".join(texts))
        if value is not _NO_JSON:
            return value
    return "\n".join(texts)


_NO_JSON = object()


def _parsed(text: str) -> Any:
    """Return the object or array that a text is. ``1.10`` and ``007`` are texts, not numbers."""
    if not text.lstrip().startswith(("{", "[")):
        return _NO_JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NO_JSON


def _item(block: types.ContentBlock) -> Any:
    if isinstance(block, types.ImageContent | types.AudioContent):
        return _media(block.data, block.mime_type, "")
    if isinstance(block, types.ResourceLink):
        return ResourceLink(
            str(block.uri),
            block.name,
            block.mime_type or "",
            block.description or "",
            None if block.size is None else int(block.size),
        )
    if isinstance(block, types.EmbeddedResource):
        inner = block.resource
        if isinstance(inner, types.TextResourceContents):
            return inner.text
        return _media(inner.blob, inner.mime_type or "application/octet-stream", str(inner.uri))
    return block.text


def _media(data: str, mime_type: str, name: str) -> Media | str:
    try:
        return Media(base64.b64decode(data), mime_type, name)
    except (binascii.Error, ValueError):
        return data  # no base64 after all; better seen than lost

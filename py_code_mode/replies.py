"""Values on their way to a kernel, and what is remembered of them.

Place in the house: below ``dispatch``, above tools; pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Reply
from kernel_bootstrap.wire.packing import is_json
from py_code_mode.errors import ToolCallError, ValueNotEncodableError
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.names import clean_name

__all__ = ["describe_tool", "encoded", "shown", "size_of"]

SHOWN_ARGUMENT = 200
"""Characters of one argument that are remembered of a call."""


def describe_tool(info: ToolInfo) -> dict[str, Any]:
    """Return a tool as the kernel's catalogue takes it: plain data with its attribute path."""
    return {**info.to_dict(), "path": clean_name(info.name)}


def encoded(reply: Reply, limits: Limits) -> tuple[dict[str, Any], list[Buffer]]:
    """Encode a reply.

    Raises:
        ToolCallError: The value is of a type that cannot cross, or too large.
    """
    size = size_of(reply.value)
    if size <= limits.reply_bytes:
        try:
            data, buffers = reply.to_wire()
        except ValueNotEncodableError as error:
            raise ToolCallError(f"the result cannot be sent to the kernel: {error}") from error
        size = max(size, sum(len(memoryview(buffer).cast("B")) for buffer in buffers))
    if size > limits.reply_bytes:
        raise ToolCallError(
            f"the result has {size:,} bytes, more than the session's limit of "
            f"{limits.reply_bytes:,} (Limits.reply_bytes)"
        )
    return data, buffers


def size_of(value: Any) -> int:
    """Bytes of bulk in a value: strings and buffers, one level of containers deep."""
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(item) for item in value.values() if isinstance(item, str | bytes))
    if isinstance(value, list | tuple):
        return sum(len(item) for item in value if isinstance(item, str | bytes))
    nbytes = getattr(value, "nbytes", 0)
    return nbytes if isinstance(nbytes, int) else 0


def shown(value: Any) -> Any:
    """Return an argument as it is remembered: plain, and short."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    if len(text) <= SHOWN_ARGUMENT and is_json(value):
        return value
    return text if len(text) <= SHOWN_ARGUMENT else f"{text[:SHOWN_ARGUMENT]}..."

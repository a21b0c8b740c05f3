"""Values on their way to a kernel, and what is remembered of them.

Place in the house: below ``dispatch``, above tools; pure functions.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sized
from typing import Any

from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Reply
from py_code_mode.errors import ToolCallError, ValueNotEncodableError
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.names import clean_name
from py_code_mode.tools.structure import structure_of

__all__ = ["describe_tool", "encoded", "shown_arguments", "size_of"]

SHOWN_CHARS = 200
"""Characters of one argument that are remembered of a call."""

SHOWN_ARGUMENTS = 50
"""Arguments that are remembered of a call."""

SHOWN_ITEMS = 10
"""Items of an argument that is a list or dict; larger ones are named, not kept."""


def describe_tool(info: ToolInfo) -> dict[str, Any]:
    """Return a tool as the kernel's catalogue takes it.

    Returns:
        Plain data with its attribute path, and what its results look like inside, if that is known.
    """
    row = {**info.to_dict(), "path": clean_name(info.name)}
    known = info.output_schema if info.output_schema is not None else info.observed
    shape = "" if known is None else structure_of(known)
    if shape and (known is info.observed or shape != info.returns):
        row |= {"shape": shape, "observed": known is info.observed}
    return row


def encoded(reply: Reply, limits: Limits) -> tuple[dict[str, Any], list[Buffer]]:
    """Encode a reply.

    Raises:
        ToolCallError: The value is of a type that cannot cross, or larger than
            ``Limits.reply_bytes``.
    """
    try:
        return reply.to_wire(max_bytes=limits.reply_bytes)
    except ValueNotEncodableError as error:
        raise ToolCallError(
            f"the result cannot be sent to the kernel: {error} "
            f"(at most {limits.reply_bytes:,} bytes, Limits.reply_bytes)"
        ) from error


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


def shown_arguments(arguments: Any) -> dict[str, Any]:
    """Return a call's arguments as they are remembered: plain, short, and not too many."""
    if not isinstance(arguments, Mapping):
        return {}
    chosen = itertools.islice(arguments.items(), SHOWN_ARGUMENTS)
    return {str(name)[:SHOWN_CHARS]: _shown(value) for name, value in chosen}


def _shown(value: Any, depth: int = 2) -> Any:
    if value is None or type(value) in (bool, float):
        return value
    if type(value) is int:
        return value if value.bit_length() < SHOWN_CHARS else f"<int of {value.bit_length()} bits>"
    if type(value) is str:
        return value if len(value) <= SHOWN_CHARS else f"{value[:SHOWN_CHARS]}..."
    if type(value) is list and len(value) <= SHOWN_ITEMS and depth:
        return [_shown(item, depth - 1) for item in value]
    if type(value) is dict and len(value) <= SHOWN_ITEMS and depth:
        return {str(key)[:SHOWN_CHARS]: _shown(item, depth - 1) for key, item in value.items()}
    size = f" of {len(value)}" if isinstance(value, Sized) else ""
    return f"<{type(value).__name__}{size}>"

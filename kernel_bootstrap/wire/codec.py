"""Values to JSON trees plus binary buffers, and back, exactly.

Place in the house: part of THE contract (``kernel_bootstrap.wire``). Both sides encode and
decode every parameter, reply and value with this module; artifacts of exotic types are stored
with ``dumps``. ``encoder`` and ``decoder`` walk; ``standard``, ``arrays``, ``frames`` and
``polars_frames`` know the types.

The rules of a tree:

* JSON says it where JSON is exact: null, booleans, well-formed strings, integers within 53 bits,
  finite floats, arrays (lists) and objects (dicts with string keys, none of them ``$``).
* Everything else is ``{"$": tag, ...fields}``; the fields are trees. ``b`` lists the numbers of
  the buffers that belong to the value. Each buffer belongs to one value.
* Types match exactly. A value comes back as it was or is refused by the name of its type and
  the path to it; it never comes back as something else. Enum members, dataclasses and named
  tuples are plain data on the other side.
* A tree of the other side may be hostile. Whatever it holds, ``decode`` returns a value or raises
  ``ProtocolError``; it imports nothing it is told to, and allocates no more than it was sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kernel_bootstrap.wire.decoder import Decoder
from kernel_bootstrap.wire.encoder import Encoder
from kernel_bootstrap.wire.errors import ProtocolError, ValueNotEncodableError
from kernel_bootstrap.wire.parts import MAX_DEPTH, Buffer, Refused

__all__ = ["MAX_DEPTH", "Buffer", "decode", "dumps", "encode", "loads"]

_MAGIC = b"pycmval\x01"
"""Opens a stored value; the last byte is the version of the container."""


def encode(
    value: Any, *, libraries: frozenset[str] | None = None, max_bytes: int | None = None
) -> tuple[Any, list[Buffer]]:
    """Take ``value`` apart.

    Args:
        value: Anything; this module says what can cross.
        libraries: Which of ``numpy``, ``pandas`` and ``polars`` the other side has; None is all.
        max_bytes: Give up when JSON and buffers together would exceed about this many bytes.

    Returns:
        A tree that any JSON packer keeps exactly, and the buffers it refers to. Lists and
        dicts are copied; ``bytes`` objects travel as they are.

    Raises:
        ValueNotEncodableError: Something in it cannot cross; the message names its type and path.
    """
    encoder = Encoder(libraries, max_bytes)
    try:
        return encoder.value(value, 0), encoder.buffers
    except Refused as refused:
        raise ValueNotEncodableError(refused.sentence()) from refused.__cause__
    except RecursionError:
        raise ValueNotEncodableError(
            "cannot send a value nested deeper than what is left of the stack"
        ) from None


def decode(tree: Any, buffers: Sequence[Buffer] = ()) -> Any:
    """Put together what ``encode`` took apart. The result shares nothing with the input.

    Raises:
        ProtocolError: The tree or the buffers are malformed, or need a library this side lacks.
    """
    try:
        return Decoder(buffers).value(tree, 0)
    except (RecursionError, MemoryError) as error:
        raise ProtocolError(f"value too large to decode: {type(error).__name__}") from None


def dumps(value: Any) -> bytes:
    """Return ``value`` as one self-contained sequence of bytes, to be stored.

    Raises:
        ValueNotEncodableError: As for ``encode``.
    """
    tree, buffers = encode(value)
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    header = {"value": tree, "buffers": [view.nbytes for view in views]}
    text = json.dumps(header, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()
    return b"".join([_MAGIC, len(text).to_bytes(8, "little"), text, *views])


def loads(data: Buffer) -> Any:
    """Return the value that ``dumps`` made ``data`` of.

    Raises:
        ProtocolError: It was not made by ``dumps``, or was damaged.
    """
    view = memoryview(data).cast("B")
    start = len(_MAGIC) + 8
    if view[: len(_MAGIC)] != _MAGIC:
        raise ProtocolError("not a stored value, or one of another version")
    end = start + int.from_bytes(view[len(_MAGIC) : start], "little")
    try:
        header = json.loads(str(view[start:end], "utf-8"))
        tree, sizes = header["value"], [int.__index__(size) for size in header["buffers"]]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ProtocolError(f"damaged stored value: {type(error).__name__}") from error
    if min(sizes, default=0) < 0 or end + sum(sizes) != len(view):
        raise ProtocolError("damaged stored value: its sizes do not add up")
    buffers: list[Buffer] = []
    for size in sizes:
        buffers.append(view[end : end + size])
        end += size
    return decode(tree, buffers)

"""A stretch of an artifact's bytes on its way, which nobody copies.

Place in the house: part of THE contract, beside ``media``; standard library only. ``bytes`` are
copied out of a message, because values must outlive it. What is only written on, hashed or put
into its place stays where the socket put it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernel_bootstrap.wire.parts import Buffer, Packed, Unpack

__all__ = ["PACKERS", "UNPACKERS", "Piece"]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Bytes to be used at once, and not kept.

    Attributes:
        data: The bytes; of a message that came in, a view of it.
    """

    data: Buffer


def _unpack_piece(fields: dict[str, Any]) -> Piece:
    (view,) = fields["b"]
    return Piece(view)


PACKERS: dict[type, Callable[[Any], Packed]] = {
    Piece: lambda value: Packed("piece", buffers=[value.data])
}

UNPACKERS: dict[str, Unpack] = {"piece": _unpack_piece}

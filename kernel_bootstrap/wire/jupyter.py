"""Jupyter messages as the frames that zmq carries.

Place in the house: bottom of ``wire``; standard library only. jupyter_client's ``Session`` does
the same for every kind of program; four fifths of what it costs are not needed here, and a cell
sends six messages, a tool call two. The format is that of "Messaging in Jupyter", version 5.4:
https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

__all__ = ["DELIMITER", "MessageWriter", "pack_json"]

DELIMITER = b"<IDS|MSG>"


def _date(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__qualname__} has no place in a Jupyter message")


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_date).encode


def pack_json(value: object) -> bytes:
    """Return ``value`` as JSON.

    Raises:
        TypeError: It holds something JSON cannot express.
        ValueError: It holds a NaN, an infinity, a lone surrogate or itself.
    """
    return _encode(value).encode("utf-8", "surrogateescape")


class MessageWriter:
    """Packs and signs messages; callable from any thread.

    Args:
        auth: Keyed with the connection's key, never updated; None leaves messages unsigned.
        pack: Makes JSON of one part.
    """

    def __init__(self, auth: hmac.HMAC | None, pack: Callable[[object], bytes] = pack_json) -> None:
        self._auth = auth
        self._pack = pack
        self._parent: tuple[Mapping[str, Any], bytes] = ({}, b"{}")

    def frames(
        self,
        header: Mapping[str, Any],
        parent: Mapping[str, Any],
        metadata: Mapping[str, Any],
        content: Mapping[str, Any],
    ) -> list[bytes]:
        """Return delimiter, signature and the four signed parts.

        Args:
            header: The message's header.
            parent: Header of the message it answers; a cell's many messages share the object,
                which therefore must not change.
            metadata: Whatever goes beside the content.
            content: What the message says.
        """
        known = self._parent
        if known[0] is not parent:
            # One assignment: another thread sees this pair or the one before, never a mixture.
            known = self._parent = parent, self._pack(parent)
        parts = [
            self._pack(header),
            known[1],
            self._pack(metadata) if metadata else b"{}",
            self._pack(content),
        ]
        return [DELIMITER, self.sign(parts), *parts]

    def sign(self, parts: Sequence[bytes]) -> bytes:
        """Return the signature of a message's four parts, as hexadecimal digits."""
        if self._auth is None:
            return b""
        digest = self._auth.copy()
        digest.update(b"".join(parts))
        return digest.hexdigest().encode()

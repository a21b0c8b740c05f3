"""Jupyter messages as the frames that zmq carries.

Place in the house: bottom of ``wire``, above ``sockets``; standard library only.
jupyter_client's ``Session`` does the same for every kind of program; four fifths of what it
costs are not needed here, and a cell sends six messages, a tool call two. The format is that of
"Messaging in Jupyter", version 5.4:
https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol
"""

from __future__ import annotations

import hmac
import itertools
import json
import json.encoder
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kernel_bootstrap.wire.parts import Buffer
from kernel_bootstrap.wire.sockets import Frame

__all__ = ["DELIMITER", "MessageWriter", "pack_json", "split"]

DELIMITER = b"<IDS|MSG>"

VERSION = "5.4"
"""Version of the messages' format."""


def _date(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__qualname__} has no place in a Jupyter message")


def _make_encode() -> Callable[[object], str]:
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_date)
    # What `encode` makes anew for each call, which takes longer than a message's header. It is
    # part of CPython's json; where it is missing, `encode` does the same.
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    text, keys, items = json.encoder.encode_basestring, ": ", ", "
    parts = make(None, _date, text, None, keys, items, False, False, False)  # noqa: FBT003 - positional in C
    return lambda value: "".join(parts(value, 0))


_encode = _make_encode()


def pack_json(value: object, errors: str = "surrogateescape") -> bytes:
    """Return ``value`` as JSON.

    Args:
        value: Plain data.
        errors: What becomes of lone surrogates, as in ``str.encode``.

    Raises:
        TypeError: It holds something JSON cannot express.
        ValueError: It holds a NaN, an infinity, itself, or a surrogate that ``errors`` refuses.
    """
    try:
        return _encode(value).encode("utf-8", errors)
    except RecursionError:
        raise ValueError("it is nested too deeply, or holds itself") from None


def split(frames: Sequence[Frame]) -> tuple[list[bytes], bytes, list[bytes], list[Buffer]]:
    """Part a received message into identities, signature, the four JSON parts, and buffers.

    Raises:
        ValueError: It is not of Jupyter's form.
    """
    idents: list[bytes] = []
    for frame in frames:
        content = frame.bytes
        if content == DELIMITER:
            break
        idents.append(content)
    else:
        raise ValueError("a message without a delimiter")
    at = len(idents)
    if len(frames) < at + 6:
        raise ValueError("a message of too few parts")
    signature, *parts = [frame.bytes for frame in frames[at + 1 : at + 6]]
    return idents, signature, parts, [frame.buffer for frame in frames[at + 6 :]]


class MessageWriter:
    """Packs and signs messages; callable from any thread.

    Args:
        auth: Keyed with the connection's key, never updated; None leaves messages unsigned.
        pack: Makes JSON of one part.
        session: Id of the sender, for headers made here.
        username: Name of the sender.
    """

    def __init__(
        self,
        auth: hmac.HMAC | None,
        pack: Callable[[object], bytes] = pack_json,
        *,
        session: str = "",
        username: str = "",
    ) -> None:
        self._auth = auth
        self._pack = pack
        self._parent: tuple[Mapping[str, Any], bytes] = ({}, b"{}")
        # Told apart from the ids that jupyter_client makes for the same session.
        self._ids, self._id = itertools.count(), f"{session}_{os.getpid()}_m"
        text = {"username": username, "session": session, "version": VERSION}
        self._sender = pack_json(text)[1:]

    def new_header(self, msg_type: str) -> tuple[str, bytes]:
        """Return the id of a new message, and its header as JSON."""
        id_ = f"{self._id}{next(self._ids)}"
        now = datetime.now(UTC).isoformat()[:-6]  # without +00:00
        head = f'{{"msg_id": "{id_}", "msg_type": "{msg_type}", "date": "{now}Z", '
        return id_, head.encode() + self._sender

    def frames(
        self,
        header: Mapping[str, Any] | bytes,
        parent: Mapping[str, Any],
        metadata: Mapping[str, Any],
        content: Mapping[str, Any],
    ) -> list[bytes]:
        """Return delimiter, signature and the four signed parts.

        Args:
            header: The message's header; bytes are JSON already.
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
            header if isinstance(header, bytes) else self._pack(header),
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

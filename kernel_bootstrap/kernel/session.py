"""The session of a kernel's messages: jupyter_client's, with a short way out.

Place in the house: bottom of ``kernel``; ``app`` makes it.
"""

from __future__ import annotations

import hmac
import os
from typing import Any

import zmq.asyncio
from jupyter_client.session import Session, json_packer

from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.jupyter import DELIMITER, MessageWriter, pack_json

__all__ = ["KernelSession", "split"]


def pack(value: object) -> bytes:
    """Return ``value`` as JSON; what JSON cannot express is handled as in any kernel."""
    try:
        return pack_json(value)
    except (TypeError, ValueError):
        return json_packer(value)


def split(frames: list[zmq.Frame]) -> tuple[list[bytes], list[bytes], list[Buffer]]:
    """Part a received message into identities, the four JSON parts, and buffers.

    Raises:
        ValueError: It is not of Jupyter's form.
    """
    at = next((at for at, frame in enumerate(frames) if frame.bytes == DELIMITER), None)
    if at is None:
        raise ValueError("a message without a delimiter")
    parts = [frame.bytes for frame in frames[at + 2 : at + 6]]
    if len(parts) != 4:  # noqa: PLR2004 - header, parent, metadata, content
        raise ValueError("a message of too few parts")
    idents = [frame.bytes for frame in frames[:at]]
    return idents, parts, [frame.buffer for frame in frames[at + 6 :]]


class KernelSession(Session):
    """Sends messages at a third of the usual cost; reads them as ever."""

    _writer: MessageWriter | None = None

    def sign(self, msg_list: list[bytes]) -> bytes:
        """Sign the parts of a message."""
        return self._message_writer.sign(msg_list)

    def check_signature(self, signature: bytes, parts: list[bytes]) -> None:
        """Accept a message once, as ``deserialize`` does.

        Raises:
            ValueError: It is not signed with our key, or has come before.
        """
        if self.auth is None:
            return
        if signature in self.digest_history:
            raise ValueError("the message has come before")
        self._add_digest(signature)
        if not hmac.compare_digest(signature, self.sign(parts)):
            raise ValueError("the signature does not match")

    @property
    def _message_writer(self) -> MessageWriter:
        writer = self._writer
        if writer is None:
            writer = self._writer = MessageWriter(self.auth, pack)
        return writer

    def _new_auth(self) -> None:
        """Take a new key: that of the connection file."""
        super()._new_auth()
        self._writer = None

    def serialize(
        self, msg: dict[str, Any], ident: list[bytes] | bytes | None = None
    ) -> list[bytes]:
        """Return the frames of a message."""
        content = msg.get("content")
        if not isinstance(content, dict):
            # Packed already, or missing.
            return super().serialize(msg, ident)
        frames = self._message_writer.frames(
            msg["header"], msg["parent_header"], msg["metadata"], content
        )
        if ident is None:
            return frames
        return [*ident, *frames] if isinstance(ident, list) else [ident, *frames]

    def send(
        self,
        stream: Any,
        msg_or_type: dict[str, Any] | str,
        content: dict[str, Any] | None = None,
        parent: dict[str, Any] | None = None,
        ident: bytes | list[bytes] | None = None,
        buffers: list[bytes | memoryview[bytes]] | None = None,
        track: bool = False,  # noqa: FBT001, FBT002 - jupyter_client's signature
        header: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Build and send a message; see ``jupyter_client.session.Session.send``."""
        if isinstance(msg_or_type, dict):
            msg = msg_or_type
        else:
            msg = self.msg(msg_or_type, content, parent, header, metadata)
        buffers = buffers or msg.get("buffers")
        plain = stream is not None and not isinstance(stream, zmq.asyncio.Socket)
        if buffers or track or not plain or os.getpid() != self.pid:
            return super().send(stream, msg, ident=ident, buffers=buffers, track=track)
        frames = self.serialize(msg, ident)
        stream.send_multipart(frames, copy=max(map(len, frames)) < self.copy_threshold)
        return msg

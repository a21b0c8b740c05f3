"""The session of a kernel's messages: jupyter_client's, with a short way out.

Place in the house: bottom of ``kernel``; ``app`` makes it.
"""

from __future__ import annotations

import hmac
import json
import os
import re
from collections.abc import Sequence
from typing import Any

import zmq.asyncio
from jupyter_client.jsonutil import json_clean, json_default
from jupyter_client.session import Session, extract_header, json_packer

from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.jupyter import MessageWriter, pack_json

__all__ = ["KernelSession"]

_VERSION = re.compile(r"5(\.\d+)?")
"""Versions of the messages that need no adapting."""


def pack(value: object) -> bytes:
    """Return ``value`` as JSON; what JSON cannot express is handled as in any kernel.

    Half a character, as names of files may have it, becomes a question mark: ipykernel's own
    packer fails on some of them, and makes of others what is no UTF-8.
    """
    try:
        return pack_json(value, errors="strict")
    except UnicodeEncodeError:
        value = json_clean(value)
        text = json.dumps(value, default=json_default, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "replace")
    except (TypeError, ValueError):
        return json_packer(value)


class KernelSession(Session):
    """Sends and reads messages at a third of the usual cost."""

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
            writer = MessageWriter(self.auth, pack, session=self.session, username=self.username)
            self._writer = writer
        return writer

    def send_comm(
        self,
        stream: Any,
        content: dict[str, Any],
        buffers: Sequence[Buffer] = (),
        *,
        parent: dict[str, Any],
        ident: Sequence[bytes],
    ) -> None:
        """Send a ``comm_msg``, as ``send`` would in twice the time.

        Args:
            stream: Where to.
            content: The message's content.
            buffers: Its contiguous buffers.
            parent: Header of what it belongs to.
            ident: Topic, or identities of who is to get it.
        """
        writer = self._message_writer
        _, header = writer.new_header("comm_msg")
        stream.send_multipart([*ident, *writer.frames(header, parent, {}, content), *buffers])

    def _new_auth(self) -> None:
        """Take a new key: that of the connection file, also after a fork."""
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
        buffers: list[Any] | None = None,
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
        if track or not plain or os.getpid() != self.pid:
            return super().send(stream, msg, ident=ident, buffers=buffers, track=track)
        frames: list[Buffer] = [*self.serialize(msg, ident)]
        for buffer in buffers or ():
            if not memoryview(buffer).contiguous:
                raise ValueError("a buffer of a message must be contiguous")
            frames.append(buffer)
        stream.send_multipart(frames)
        return msg

    def deserialize(
        self,
        msg_list: list[Any],
        content: bool = True,  # noqa: FBT001, FBT002 - jupyter_client's signature
        copy: bool = True,  # noqa: FBT001, FBT002
    ) -> dict[str, Any]:
        """Read a message, from its signature on; dates stay text.

        Raises:
            ValueError: It is not signed with our key, has come before, or is malformed.
        """
        if copy or not content or len(msg_list) < 5:  # noqa: PLR2004 - signature and four parts
            return super().deserialize(msg_list, content=content, copy=copy)
        signature, *parts = [frame.bytes for frame in msg_list[:5]]
        header = json.loads(parts[0])
        if not _VERSION.fullmatch(header.get("version", "")):
            return super().deserialize(msg_list, content=content, copy=copy)
        self.check_signature(signature, parts)
        return {
            "header": header,
            "msg_id": header["msg_id"],
            "msg_type": header["msg_type"],
            "parent_header": json.loads(parts[1]),
            "metadata": json.loads(parts[2]),
            "content": json.loads(parts[3]),
            "buffers": [frame.buffer for frame in msg_list[5:]],
        }

    def msg(
        self,
        msg_type: str,
        content: dict[str, Any] | None = None,
        parent: dict[str, Any] | None = None,
        header: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Make a message."""
        header = self.msg_header(msg_type) if header is None else header
        return {
            "header": header,
            "msg_id": header["msg_id"],
            "msg_type": header["msg_type"],
            "parent_header": {} if parent is None else extract_header(parent),
            "content": {} if content is None else content,
            "metadata": {**self.metadata, **(metadata or {})},
        }

"""What a kernel sends, from frames to a message: signature, JSON, the fields that we read.

Place in the house: inside ``kernel``, above ``messages``, below ``channels``; no I/O. The frames
are a hostile kernel's.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Sequence
from typing import Any

from kernel_bootstrap.wire.jupyter import split
from kernel_bootstrap.wire.sockets import Frame
from py_code_mode.errors import ProtocolError
from py_code_mode.kernel.messages import JupyterMessage, read_message

__all__ = ["MessageReader"]

_decode = json.JSONDecoder().decode


class MessageReader:
    """Reads the messages of one kernel.

    ``Session.deserialize`` does the same and parses each date of the headers as well, which
    nobody here reads and costs more than all the rest.

    Args:
        sign: Returns the signature of a message's four JSON parts.
    """

    def __init__(self, sign: Callable[[Sequence[bytes]], bytes]) -> None:
        self._sign = sign
        self._known_parent: tuple[bytes, Any] = (b"", None)

    def read(self, frames: Sequence[Frame]) -> JupyterMessage | None:
        """Return the message that frames hold; None if it is not of Jupyter's form.

        Raises:
            ProtocolError: They hold none, or it is not signed with the kernel's key. Nothing else
                is raised.
        """
        try:
            _, signature, parts, buffers = split(frames)
            if not hmac.compare_digest(signature, self._sign(parts)):
                raise ProtocolError("the signature does not match")
            if parts[1] != self._known_parent[0]:  # a cell's messages share their parent
                self._known_parent = parts[1], _parse(parts[1])
            raw = {
                "header": _parse(parts[0]),
                "parent_header": self._known_parent[1],
                "metadata": _parse(parts[2]),
                "content": _parse(parts[3]),
                "buffers": buffers,
            }
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"a malformed message: {error!s:.200}") from None
        return read_message(raw)


def _parse(part: bytes) -> Any:
    return {} if part == b"{}" else _decode(str(part, "utf-8"))

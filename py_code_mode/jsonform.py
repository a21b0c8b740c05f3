"""The JSON form of results and events: read strictly, and written so that any parser keeps it.

Place in the house: ground layer, above ``errors``; ``results`` and ``events`` say what their
forms are, the session server and its clients send them.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any

from kernel_bootstrap.wire.codec import decode, encode
from py_code_mode.errors import ProtocolError

__all__ = ["dump_json", "load_json", "pack", "read_fields", "unpack"]

NUMBER = (int, float)


def read_fields(what: str, data: Any, /, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """Return the named fields of an object, each of one of the types asked for.

    Types match exactly: ``true`` is no number. Further fields are left out, so that a newer
    version of the other side may say more.

    Args:
        what: What the object is, for the message.
        data: Untrusted.
        **kinds: Name of a field -> its type or types.

    Raises:
        ProtocolError: It is no object, or a field is missing or of another type.
    """
    if not isinstance(data, dict):
        raise ProtocolError(f"{what} must be an object, not {type(data).__name__}")
    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        allowed = kind if isinstance(kind, tuple) else (kind,)
        if name not in data:
            raise ProtocolError(f"{what} lacks the field {name!r}")
        if type(data[name]) not in allowed:
            wanted = " or ".join(each.__name__ for each in allowed)
            raise ProtocolError(
                f"field {name!r} of {what} must be {wanted}, not {type(data[name]).__name__}"
            )
        found[name] = data[name]
    return found


def pack(value: Any) -> dict[str, Any]:
    """Return any value the wire's codec carries as JSON data: its tree, its buffers in base64.

    Raises:
        ValueNotEncodableError: Something in it cannot cross.
    """
    tree, buffers = encode(value)
    return {"tree": tree, "base64": [base64.b64encode(buffer).decode() for buffer in buffers]}


def unpack(data: Any) -> Any:
    """Return the value that ``pack`` made the data of.

    Raises:
        ProtocolError: It was not made by ``pack``.
    """
    if not isinstance(data, dict) or "tree" not in data:
        raise ProtocolError("a packed value must be an object with the fields 'tree' and 'base64'")
    texts = read_fields("a packed value", data, base64=list)["base64"]
    try:
        buffers = [base64.b64decode(text, validate=True) for text in texts]
    except (TypeError, ValueError, binascii.Error) as error:
        raise ProtocolError(f"a buffer of a packed value is no base64: {error}") from None
    return decode(data["tree"], buffers)


def dump_json(data: Any) -> bytes:
    """Return JSON data as ASCII text that every parser takes.

    Lone surrogates stay, escaped. JSON has no word for nan and infinity, which a kernel's JSON
    displays may hold: they become the strings that Jupyter makes of them.
    """
    try:
        return json.dumps(data, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        return json.dumps(_finite(data), allow_nan=False, separators=(",", ":")).encode()


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return repr(data) if isinstance(data, float) and not math.isfinite(data) else data


def load_json(text: bytes | str) -> Any:
    """Return the data of a JSON text.

    Raises:
        ProtocolError: It is no JSON, or it is nested too deep.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON: {error}") from None


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")

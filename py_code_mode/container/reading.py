"""Names on their way out, and descriptions on their way in: neither may be anything else.

Place in the house: bottom of ``container``, no I/O.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from py_code_mode.errors import KernelError, ProtocolError, SessionNotFound
from py_code_mode.jsonform import read_fields

__all__ = ["checked_id", "read_session", "session_path", "variable_path"]

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}")


def checked_id(key: str) -> str:
    """Return a session's id, if it can be one: an odd one would lead to another path.

    Raises:
        SessionNotFound: It cannot.
    """
    if not _ID.fullmatch(key):
        raise SessionNotFound(f"{key!r:.100} cannot be the id of a session")
    return key


def session_path(key: str) -> str:
    """Return the path of a session."""
    return f"/sessions/{quote(key, safe='')}"


def variable_path(name: str) -> str:
    """Return the path of a variable below its session.

    Raises:
        KernelError: The name is no identifier.
    """
    if not name.isidentifier():
        raise KernelError(f"{name!r} cannot be a variable: it is no Python identifier")
    return f"/variables/{quote(name, safe='')}"


def read_session(data: Any) -> tuple[str, str, tuple[str, ...]]:
    """Return id, name and warnings of a session the server describes.

    Raises:
        ProtocolError: It is no description.
    """
    found = read_fields("a session", data, id=str, name=(str, type(None)))
    if not _ID.fullmatch(found["id"]):
        raise ProtocolError(f"{found['id']!r:.80} is no id of a session")
    said = data.get("warnings")
    texts = [each for each in said if isinstance(each, str)] if isinstance(said, list) else []
    return found["id"], found["name"] or found["id"], tuple(texts)

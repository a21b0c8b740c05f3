"""Running code on a session server: ``SessionClient`` has the verbs of ``CodeExecutor``.

Place in the house: remote layer, beside ``server``, of which it knows nothing but the HTTP. It
trusts the server with nothing: answers are bounded, checked data.
"""

from __future__ import annotations

try:
    import httpx as _httpx
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"the client of a session server needs {error.name}: pip install 'py-code-mode[container]'",
        name=error.name,
    ) from error

from py_code_mode.container.artifacts import RemoteArtifacts
from py_code_mode.container.client import SessionClient
from py_code_mode.container.session import RemoteSession
from py_code_mode.errors import (
    NotAuthorized,
    RemoteError,
    ServerBusy,
    ServerFailed,
    ServerUnreachable,
    SessionLost,
    SessionNotFound,
)

__all__ = [
    "NotAuthorized",
    "RemoteArtifacts",
    "RemoteError",
    "RemoteSession",
    "ServerBusy",
    "ServerFailed",
    "ServerUnreachable",
    "SessionClient",
    "SessionLost",
    "SessionNotFound",
]

del _httpx

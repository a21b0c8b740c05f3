"""One tree of errors. Ground layer: everything may import it, it imports only the wire.

User code that fails, times out or kills its kernel is data (``ExecutionResult.error``); these
are raised when *our* machinery, a tool or a store fails::

    CodeModeError
    ├── ConfigError              names file, line and key
    ├── ToolError
    │   ├── ToolNotFoundError    (AttributeError)
    │   ├── ToolCallError
    │   ├── ToolTimeoutError     (TimeoutError)
    │   └── ToolDeniedError
    ├── SkillError
    │   ├── SkillNotFoundError   (AttributeError)
    │   ├── SkillValidationError
    │   └── MissingPackagesError (ImportError)
    ├── ArtifactError
    │   ├── ArtifactNotFoundError (KeyError)
    │   └── ArtifactWriteError
    ├── KernelError
    │   ├── KernelStartError
    │   │   └── PlacementError   no node of the cluster takes it
    │   ├── KernelDied
    │   └── KernelUnresponsive   (TimeoutError)
    ├── ExecutionError           only from ``ExecutionResult.unwrap``
    │   └── ExecutionTimeout     (TimeoutError)
    ├── SessionClosed
    ├── RemoteError              a session server, as its clients see it
    │   ├── ServerUnreachable
    │   ├── NotAuthorized
    │   ├── SessionNotFound
    │   ├── SessionLost
    │   ├── ServerBusy           ``retry_after``
    │   └── ServerFailed
    ├── PolicyError              a shell command was refused
    ├── ProtocolError            a message does not follow the wire contract
    └── ValueNotEncodableError   (TypeError)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kernel_bootstrap.wire.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactWriteError,
    CodeModeError,
    MissingPackagesError,
    PolicyError,
    ProtocolError,
    SkillError,
    SkillNotFoundError,
    SkillValidationError,
    ToolCallError,
    ToolDeniedError,
    ToolError,
    ToolNotFoundError,
    ToolTimeoutError,
    ValueNotEncodableError,
)

__all__ = [
    "ArtifactError",
    "ArtifactNotFoundError",
    "ArtifactWriteError",
    "CodeModeError",
    "ConfigError",
    "ExecutionError",
    "ExecutionTimeout",
    "KernelDied",
    "KernelError",
    "KernelStartError",
    "KernelUnresponsive",
    "MissingPackagesError",
    "NotAuthorized",
    "PlacementError",
    "PolicyError",
    "ProtocolError",
    "RemoteError",
    "ServerBusy",
    "ServerFailed",
    "ServerUnreachable",
    "SessionClosed",
    "SessionLost",
    "SessionNotFound",
    "SkillError",
    "SkillNotFoundError",
    "SkillValidationError",
    "ToolCallError",
    "ToolDeniedError",
    "ToolError",
    "ToolNotFoundError",
    "ToolTimeoutError",
    "ValueNotEncodableError",
]


class ConfigError(CodeModeError):
    """A file or setting of the user is wrong.

    Args:
        message: What is wrong and what would be right.
        file: The file it stands in.
        line: Its line, counted from 1.
        key: The dotted key, e.g. ``"args"`` or ``"params.port.type"``.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        key: str | None = None,
    ) -> None:
        where = str(file) if file is not None else ""
        if line is not None:
            where += f":{line}" if where else f"line {line}"
        parts = [part for part in (where, f"key {key!r}" if key else "", message) if part]
        super().__init__(": ".join(parts))
        self.file = None if file is None else Path(file)
        self.line = line
        self.key = key
        self.reason = message


class KernelError(CodeModeError):
    """A kernel could not be started, reached or steered."""


class KernelStartError(KernelError):
    """A kernel did not come up; the message carries what it printed."""


class PlacementError(KernelStartError):
    """The cluster cannot be reached, has no room for a kernel, or cannot make ready for it."""


class KernelDied(KernelError):  # noqa: N818 - the name users see in `result.error.name`
    """The kernel's process ended while it was needed."""


class KernelUnresponsive(KernelError, TimeoutError):  # noqa: N818 - beside `KernelDied`
    """The kernel's process is there, but has not answered in time."""


class ExecutionError(CodeModeError):
    """Raised by ``ExecutionResult.unwrap`` when the code failed.

    Attributes:
        result: The whole ``ExecutionResult``, output included. Typed loosely: results import
            errors, not the other way round.
    """

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result


class ExecutionTimeout(ExecutionError, TimeoutError):  # noqa: N818 - public name
    """Raised by ``ExecutionResult.unwrap`` when the code ran into its time limit."""


class SessionClosed(CodeModeError):  # noqa: N818 - public name
    """The session or its executor was closed."""


class RemoteError(CodeModeError):
    """A session server did not do what its client asked.

    Args:
        message: What was wrong and what would be right.
        status: The HTTP status, or None when there was no answer.
        kind: The server's word for it, e.g. ``"session_lost"``; empty when it said none.
        **details: What else the server said about it.
    """

    def __init__(
        self, message: str = "", *, status: int | None = None, kind: str = "", **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.status = status
        self.kind = kind


class ServerUnreachable(RemoteError):  # noqa: N818 - public name
    """No connection, or it broke and could not be made again."""


class NotAuthorized(RemoteError):  # noqa: N818 - public name
    """The token is missing, unknown, or lacks the scope; ``status`` is 401 or 403."""


class SessionNotFound(RemoteError):  # noqa: N818 - public name
    """The server has no such session: it was closed, culled, or is another token's."""


class SessionLost(RemoteError):  # noqa: N818 - public name
    """The session's variables are gone: the server was started anew since."""


class ServerBusy(RemoteError):  # noqa: N818 - public name
    """The server takes no more now.

    Attributes:
        retry_after: Seconds after which it is worth asking again.
    """

    def __init__(self, message: str = "", *, retry_after: float = 1.0, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class ServerFailed(RemoteError):  # noqa: N818 - public name
    """The server failed (5xx), or what it answered makes no sense."""

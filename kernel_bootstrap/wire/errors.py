"""The part of the error tree that both sides know, because it crosses the comm.

Place in the house: bottom of ``kernel_bootstrap``; ``py_code_mode.errors`` draws the whole
tree and grows its host-only branches from here. Each class that may cross is named once in
``CROSSING``: the host turns it into a ``Failure``, the kernel raises the same class again.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "CROSSING",
    "ArtifactError",
    "ArtifactNotFoundError",
    "ArtifactWriteError",
    "CodeModeError",
    "MissingPackagesError",
    "PolicyError",
    "ProtocolError",
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


class CodeModeError(Exception):
    """Root of every error this library raises.

    Args:
        message: What was wrong, where, and what would be right.
        details: Plain data beside the message (exit code, stderr, near names, ...). Each key
            is readable as an attribute too: ``error.exit_code``.
    """

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details

    def __getattr__(self, name: str) -> Any:
        # Reached only when normal lookup failed; `details` is absent while unpickling.
        details = self.__dict__.get("details", {})
        if name in details:
            return details[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class ProtocolError(CodeModeError):
    """A message of the other side does not follow the wire contract."""


class ValueNotEncodableError(CodeModeError, TypeError):
    """A value has a type that cannot cross; the message names the type and where it sat."""


class ToolError(CodeModeError):
    """A tool could not be used."""


class ToolNotFoundError(ToolError, AttributeError):
    """No tool of that name; ``near`` lists similar ones.

    It is an ``AttributeError`` too, so that ``hasattr(tools, "x")`` works.
    """


class ToolCallError(ToolError):
    """The tool ran and failed, or its arguments were wrong (``exit_code``, ``stderr`` if known)."""


class ToolTimeoutError(ToolError, TimeoutError):
    """The tool took longer than its own limit and was stopped."""


class ToolDeniedError(ToolError):
    """Policy, scope or a person said no; the message says who and why."""


class SkillError(CodeModeError):
    """A skill could not be used."""


class SkillNotFoundError(SkillError, AttributeError):
    """No skill of that name; ``near`` lists similar ones."""


class SkillValidationError(SkillError):
    """A skill's name or source is not acceptable; the message names the line."""


class MissingPackagesError(SkillError, ImportError):
    """A skill needs packages that the kernel does not have; ``missing`` lists them."""

    __str__ = Exception.__str__


class ArtifactError(CodeModeError):
    """An artifact could not be used."""


class ArtifactNotFoundError(ArtifactError, KeyError):
    """No artifact of that name."""

    __str__ = Exception.__str__  # KeyError shows repr(message)


class ArtifactWriteError(ArtifactError):
    """An artifact could not be stored (bad name, too large, disk full, ...)."""


class PolicyError(CodeModeError):
    """The session's policy refused something other than a tool (a shell command)."""


CROSSING: dict[str, type[CodeModeError]] = {
    cls.__name__: cls
    for cls in (
        CodeModeError,
        ProtocolError,
        ValueNotEncodableError,
        ToolError,
        ToolNotFoundError,
        ToolCallError,
        ToolTimeoutError,
        ToolDeniedError,
        SkillError,
        SkillNotFoundError,
        SkillValidationError,
        MissingPackagesError,
        ArtifactError,
        ArtifactNotFoundError,
        ArtifactWriteError,
        PolicyError,
    )
}

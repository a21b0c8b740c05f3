"""What a tool is, and the one seam behind which every kind of tool lives.

Place in the house: bottom of ``tools``; adapters and the registry stand on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

__all__ = [
    "NO_DEFAULT",
    "ChangingAdapter",
    "StartingAdapter",
    "ToolAdapter",
    "ToolInfo",
    "ToolParam",
]


class _NoDefault:
    """Type of ``NO_DEFAULT``: a parameter without a default value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT = _NoDefault()


@dataclass(frozen=True, slots=True)
class ToolParam:
    """One parameter of a tool.

    Attributes:
        name: Keyword under which it is given.
        annotation: Its type as Python source, e.g. ``"str"`` or ``"list[int] | None"``.
        required: Whether a call without it is refused.
        default: Default value, plain data, or ``NO_DEFAULT``.
        description: One line.
        schema: What is known of its values as JSON schema, or None. It stays on the host.
    """

    name: str
    annotation: str = "Any"
    required: bool = False
    default: Any = NO_DEFAULT
    description: str = ""
    schema: Mapping[str, Any] | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire; ``default`` is absent when there is none."""
        data: dict[str, Any] = {
            "name": self.name,
            "annotation": self.annotation,
            "required": self.required,
            "description": self.description,
        }
        if self.default is not NO_DEFAULT:
            data["default"] = self.default
        return data


@dataclass(frozen=True, slots=True)
class ToolInfo:
    """A tool as agents and programs see it.

    Attributes:
        name: Full name; dots separate the names of a server and its tool.
        description: What it does, first line first.
        params: Its parameters in signature order.
        tags: Labels for scoping (``allowed_tags``).
        returns: Return annotation as Python source, empty when unknown.
        output_schema: What is known of its result as JSON schema, or None. It stays on the host.
        observed: What its results looked like so far as JSON schema, where nothing else is known
            of them, or None. Not promised by anybody.
    """

    name: str
    description: str = ""
    params: tuple[ToolParam, ...] = ()
    tags: frozenset[str] = frozenset()
    returns: str = ""
    output_schema: Mapping[str, Any] | None = field(default=None, compare=False)
    observed: Mapping[str, Any] | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire."""
        return {
            "name": self.name,
            "description": self.description,
            "params": [param.to_dict() for param in self.params],
            "tags": sorted(self.tags),
            "returns": self.returns,
        }


@runtime_checkable
class ToolAdapter(Protocol):
    """One source of tools (a command, a set of functions, a server).

    Calls may overlap. Cancelling ``call`` must stop the work and everything it started.
    """

    def tools(self) -> Sequence[ToolInfo]:
        """Return the tools it offers now."""
        ...

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Run one tool.

        Args:
            name: A name out of ``tools()``.
            arguments: Keyword arguments, already plain Python values; not yet validated.

        Returns:
            A value the wire's codec can carry.

        Raises:
            ToolError: With everything the agent needs to do better (right argument names,
                exit code, stderr). Where the arguments were wrong, the detail
                ``wrong_arguments=True`` says so: then ``tools.map`` does not try again.
        """
        ...

    async def aclose(self) -> None:
        """Release processes and connections; closing twice is fine."""
        ...


@runtime_checkable
class StartingAdapter(ToolAdapter, Protocol):
    """An adapter that knows its tools only when it has been started: a server, say."""

    async def start(self) -> Sequence[str]:
        """Get ready: afterwards ``tools()`` is complete. Called once, before anything else.

        Returns:
            What is not as it should be although the tools can be offered, a sentence each.

        Raises:
            ToolError: There is nothing to offer; the message names the server.
        """
        ...


@runtime_checkable
class ChangingAdapter(ToolAdapter, Protocol):
    """An adapter whose tools may be others after a while: a server that learns, say."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Have ``changed`` called, on the event loop, whenever ``tools()`` is not what it was."""
        ...

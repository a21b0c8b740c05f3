"""A server's own list of tools, as this library offers them.

Place in the house: ``tools.mcp``, between what a server says and ``ToolInfo``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from py_code_mode.errors import ConfigError
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.jsonschema import annotation_of, object_params
from py_code_mode.tools.names import clean_name
from py_code_mode.tools.table import Entry, Table

if TYPE_CHECKING:
    import mcp_types as types

    from py_code_mode.tools.base import ToolAdapter

__all__ = ["Choice", "Offer", "Offers", "offers_of"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a server's tools are offered, and how.

    Attributes:
        include: Patterns of names (``*``, ``?``, ``[abc]``); empty for all.
        exclude: Patterns of names that are left out all the same.
        tags: Labels of all of them.
        description: What a tool is about whose own description is empty.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    tags: frozenset[str] = frozenset()
    description: str = ""

    def takes(self, name: str) -> bool:
        """Tell whether the tool of that name, as its server calls it, is offered."""
        if self.include and not any(fnmatchcase(name, each) for each in self.include):
            return False
        return not any(fnmatchcase(name, each) for each in self.exclude)


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool, and what a call of it needs.

    Attributes:
        info: The tool as it is offered.
        name: What its server calls it.
        output_schema: The schema its server gave for its answer, as it is on the wire.
        takes_any: Whether it takes arguments that its schema does not name.
        as_task: Whether it can be called as a task only.
    """

    info: ToolInfo
    name: str
    output_schema: Mapping[str, Any] | None
    takes_any: bool
    as_task: bool


@dataclass(slots=True)
class Offers:
    """All tools of a server.

    Attributes:
        by_name: The tools by their full names.
        told: What was left out, and why.
    """

    by_name: dict[str, Offer] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    @property
    def infos(self) -> list[ToolInfo]:
        """The tools as they are offered."""
        return [offer.info for offer in self.by_name.values()]


def offers_of(
    server: str, tools: Iterable[types.Tool], choice: Choice, adapter: ToolAdapter
) -> Offers:
    """Return what of a server's tools is offered.

    A tool whose name cannot be used, or is another's once it is clean, is left out and told of:
    it must not keep the others away.

    Args:
        server: The server's name.
        tools: What it lists.
        choice: Which of them are wanted.
        adapter: Whose tools they become.
    """
    offers, table = Offers(), Table()
    listed = list(tools)
    for tool in listed:
        if not choice.takes(tool.name):
            continue
        offer = _offer(server, tool, choice)
        try:
            table.put([Entry(offer.info, clean_name(offer.info.name), adapter, "")])
        except ConfigError as error:
            offers.told.append(
                f"tool {tool.name!r} of MCP server {server!r} is left out: {error.reason}; "
                "list one of them under exclude"
            )
        else:
            offers.by_name[offer.info.name] = offer
    offers.told += _unmatched(server, [tool.name for tool in listed], choice)
    return offers


def _unmatched(server: str, names: Sequence[str], choice: Choice) -> list[str]:
    """Say which of the wanted names are not there: mostly a slip of the pen."""
    missing = [
        each for each in choice.include if not any(fnmatchcase(name, each) for name in names)
    ]
    return [f"MCP server {server!r} has no tool that matches include {each!r}" for each in missing]


def _offer(server: str, tool: types.Tool, choice: Choice) -> Offer:
    from py_code_mode.tools.mcp.content import is_wrapped
    from py_code_mode.tools.mcp.tasks import is_task

    schema, output = tool.input_schema, tool.output_schema
    inner: Mapping[str, Any] | None = output
    if output is not None and is_wrapped(output):
        inner = dict(output["properties"]["result"] or {})
        if "$defs" in output:  # its references lead there
            inner.setdefault("$defs", output["$defs"])
    info = ToolInfo(
        f"{server}.{tool.name}",
        (tool.description or tool.title or choice.description).strip(),
        object_params(schema),
        choice.tags,
        "" if inner is None else annotation_of(inner),
        inner,
    )
    return Offer(info, tool.name, output, _takes_any(schema), is_task(tool))


def _takes_any(schema: Mapping[str, Any]) -> bool:
    """Tell whether an object may have properties that its schema does not name."""
    if schema.get("additionalProperties") not in (None, False):
        return True
    combined = ("allOf", "anyOf", "oneOf", "$ref", "patternProperties", "if")
    return "properties" not in schema or any(key in schema for key in combined)

"""The tools of the server: one literal table, and how they are listed and called.

Place in the house: inside ``mcp_server``, above ``work``, which does what they do. What a model
did wrong comes back as text it can read (``is_error``), what a client did wrong as an error of the
protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ValidationError

from py_code_mode.errors import CodeModeError
from py_code_mode.mcp_server import models
from py_code_mode.mcp_server.backend import Context, takes_handles
from py_code_mode.mcp_server.content import RESULT_SCHEMA, text_block
from py_code_mode.mcp_server.work import WORK
from py_code_mode.prompt import tool_line
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.names import listed

__all__ = ["TOOLS", "call_tool", "input_schema", "list_tools"]

_MAX_LINES = 1_200
"""Characters of tools that run_code's description lists: some clients cut one at 2,000."""

_RUN = """\
Run Python in a session that keeps its variables. The code can call `tools`, `skills` and \
`artifacts`; what it prints and displays comes back, pictures too, and the value of its last \
expression. Prefer one cell that loops over tools and keeps results in variables to many small \
ones. An exception comes back as a traceback: mend the code and go on."""


@dataclass(frozen=True, slots=True)
class _Tool:
    """One tool of the server.

    Attributes:
        title: What people read.
        description: What models read.
        takes: Its arguments.
        gives: Schema of its structured result, or None.
        hints: Hints for clients: whether it only reads, may destroy, changes nothing when called
            twice, reaches out into the world.
    """

    title: str
    description: str
    takes: type[BaseModel]
    gives: dict[str, Any] | None
    hints: tuple[bool, bool, bool, bool] = (True, False, True, False)


TOOLS: dict[str, _Tool] = {
    "run_code": _Tool(
        "Run Python", _RUN, models.RunCode, RESULT_SCHEMA, (False, True, False, True)
    ),
    "list_tools": _Tool(
        "List tools",
        "List the functions that code finds in `tools`, a call and a line each.",
        models.ListTools,
        models.output_schema_of(models.ToolRows),
    ),
    "search_tools": _Tool(
        "Search tools",
        "Find functions of `tools` by what they do; best first, with their parameters.",
        models.Search,
        models.output_schema_of(models.ToolRows),
    ),
    "list_skills": _Tool(
        "List skills",
        "List the recipes that code finds in `skills`.",
        models.ListSkills,
        models.output_schema_of(models.SkillRows),
    ),
    "search_skills": _Tool(
        "Search skills",
        "Find recipes in `skills` by what they do; best first. Look before you write code anew.",
        models.Search,
        models.output_schema_of(models.SkillRows),
    ),
    "create_skill": _Tool(
        "Create a skill",
        "Keep Python that worked as a skill, for this and later sessions.",
        models.CreateSkill,
        models.output_schema_of(models.SkillRows),
        (False, False, False, False),
    ),
    "reset_session": _Tool(
        "Reset the session",
        "End the session's kernel and begin with an empty one: all variables are lost.",
        models.OfSession,
        None,
        (False, True, True, False),
    ),
    "list_variables": _Tool(
        "List variables",
        "List the session's variables: types, sizes and a line of each.",
        models.OfSession,
        models.output_schema_of(models.VariableRows),
    ),
}


async def list_tools(ctx: Context, _: PaginatedRequestParams | None) -> ListToolsResult:
    """Answer ``tools/list``: only clients whose sessions have handles see ``session``."""
    without = "" if takes_handles(ctx) else "session"
    shown = [_shown(name, tool, without) for name, tool in TOOLS.items()]
    executor = await ctx.lifespan_context.executor_soon()
    if executor is not None:
        infos = sorted(executor.registry.list_tools(), key=lambda info: info.name)
        shown[0].description = f"{shown[0].description}\n\n{_what_there_is(infos)}"
    return ListToolsResult(tools=shown)


def input_schema(name: str) -> dict[str, Any] | None:
    """Return what a tool takes, for those who must know before a client is known."""
    tool = TOOLS.get(name)
    return None if tool is None else models.input_schema_of(tool.takes)


def _what_there_is(infos: Sequence[ToolInfo]) -> str:
    """Return the tools if they are few, else how they are found."""
    if not infos:
        return "There are no tools in this session."
    lines = "\n".join(map(tool_line, infos))
    if len(lines) <= _MAX_LINES:
        return f"The tools:\n{lines}"
    return f"There are {len(infos):,} tools: search_tools finds them."


def _shown(name: str, tool: _Tool, without: str) -> Tool:
    read_only, destructive, idempotent, open_world = tool.hints
    return Tool(
        name=name,
        title=tool.title,
        description=tool.description,
        input_schema=models.input_schema_of(tool.takes, without=without),
        output_schema=tool.gives,
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=read_only,
            destructive_hint=destructive,
            idempotent_hint=idempotent,
            open_world_hint=open_world,
        ),
    )


async def call_tool(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Answer ``tools/call``.

    Raises:
        MCPError: There is no such tool.
    """
    tool = TOOLS.get(params.name)
    if tool is None:
        raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}; there are {listed(TOOLS)}")
    try:
        given = tool.takes.model_validate(params.arguments or {})
        return await WORK[params.name](ctx, given)
    except ValidationError as error:
        return _refused(_wrong_arguments(params.name, tool, error))
    except CodeModeError as error:
        return _refused(str(error))


def _refused(text: str) -> CallToolResult:
    return CallToolResult(content=[text_block(text)], is_error=True)


def _wrong_arguments(name: str, tool: _Tool, error: ValidationError) -> str:
    wrong = "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}"
        for each in error.errors(include_url=False)
    )
    return f"{name}: {wrong}. It takes {', '.join(tool.takes.model_fields) or 'nothing'}"

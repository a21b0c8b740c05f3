"""The tools of the server: one literal table, and what each of them does.

Place in the house: inside ``mcp_server``, above ``running`` and ``models``. What a model did wrong
comes back as text it can read (``is_error``), what a client did wrong as an error of the protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
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
from py_code_mode.mcp_server.running import run_code
from py_code_mode.prompt import tool_line
from py_code_mode.skills.skill import Skill
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.names import listed

__all__ = ["TOOLS", "call_tool", "input_schema", "list_tools"]

_AUTHOR = "py-code-mode-mcp"

_MAX_LINES = 1_200
"""Characters of tools that run_code's description lists: some clients cut one at 2,000."""

_RUN = """\
Run Python in a session that keeps its variables. The code can call `tools`, `skills` and \
`artifacts`; what it prints and displays comes back, pictures too, and the value of its last \
expression. Prefer one cell that loops over tools and keeps results in variables to many small \
ones. An exception comes back as a traceback: mend the code and go on."""


async def _run_code(ctx: Context, given: models.RunCode) -> CallToolResult:
    return await run_code(ctx, given.code, given.timeout, given.session)


async def _list_tools(ctx: Context, given: models.ListTools) -> CallToolResult:
    executor = await ctx.lifespan_context.executor()
    infos = sorted(executor.registry.list_tools(), key=lambda info: info.name)
    page = infos[given.offset : given.offset + given.limit]
    problems = [str(problem) for problem in executor.problems]
    text = _paged([tool_line(info) for info in page], given.offset, len(infos), "tools")
    return _answer(
        "\n".join([text, *(f"[left out: {problem}]" for problem in problems)]),
        {"tools": _tool_rows(page), "total": len(infos), "problems": problems},
    )


async def _search_tools(ctx: Context, given: models.Search) -> CallToolResult:
    executor = await ctx.lifespan_context.executor()
    found = await asyncio.to_thread(executor.registry.search, given.query, given.limit)
    text = "\n\n".join(map(_described, found)) or "[no tool has to do with that]"
    return _answer(text, {"tools": _tool_rows(found), "total": len(found), "problems": []})


def _tool_rows(infos: Iterable[ToolInfo]) -> list[dict[str, Any]]:
    return [
        {"name": info.name, "call": _call(info), "description": info.description} for info in infos
    ]


def _call(info: ToolInfo) -> str:
    return tool_line(info).partition("  # ")[0]


def _described(info: ToolInfo) -> str:
    lines = [_call(info), *info.description.strip().splitlines()]
    lines += [f"{param.name}: {param.description}" for param in info.params if param.description]
    return "\n    ".join(lines)


async def _list_skills(ctx: Context, given: models.ListSkills) -> CallToolResult:
    library = (await ctx.lifespan_context.executor()).skill_library
    skills = await asyncio.to_thread(library.list)
    page = skills[given.offset : given.offset + given.limit]
    problems = [problem.message for problem in await asyncio.to_thread(library.problems)]
    text = _paged([_skill_line(skill) for skill in page], given.offset, len(skills), "skills")
    return _answer(
        "\n".join([text, *(f"[left out: {problem}]" for problem in problems)]),
        {"skills": _skill_rows(page), "total": len(skills), "problems": problems},
    )


async def _search_skills(ctx: Context, given: models.Search) -> CallToolResult:
    library = (await ctx.lifespan_context.executor()).skill_library
    found = await asyncio.to_thread(library.search, given.query, given.limit)
    text = "\n".join(map(_skill_line, found)) or "[no skill has to do with that]"
    return _answer(text, {"skills": _skill_rows(found), "total": len(found), "problems": []})


async def _create_skill(ctx: Context, given: models.CreateSkill) -> CallToolResult:
    library = (await ctx.lifespan_context.executor()).skill_library
    skill = await asyncio.to_thread(
        library.create,
        given.name,
        given.code,
        given.description,
        replace=given.replace,
        creator=_AUTHOR,
    )
    rows = _skill_rows([skill])
    return _answer(f"created: {_skill_line(skill)}", {"skills": rows, "total": 1, "problems": []})


def _skill_rows(skills: Iterable[Skill]) -> list[dict[str, Any]]:
    return [
        {
            "name": skill.name,
            "call": f"skills.{skill.call}",
            "description": skill.description,
            "tags": [*skill.tags],
        }
        for skill in skills
    ]


def _skill_line(skill: Skill) -> str:
    return f"skills.{skill.call}" + (f"  # {skill.description}" if skill.description else "")


async def _reset_session(ctx: Context, given: models.OfSession) -> CallToolResult:
    session, _ = await _existing(ctx, given)
    await session.reset()
    return _answer("The session was reset: all variables are gone.", None)


async def _list_variables(ctx: Context, given: models.OfSession) -> CallToolResult:
    session, _ = await _existing(ctx, given)
    rows = [
        {
            "name": each.name,
            "type": each.type,
            "shape": None if each.shape is None else [*each.shape],
            "length": each.length,
            "size": each.size,
            "preview": each.preview,
        }
        for each in await session.variables()
    ]
    text = "\n".join(f"{row['name']}: {row['type']} = {row['preview']}" for row in rows)
    return _answer(text or "[no variables]", {"variables": rows})


async def _existing(ctx: Context, given: models.OfSession) -> Any:
    if takes_handles(ctx) and given.session is None:
        raise CodeModeError("give `session`, the handle that run_code returned")
    return await ctx.lifespan_context.session(ctx, given.session)


def _paged(lines: Sequence[str], offset: int, total: int, what: str) -> str:
    if not lines:
        return f"[no {what}]" if not total else f"[there are {total} {what}]"
    end = offset + len(lines)
    more = f"\n[{offset + 1} to {end} of {total} {what}]" if len(lines) < total else ""
    return "\n".join(lines) + more


def _answer(text: str, data: dict[str, Any] | None) -> CallToolResult:
    return CallToolResult(content=[text_block(text)], structured_content=data)


@dataclass(frozen=True, slots=True)
class _Tool:
    """One tool of the server.

    Attributes:
        title: What people read.
        description: What models read.
        takes: Its arguments.
        work: What it does.
        gives: Schema of its structured result, or None.
        hints: Hints for clients: whether it only reads, may destroy, changes nothing when called
            twice, reaches out into the world.
    """

    title: str
    description: str
    takes: type[BaseModel]
    work: Callable[[Context, Any], Awaitable[CallToolResult]]
    gives: dict[str, Any] | None
    hints: tuple[bool, bool, bool, bool] = (True, False, True, False)


TOOLS: dict[str, _Tool] = {
    "run_code": _Tool(
        "Run Python", _RUN, models.RunCode, _run_code, RESULT_SCHEMA, (False, True, False, True)
    ),
    "list_tools": _Tool(
        "List tools",
        "List the functions that code finds in `tools`, a call and a line each.",
        models.ListTools,
        _list_tools,
        models.output_schema_of(models.ToolRows),
    ),
    "search_tools": _Tool(
        "Search tools",
        "Find functions of `tools` by what they do; best first, with their parameters.",
        models.Search,
        _search_tools,
        models.output_schema_of(models.ToolRows),
    ),
    "list_skills": _Tool(
        "List skills",
        "List the recipes that code finds in `skills`.",
        models.ListSkills,
        _list_skills,
        models.output_schema_of(models.SkillRows),
    ),
    "search_skills": _Tool(
        "Search skills",
        "Find recipes in `skills` by what they do; best first. Look before you write code anew.",
        models.Search,
        _search_skills,
        models.output_schema_of(models.SkillRows),
    ),
    "create_skill": _Tool(
        "Create a skill",
        "Keep Python that worked as a skill, for this and later sessions.",
        models.CreateSkill,
        _create_skill,
        models.output_schema_of(models.SkillRows),
        (False, False, False, False),
    ),
    "reset_session": _Tool(
        "Reset the session",
        "End the session's kernel and begin with an empty one: all variables are lost.",
        models.OfSession,
        _reset_session,
        None,
        (False, True, True, False),
    ),
    "list_variables": _Tool(
        "List variables",
        "List the session's variables: types, sizes and a line of each.",
        models.OfSession,
        _list_variables,
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
        return await tool.work(ctx, given)
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

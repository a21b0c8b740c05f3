"""What each tool of the server does.

Place in the house: inside ``mcp_server``, above ``running`` and ``models``; ``tools`` has what
clients see of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from mcp_types import CallToolResult

from py_code_mode.errors import CodeModeError
from py_code_mode.mcp_server import models
from py_code_mode.mcp_server.backend import Context, takes_handles
from py_code_mode.mcp_server.content import text_block
from py_code_mode.mcp_server.running import run_code
from py_code_mode.prompt import tool_line
from py_code_mode.skills.skill import Skill
from py_code_mode.tools.base import ToolInfo

__all__ = ["WORK", "Work"]

_AUTHOR = "py-code-mode-mcp"

Work = Callable[[Context, Any], Awaitable[CallToolResult]]
"""Does a tool's work, given its arguments as the tool's model has checked them."""


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


WORK: dict[str, Work] = {
    "run_code": _run_code,
    "list_tools": _list_tools,
    "search_tools": _search_tools,
    "list_skills": _list_skills,
    "search_skills": _search_skills,
    "create_skill": _create_skill,
    "reset_session": _reset_session,
    "list_variables": _list_variables,
}

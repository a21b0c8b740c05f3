"""What there is to use, how the server is, and how to use it.

Place in the house: inside ``server``; a table of operations.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import Response

from py_code_mode import __version__
from py_code_mode.server.answers import Health, Readiness, SkillList, ToolList
from py_code_mode.server.forms import SkillSearchQuery, ToolsQuery
from py_code_mode.server.operations import Answer, Call, Operation, as_json
from py_code_mode.server.plain import plain

__all__ = ["OPERATIONS"]

_PROMETHEUS = "text/plain; version=0.0.4"


async def _tools(call: Call) -> Response:
    registry, words = call.service.executors.of(call.owner).registry, call.query.search
    infos: list[Any]
    if words is None:
        infos = await asyncio.to_thread(registry.list_tools)
    else:
        infos = await asyncio.to_thread(registry.search, words)
    return as_json({"tools": [plain(info.to_dict()) for info in infos]})


async def _skills(call: Call) -> Response:
    skills = await asyncio.to_thread(call.service.executors.skills.list)
    return as_json({"skills": [plain(skill.to_dict()) for skill in skills]})


async def _search_skills(call: Call) -> Response:
    library, query = call.service.executors.skills, call.query
    found = await asyncio.to_thread(library.search, query.q, query.limit)
    return as_json({"skills": [plain(skill.to_dict()) for skill in found]})


async def _health(_: Call) -> Response:
    return as_json({"status": "ok", "version": __version__})


async def _ready(call: Call) -> Response:
    reasons = await call.service.problems()
    status, headers = (503, {"Retry-After": "1"}) if reasons else (200, {})
    return as_json({"ready": not reasons, "reasons": reasons}, status, headers)


async def _metrics(call: Call) -> Response:
    return Response(call.service.metrics.text(), media_type=_PROMETHEUS)


OPERATIONS = (
    Operation(
        "GET",
        "/tools",
        _tools,
        "List tools, or search them",
        {200: Answer("The tools in the token's scope.", ToolList)},
        "catalogue",
        query=ToolsQuery,
        errors=(409, 422),
    ),
    Operation(
        "GET",
        "/skills",
        _skills,
        "List skills",
        {200: Answer("The skills.", SkillList)},
        "catalogue",
        errors=(409, 422),
    ),
    Operation(
        "GET",
        "/skills/search",
        _search_skills,
        "Search skills",
        {200: Answer("The skills that fit, best first.", SkillList)},
        "catalogue",
        query=SkillSearchQuery,
        errors=(409, 422),
    ),
    Operation(
        "GET",
        "/health",
        _health,
        "Ask whether the server lives",
        {200: Answer("It does.", Health)},
        errors=(422,),
    ),
    Operation(
        "GET",
        "/ready",
        _ready,
        "Ask whether the server can take work",
        {
            200: Answer("It can.", Readiness),
            503: Answer("It cannot; the reasons.", Readiness),
        },
        errors=(422,),
    ),
    Operation(
        "GET",
        "/metrics",
        _metrics,
        "Get the counts",
        {200: Answer("Prometheus' text format.", media="text/plain")},
        "metrics",
        errors=(422,),
    ),
)

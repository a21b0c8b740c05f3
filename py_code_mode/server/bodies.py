"""Bodies of requests: bounded in size, and in the time a client may take for them.

Place in the house: inside ``server``, below ``operations``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from py_code_mode.server.problems import Problem
from py_code_mode.server.settings import ServerSettings

__all__ = ["pieces", "read_json", "too_large"]


async def pieces(request: Request, most: int, settings: ServerSettings) -> AsyncIterator[bytes]:
    """Yield the body piece by piece.

    Raises:
        Problem: It is too large, or the client stopped sending.
        ClientDisconnect: The client went away.
    """
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > most:
        raise too_large(most)
    size = 0
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(settings.transfer_seconds):
                piece = await anext(stream, None)
        except TimeoutError:
            raise Problem(
                408,
                "bad_request",
                f"nothing of the body came for {settings.transfer_seconds:g} seconds",
                {"Connection": "close"},
            ) from None
        if piece is None:
            return
        size += len(piece)
        if size > most:
            raise too_large(most)
        yield piece


async def read_json(
    request: Request,
    form: type[BaseModel],
    settings: ServerSettings,
    optional: bool,  # noqa: FBT001 - as the operation says
) -> Any:
    """Read a body of JSON.

    Raises:
        Problem: It is no JSON, too large, or not of its form.
        ClientDisconnect: The client went away.
    """
    chunks = [piece async for piece in pieces(request, settings.max_body_bytes, settings)]
    body = b"".join(chunks)
    if not body and optional:
        return form()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # Which also keeps pages of other sites out: they may send a form or text unasked.
        raise Problem(
            415, "bad_request", f"the body must be application/json, not {kind[:100] or 'untyped'}"
        )
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        status = 400 if first["type"] == "json_invalid" else 422
        where = ".".join(str(part) for part in first["loc"])
        raise Problem(
            status, "bad_request", f"{where}: {first['msg']}" if where else first["msg"]
        ) from None


def too_large(most: int) -> Problem:
    """Make the answer for a body that is larger than ``most`` bytes."""
    return Problem(413, "too_large", f"the body may have {most:,} bytes", limit=most)

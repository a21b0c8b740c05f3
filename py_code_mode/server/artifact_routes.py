"""Artifacts over HTTP: listed, and streamed up and down.

Place in the house: inside ``server``; a table of operations.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse

from kernel_bootstrap.wire.packing import is_content_type, unpack
from py_code_mode.artifacts.base import ArtifactInfo, ArtifactWriter, Details
from py_code_mode.artifacts.info import content_type_of
from py_code_mode.artifacts.names import name_problem
from py_code_mode.errors import ArtifactError
from py_code_mode.server.answers import ArtifactForm, ArtifactList
from py_code_mode.server.bodies import pieces
from py_code_mode.server.forms import ArtifactQuery, ArtifactsQuery
from py_code_mode.server.operations import Answer, Call, Header, Operation, as_json
from py_code_mode.server.problems import Problem
from py_code_mode.server.ranges import NONE_SUCH, is_match, wanted

__all__ = ["OPERATIONS"]

_CHECKED = 8 * 1024 * 1024
"""Bytes of JSON or text that are looked at before they are kept as such."""

_CHUNK = 1024 * 1024

_GUARDS = {
    # Agents write artifacts: no browser is to run one as a page of this server.
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


async def _list(call: Call) -> Response:
    store, query = call.service.executors.artifacts, call.query
    infos = await asyncio.to_thread(store.list, query.prefix, query.tag)
    return as_json({"artifacts": [info.to_dict() for info in infos]})


async def _get(call: Call) -> Response:
    store, name = call.service.executors.artifacts, call.path["name"]
    info = await asyncio.to_thread(store.get, name)
    if info is None:
        raise _missing(name)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{info.sha256}"',
        "X-Artifact-Kind": info.kind,
        **_GUARDS,
    }
    if is_match(call.header("if-none-match"), info.sha256):
        return Response(status_code=304, headers=headers)
    span, status = (0, info.size), 200
    if call.request.method == "GET":
        part = wanted(call.header("range"), call.header("if-range"), info)
        if part is NONE_SUCH:
            raise Problem(
                416,
                "bad_request",
                f"the artifact has {info.size:,} bytes",
                {"Content-Range": f"bytes */{info.size}"},
            )
        if part is not None:
            span, status = part, 206
            headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{info.size}"
    headers["Content-Length"] = str(span[1] - span[0])
    if call.request.method == "HEAD":
        return _typed(Response(None, status, headers), info)
    chunks = await asyncio.to_thread(
        store.read_chunks, info.name, span[0], span[1] - span[0], sha256=info.sha256
    )
    return _typed(StreamingResponse(_closing(chunks), status, headers), info)


def _typed(response: Response, info: ArtifactInfo) -> Response:
    """Give a response exactly the artifact's content type."""
    response.headers["Content-Type"] = info.content_type
    return response


async def _closing(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces out of a thread; the file is closed also if the reader goes away."""
    try:
        async for chunk in iterate_in_threadpool(chunks):
            yield chunk
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


async def _put(call: Call) -> Response:
    name, query = call.path["name"], call.query
    problem = name_problem(name)
    if problem is not None:
        raise Problem(422, "bad_request", f"an artifact cannot be named {name[:120]!r}: {problem}")
    details = Details(
        query.description, content_type=_content_type(call, name), author=call.owner.name
    )
    kind = query.kind or ""
    settings = call.service.settings
    body = pieces(call.request, settings.max_artifact_bytes, settings)
    head, whole = await _head(body, 0 if kind else _CHECKED)
    kind = kind or (await asyncio.to_thread(_kind, details.content_type, head, whole))
    store = call.service.executors.artifacts
    writer = await asyncio.to_thread(store.open_write, name, kind, details)
    try:
        info = await _write(writer, head, body)
    finally:
        await asyncio.to_thread(writer.abort)  # nothing, if it was committed
    return as_json(info.to_dict(), 201)


async def _write(
    writer: ArtifactWriter, head: bytearray, body: AsyncIterator[bytes]
) -> ArtifactInfo:
    waiting = head
    async for piece in body:
        waiting += piece
        if len(waiting) >= _CHUNK:
            await asyncio.to_thread(writer.write, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(writer.write, bytes(waiting))
    return await asyncio.to_thread(writer.commit)


async def _head(body: AsyncIterator[bytes], most: int) -> tuple[bytearray, bool]:
    """Read up to about ``most`` bytes; say whether that is all."""
    head = bytearray()
    if most:
        async for piece in body:
            head += piece
            if len(head) > most:
                return head, False
    return head, bool(most)


def _content_type(call: Call, name: str) -> str:
    said = call.header("content-type") or ""
    if said and not is_content_type(said):
        raise Problem(422, "bad_request", f"this is no content type: {said[:100]!r}")
    if said in ("", "application/octet-stream", "application/x-www-form-urlencoded"):
        # What clients say who do not know.
        return content_type_of("bytes", name)
    return said


def _kind(content_type: str, head: bytearray, whole: bool) -> str:  # noqa: FBT001 - private
    """How the bytes load in a kernel: as JSON or text, if they are what they are called."""
    kind = {"application/json": "json"}.get(content_type.partition(";")[0], "")
    if content_type.startswith("text/"):
        kind = "text"
    if not kind or not whole:
        return "bytes"
    try:
        unpack(kind, bytes(head))
    except ArtifactError:
        return "bytes"
    return kind


async def _delete(call: Call) -> Response:
    name = call.path["name"]
    if not await asyncio.to_thread(call.service.executors.artifacts.delete, name):
        raise _missing(name)
    return Response(status_code=204)


def _missing(name: str) -> Problem:
    return Problem(404, "not_found", f"there is no artifact named {name[:200]!r}")


_RANGE = Header("Range", "Which bytes, e.g. `bytes=0-1023`.", {"type": "string"})
_NONE_MATCH = Header("If-None-Match", "ETags the client has.", {"type": "string"})
_IF_RANGE = Header("If-Range", "The ETag of what the range is of.", {"type": "string"})
_ABOUT = {
    "ETag": "the SHA-256 of the bytes, in quotes",
    "X-Artifact-Kind": "how kernels load it",
    "Accept-Ranges": "bytes",
}
_BYTES = Answer(
    "The bytes, with the content type they were saved with.", media="*/*", headers=_ABOUT
)
_UNCHANGED = Answer("The client has it.", headers=_ABOUT)

OPERATIONS = (
    Operation(
        "GET",
        "/artifacts",
        _list,
        "List artifacts",
        {200: Answer("The artifacts, by name.", ArtifactList)},
        "artifacts.read",
        query=ArtifactsQuery,
        errors=(409, 422),
    ),
    Operation(
        "GET",
        "/artifacts/{name}",
        _get,
        "Get an artifact's bytes",
        {
            200: _BYTES,
            206: Answer("Some of the bytes.", media="*/*", headers={"Content-Range": "which"}),
            304: _UNCHANGED,
        },
        "artifacts.read",
        headers=(_RANGE, _IF_RANGE, _NONE_MATCH),
        errors=(404, 409, 416, 422),
    ),
    Operation(
        "HEAD",
        "/artifacts/{name}",
        _get,
        "Ask what is known of an artifact",
        {200: Answer("It is there.", headers=_ABOUT), 304: _UNCHANGED},
        "artifacts.read",
        headers=(_NONE_MATCH,),
        errors=(404, 409, 422),
    ),
    Operation(
        "PUT",
        "/artifacts/{name}",
        _put,
        "Keep an artifact",
        {201: Answer("What is known of it now.", ArtifactForm)},
        "artifacts.write",
        "It is there when all of it has come, and not before. One of the same name is replaced.",
        raw="*/*",
        query=ArtifactQuery,
        errors=(408, 409, 413, 422),
    ),
    Operation(
        "DELETE",
        "/artifacts/{name}",
        _delete,
        "Remove an artifact",
        {204: Answer("Done.")},
        "artifacts.write",
        errors=(404, 409, 422),
    ),
)

"""Artifacts as resources, and the system prompt as a prompt.

Place in the house: inside ``mcp_server``, beside ``tools``. An artifact's URI is
``artifact:///`` and its name, percent-encoded but for the slashes.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    Annotations,
    BlobResourceContents,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    Prompt,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)

from py_code_mode.artifacts.base import ArtifactInfo, ArtifactStore
from py_code_mode.artifacts.finding import near_names
from py_code_mode.errors import ArtifactNotFoundError, CodeModeError
from py_code_mode.mcp_server.backend import Context

__all__ = [
    "complete",
    "get_prompt",
    "list_prompts",
    "list_resources",
    "list_templates",
    "read_resource",
]

_SCHEME = "artifact:///"
_TEMPLATE = "artifact:///{+name}"
_PAGE = 100
_MAX_READ = 16 * 1024 * 1024
"""Bytes of an artifact that are read in one answer; code can load larger ones."""

_MAX_COMPLETIONS = 100  # the protocol allows no more
_PROMPT = "code_mode"


async def _store(ctx: Context) -> ArtifactStore:
    return (await ctx.lifespan_context.executor()).artifact_store


async def list_resources(ctx: Context, params: PaginatedRequestParams | None) -> Any:
    """Answer ``resources/list``: artifacts by name; the cursor is the last name that was given."""
    store = await _store(ctx)
    infos = await asyncio.to_thread(store.list)
    after = "" if params is None or params.cursor is None else _name_of(params.cursor)
    rest = [info for info in infos if info.name > after]
    page = rest[:_PAGE]
    return ListResourcesResult(
        resources=[_resource(info) for info in page],
        next_cursor=_uri(page[-1].name) if len(rest) > _PAGE else None,
    )


def _resource(info: ArtifactInfo) -> Resource:
    modified = datetime.fromtimestamp(info.modified, UTC)
    return Resource(
        uri=_uri(info.name),
        name=info.name,
        description=info.description or None,
        mime_type=info.content_type or None,
        size=info.size,
        annotations=Annotations(last_modified=f"{modified:%Y-%m-%dT%H:%M:%SZ}"),
    )


def _uri(name: str) -> str:
    return _SCHEME + quote(name)


def _name_of(uri: str) -> str:
    """Return the name in a URI.

    Raises:
        MCPError: It is no artifact's.
    """
    if not uri.startswith(_SCHEME):
        raise MCPError(INVALID_PARAMS, f"resources have URIs like {_SCHEME}name", data={"uri": uri})
    return unquote(uri.removeprefix(_SCHEME))


async def read_resource(ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    """Answer ``resources/read``.

    Raises:
        MCPError: There is no such artifact, or it is too large for an answer.
    """
    store, uri = await _store(ctx), params.uri
    name = _name_of(uri)
    try:
        info, data = await asyncio.to_thread(_load, store, name)
    except ArtifactNotFoundError as error:
        raise MCPError(INVALID_PARAMS, str(error), data={"uri": uri}) from error
    except CodeModeError as error:
        raise MCPError(INTERNAL_ERROR, str(error), data={"uri": uri}) from error
    text = _text(info, data)
    if text is not None:
        return ReadResourceResult(
            contents=[TextResourceContents(uri=uri, text=text, mime_type=info.content_type)]
        )
    blob = base64.b64encode(data).decode()
    return ReadResourceResult(
        contents=[BlobResourceContents(uri=uri, blob=blob, mime_type=info.content_type)]
    )


def _load(store: ArtifactStore, name: str) -> tuple[ArtifactInfo, bytes]:
    info = store.get(name)
    if info is None:
        near = near_names(name, [each.name for each in store.list()])
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ArtifactNotFoundError(f"no artifact named {name[:200]!r}{hint}", near=near)
    if info.size > _MAX_READ:
        raise CodeModeError(
            f"artifact {name!r} has {info.size:,} bytes, and at most {_MAX_READ:,} are read as a "
            "resource; code can load it"
        )
    # Never decoded: what an artifact holds is for kernels to read.
    return info, b"".join(store.read_chunks(name, sha256=info.sha256))


def _text(info: ArtifactInfo, data: bytes) -> str | None:
    if info.kind not in ("text", "json") and not info.content_type.startswith("text/"):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


async def list_templates(
    _: Context, __: PaginatedRequestParams | None
) -> ListResourceTemplatesResult:
    """Answer ``resources/templates/list``."""
    template = ResourceTemplate(
        uri_template=_TEMPLATE,
        name="artifact",
        title="Artifact",
        description="Data that code has saved, by its name: artifact:///scans/monday.json",
    )
    return ListResourceTemplatesResult(resource_templates=[template])


async def complete(ctx: Context, params: CompleteRequestParams) -> CompleteResult:
    """Answer ``completion/complete``: names of artifacts for the template."""
    names: list[str] = []
    if params.ref.type == "ref/resource" and params.argument.name == "name":
        store = await _store(ctx)
        infos = await asyncio.to_thread(store.list, params.argument.value)
        names = [info.name for info in infos]
    return CompleteResult(
        completion=Completion(
            values=names[:_MAX_COMPLETIONS],
            total=len(names),
            has_more=len(names) > _MAX_COMPLETIONS,
        )
    )


async def list_prompts(_: Context, __: PaginatedRequestParams | None) -> ListPromptsResult:
    """Answer ``prompts/list``."""
    prompt = Prompt(
        name=_PROMPT,
        title="Work in code mode",
        description="How to work by writing Python, and which tools there are",
    )
    return ListPromptsResult(prompts=[prompt])


async def get_prompt(ctx: Context, params: GetPromptRequestParams) -> GetPromptResult:
    """Answer ``prompts/get``.

    Raises:
        MCPError: There is no such prompt.
    """
    if params.name != _PROMPT:
        raise MCPError(INVALID_PARAMS, f"Unknown prompt: {params.name}; there is {_PROMPT!r}")
    executor = await ctx.lifespan_context.executor()
    text = TextContent(type="text", text=executor.system_prompt())
    return GetPromptResult(
        description="Work in code mode", messages=[PromptMessage(role="user", content=text)]
    )

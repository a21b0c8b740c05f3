"""The server that both transports speak to, and stdio.

Place in the house: inside ``mcp_server``, above its handlers. It is the SDK's low-level ``Server``:
resources come from a store page by page, and schemas and progress are ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import anyio
from mcp.server import Server
from mcp.server.stdio import stdio_server

from py_code_mode.config import KernelConfig
from py_code_mode.executor import CodeExecutor
from py_code_mode.mcp_server import identity, resources, tools
from py_code_mode.mcp_server.backend import Backend, MakeExecutor
from py_code_mode.mcp_server.options import Options
from py_code_mode.mcp_server.pipes import Pipes

__all__ = ["create_server", "executor_of", "serve_stdio", "server_of"]


def create_server(
    make_executor: MakeExecutor,
    *,
    idle_timeout: float = 1800.0,
    max_sessions: int = 100,
    is_single: bool = False,
    max_tokens: int = 10_000,
) -> Server[Backend]:
    """Return an MCP server, to be run over any transport of the SDK.

    Args:
        make_executor: Makes the executor whose tools, skills and artifacts clients get; called
            when the server is run. It is closed when the server ends.
        idle_timeout: Seconds after which a session that no connection holds ends.
        max_sessions: How many sessions there may be at a time.
        is_single: Whether there is one client, as over stdio; its session then starts at once.
        max_tokens: What an answer may have, for a model: see ``ExecutionResult.for_model``.
    """
    return server_of(
        Backend(
            make_executor,
            idle_timeout=idle_timeout,
            max_sessions=max_sessions,
            is_single=is_single,
            max_tokens=max_tokens,
        )
    )


def server_of(backend: Backend) -> Server[Backend]:
    """Return a server of this backend, which lives while the server runs."""

    @asynccontextmanager
    async def lifespan(_: Server[Backend]) -> AsyncIterator[Backend]:
        async with backend:
            yield backend

    return Server(
        identity.NAME,
        title=identity.TITLE,
        version=identity.VERSION,
        instructions=identity.INSTRUCTIONS,
        lifespan=lifespan,
        get_tool_input_schema=tools.input_schema,
        on_list_tools=tools.list_tools,
        on_call_tool=tools.call_tool,
        on_list_resources=resources.list_resources,
        on_read_resource=resources.read_resource,
        on_list_resource_templates=resources.list_templates,
        on_list_prompts=resources.list_prompts,
        on_get_prompt=resources.get_prompt,
        on_completion=resources.complete,
    )


def executor_of(options: Options, *, warm: int = 0) -> MakeExecutor:
    """Return what makes the executor that the options describe.

    Args:
        options: Where its tools, skills and artifacts are.
        warm: Kernels kept ready ahead of sessions.
    """

    async def make() -> CodeExecutor:
        return await CodeExecutor.create(
            options.tools,
            options.skills,
            options.artifacts,
            policy=options.policy,
            default_timeout=options.timeout,
            kernel=KernelConfig(warm=warm),
            author="py-code-mode-mcp",
        )

    return make


async def serve_stdio(options: Options, pipes: Pipes) -> int:
    """Serve the client at the other end of the pipes until it leaves.

    Returns:
        0; or 1 if the executor could not be made, which the client was told.
    """
    backend = Backend(executor_of(options), is_single=True, max_tokens=options.max_tokens)
    server = server_of(backend)
    file = cast("anyio.AsyncFile[str]", pipes)  # of a file it has what a transport uses
    async with stdio_server(file, file) as (read, write):
        await server.run(read, write, server.create_initialization_options())
    return 0 if backend.failure is None else 1

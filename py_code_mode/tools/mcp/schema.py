"""What may stand in the file of an MCP server.

Place in the house: ``tools.mcp``; only the loader imports it, when there is such a file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from py_code_mode.tools.schema import ToolFile

__all__ = ["MCPFile"]

_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class MCPFile(ToolFile):
    """A server. ``${NAME}`` in args, env, url and headers stands for a secret.

    Attributes:
        transport: How it is spoken to.
        command: Program to start, a name on the PATH or a path, relative to the file's directory.
        args: Its arguments.
        env: What is in its environment beside the few variables every program needs.
        cwd: Its working directory, relative to the file's directory; by default the host's.
        url: Its address.
        headers: What every request to it carries.
        timeout: Seconds a call may take.
        start_timeout: Seconds until its tools must be known.
        include: Patterns of the tools to offer, by default all.
        exclude: Patterns of tools to leave out.
        parse: Whether text that is JSON is parsed.
    """

    transport: Literal["stdio", "sse", "http"] = "stdio"
    command: str | None = None
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str | None = None
    url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    timeout: _Seconds = 60.0
    start_timeout: _Seconds = 30.0
    include: list[str] = Field(default_factory=list)
    exclude: list[str] = Field(default_factory=list)
    parse: Literal["auto", "text"] = "auto"

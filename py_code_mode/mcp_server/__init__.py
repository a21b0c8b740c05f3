"""py-code-mode as an MCP server: any client of the Model Context Protocol runs code with it.

Place in the house: a front, above the executor. ``main`` reads the words of a command line and is
light: it answers a client before the heavy parts are loaded. ``pipes`` and ``early`` are stdio,
``http`` is streamable HTTP, ``server`` is what both speak to.
"""

from py_code_mode.mcp_server.main import main

__all__ = ["main"]

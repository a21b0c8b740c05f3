"""Who the server says it is.

Place in the house: bottom of ``mcp_server``, standard library only: the first answer is made of
it before the SDK is loaded, and the SDK's own answers are made of it, too.
"""

from __future__ import annotations

from typing import Any

from py_code_mode import __version__

__all__ = [
    "CAPABILITIES",
    "HANDSHAKE_VERSIONS",
    "INSTRUCTIONS",
    "MODERN_VERSIONS",
    "NAME",
    "TITLE",
    "VERSION",
]

NAME = "py-code-mode"
TITLE = "Code mode"
VERSION = __version__

INSTRUCTIONS = """\
Work by writing Python: send it to run_code, which runs it as a cell of one IPython session. \
Variables, imports and functions stay for the next cell; `await` works at the top level. Do in one \
cell what belongs together: call, loop, filter, keep results in variables, and show only what you \
need to see. Three names are always there: `tools` (functions that run outside the session: \
`tools.name(key=value)`), `skills` (recipes in Python that outlive the session) and `artifacts` \
(data that outlives it). The prompt `code_mode` explains them; search_tools and search_skills find \
what there is."""

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Versions of the protocol that begin with ``initialize`` and that every SDK we take speaks."""

MODERN_VERSIONS = ("2026-07-28",)
"""Versions that begin with ``server/discover``, likewise."""

CAPABILITIES: dict[str, Any] = {
    "completions": {},
    "prompts": {"listChanged": False},
    "resources": {"subscribe": False, "listChanged": False},
    "tools": {"listChanged": False},
}
"""What the SDK says of our handlers in its first answer; a test compares them."""

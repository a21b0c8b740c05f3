"""What the command line of the MCP server takes.

Place in the house: inside ``mcp_server``, light: ``py-code-mode-mcp`` and ``py-code-mode mcp``
take the same words.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
from dataclasses import dataclass

from py_code_mode.errors import ConfigError
from py_code_mode.formodel import LEAST_TOKENS

__all__ = ["DESCRIPTION", "EPILOG", "Options", "add_arguments", "check_host", "read_options"]

DESCRIPTION = """\
Serve code mode to any client of the Model Context Protocol: the client's model writes Python, which
runs in an IPython kernel that has your tools, skills and artifacts. Each client has a session of
its own, which ends with its connection."""

EPILOG = """\
examples:
  claude mcp add py-code-mode -- py-code-mode-mcp --tools ./tools --skills ./skills
  py-code-mode-mcp --redis 'redis://localhost:6379/0?prefix=my-agent'
  py-code-mode-mcp --tools ./tools --transport http --port 8000    # http://127.0.0.1:8000/mcp

exit codes:
  0 the client left   1 failed, the reason is on stderr   2 wrong words
  130 interrupted     143 told to end (SIGTERM)"""

_STORES = {
    "tools": "folder of tool files",
    "skills": "folder of skills, made if it is not there (without one they are kept in memory)",
    "artifacts": "folder of artifacts, made if it is not there (without one in memory)",
}
_PORT = 8000


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve.

    Attributes:
        tools: Folder or url of tools, or None.
        skills: Folder or url of skills, or None.
        artifacts: Folder or url of artifacts, or None.
        policy: File of rules, or None.
        timeout: Seconds a cell may take if its call does not say; None: no limit.
        transport: ``stdio`` or ``http``.
        host: Where to listen.
        port: Where to listen; 0: any that is free.
        token: What clients must show over HTTP, or empty.
        idle_timeout: Seconds after which a client over HTTP that does nothing is forgotten.
        max_sessions: How many sessions there may be at a time.
        max_tokens: What an answer may have, for a model: see ``ExecutionResult.for_model``.
        json: Whether what is said on stderr is lines of JSON.
    """

    tools: str | None = None
    skills: str | None = None
    artifacts: str | None = None
    policy: str | None = None
    timeout: float | None = 30.0
    transport: str = "stdio"
    host: str = "127.0.0.1"
    port: int = _PORT
    token: str = ""
    idle_timeout: float = 1800.0
    max_sessions: int = 100
    max_tokens: int = 10_000
    json: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    for name, text in _STORES.items():
        variable = f"PY_CODE_MODE_{name.upper()}"
        parser.add_argument(
            f"--{name}",
            metavar="PATH|URL",
            default=os.environ.get(variable) or None,
            help=f"{text}; or redis://host/0 (default: ${variable})",
        )
    parser.add_argument(
        "--redis",
        metavar="URL",
        default=os.environ.get("PY_CODE_MODE_REDIS") or None,
        help="a Redis server for those of the three that are not given: "
        "redis://host/0?prefix=my-agent (default: $PY_CODE_MODE_REDIS)",
    )
    parser.add_argument("--policy", metavar="FILE", help="rules on tools and shell commands (YAML)")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="S",
        help="seconds a cell may take if the call does not say; 0: no limit (default: 30)",
    )
    parser.add_argument(
        "--max-tokens",
        type=_tokens,
        default=10_000,
        metavar="N",
        help="what an answer may have, by an estimate; more loses its middle (default: 10000)",
    )
    parser.add_argument(
        "--transport",
        choices=("stdio", "http", "streamable-http"),
        default="stdio",
        help="how clients reach it (default: stdio)",
    )
    parser.add_argument("--json", action="store_true", help="say all on stderr in lines of JSON")
    _add_http(parser.add_argument_group("over HTTP"))


def _add_http(http: argparse._ArgumentGroup) -> None:
    http.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    http.add_argument(
        "--port", type=int, default=_PORT, help=f"where to listen; 0: any free (default: {_PORT})"
    )
    http.add_argument(
        "--idle-timeout",
        type=_positive,
        default=1800.0,
        metavar="S",
        help="seconds after which the session of a client that does nothing ends (default: 1800)",
    )
    http.add_argument(
        "--max-sessions", type=int, default=100, metavar="N", help="at a time (default: 100)"
    )
    http.description = (
        "Clients must show the token in $PY_CODE_MODE_MCP_TOKEN, if it is set "
        "(Authorization: Bearer ...). Without it only this machine is served."
    )


def read_options(arguments: argparse.Namespace) -> Options:
    """Return what the words say."""
    redis = arguments.redis
    return Options(
        tools=arguments.tools or redis,
        skills=arguments.skills or redis,
        artifacts=arguments.artifacts or redis,
        policy=arguments.policy,
        timeout=arguments.timeout or None,
        transport="stdio" if arguments.transport == "stdio" else "http",
        host=arguments.host,
        port=arguments.port,
        token=os.environ.get("PY_CODE_MODE_MCP_TOKEN", ""),
        idle_timeout=arguments.idle_timeout,
        json=arguments.json,
        max_sessions=max(arguments.max_sessions, 1),
        max_tokens=arguments.max_tokens,
    )


def check_host(options: Options) -> None:
    """See that nobody is let in who should not be.

    Raises:
        ConfigError: Other machines would reach a server that asks for no token.
    """
    if options.transport == "http" and not options.token and not _is_loopback(options.host):
        raise ConfigError(
            f"--host {options.host} lets other machines run code here: set a token in "
            "PY_CODE_MODE_MCP_TOKEN, or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError("0 or more seconds")
    return seconds


def _positive(text: str) -> float:
    seconds = _seconds(text)
    if not seconds:
        raise argparse.ArgumentTypeError("more than 0 seconds")
    return seconds


def _tokens(text: str) -> int:
    tokens = int(text)
    if tokens < LEAST_TOKENS:
        raise argparse.ArgumentTypeError(f"{LEAST_TOKENS} or more tokens")
    return tokens

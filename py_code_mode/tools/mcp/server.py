"""What is known of a server before it is started: how it is reached, with its secrets filled in.

Place in the house: ``tools.mcp``; knows neither the SDK nor the loader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from py_code_mode.errors import ConfigError
from py_code_mode.secrets import Secrets
from py_code_mode.tools.names import check_name

__all__ = ["Server", "Transport"]

Transport = Literal["stdio", "sse", "http"]
"""How a server is spoken to; ``http`` is the protocol's streamable HTTP."""


@dataclass(frozen=True, slots=True)
class Server:
    """How a server is reached. What may hold secrets is not in its ``repr``.

    Attributes:
        name: What its tools' names begin with.
        transport: How it is spoken to.
        command: Program to start, for ``stdio``.
        args: Its arguments.
        env: What is in its environment beside the few variables every program needs.
        cwd: Its working directory, by default the host's.
        url: Its address, for ``sse`` and ``http``.
        headers: What every request to it carries.
        timeout: Seconds a call may take.
        start_timeout: Seconds until its tools must be known.
    """

    name: str
    transport: Transport = "stdio"
    command: str | None = None
    args: Sequence[str] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    url: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 60.0
    start_timeout: float = 30.0

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.transport not in get_args(Transport):
            text = f"must be 'stdio', 'sse' or 'http', not {self.transport!r}"
            raise ConfigError(text, key="transport")
        for key in ("timeout", "start_timeout"):
            if not getattr(self, key) > 0:
                raise ConfigError(f"must be more than 0 seconds, not {getattr(self, key)}", key=key)
        if self.transport == "stdio":
            self._check_command()
        else:
            self._check_url()

    def _check_command(self) -> None:
        if self.url is not None:
            raise ConfigError("goes with transport 'sse' or 'http', not 'stdio'", key="url")
        if not self.command or "\0" in self.command:
            raise ConfigError("transport 'stdio' needs the program to start", key="command")

    def _check_url(self) -> None:
        if self.command is not None:
            raise ConfigError(f"goes with transport 'stdio', not {self.transport!r}", key="command")
        if not self.url or not self.url.startswith(("http://", "https://")):
            text = f"transport {self.transport!r} needs an address that begins with http:// or https://"
            raise ConfigError(text, key="url")

    def filled(self, secrets: Secrets) -> Server:
        """Return it with each ``${NAME}`` replaced in args, env, url and headers.

        Raises:
            ConfigError: A name has no value; ``key`` says where.
        """
        fill = _Filler(secrets)
        return Server(
            self.name,
            self.transport,
            self.command,
            fill.each("args", self.args),
            fill.values("env", self.env),
            self.cwd,
            None if self.url is None else fill.one("url", self.url),
            fill.values("headers", self.headers),
            self.timeout,
            self.start_timeout,
        )


@dataclass(frozen=True, slots=True)
class _Filler:
    """Fills in secrets, and says under which key one is missing."""

    secrets: Secrets

    def one(self, key: str, text: str) -> str:
        try:
            return self.secrets.fill(text)
        except ConfigError as error:
            raise ConfigError(error.reason, key=key) from None

    def each(self, key: str, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.one(key, text) for text in texts)

    def values(self, key: str, texts: Mapping[str, str]) -> dict[str, str]:
        return {name: self.one(f"{key}.{name}", text) for name, text in texts.items()}

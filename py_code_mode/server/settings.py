"""Settings of the server: flags before environment before ``py-code-mode.toml``.

Place in the house: inside ``server``, at its bottom. ``docs/server.md`` has the table of them. What
the file says of the project as a whole counts for the server too, and its own section before it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from py_code_mode.errors import ConfigError
from py_code_mode.project import find_project_file
from py_code_mode.projectfile import ProjectFile, read_project_file
from py_code_mode.sandbox import Sandbox

__all__ = ["PREFIX", "Scope", "ServerSettings", "TokenSettings", "load_settings"]

PREFIX = "PY_CODE_MODE_"
SECTION = "server"

Scope = Literal["run", "artifacts.read", "artifacts.write", "catalogue", "metrics"]
"""What a token may do: run code in sessions; read and write artifacts; see tools and skills; see
the metrics."""

Anonymous = Literal["no", "yes", "container"]
"""Without a token: this machine only; everybody; or what a container takes for its machine."""

KERNEL_KEYS = ("python", "cwd", "preload", "pass_env", "env", "sandbox")
"""Settings that section ``[kernel]`` has as well."""

MIB = 1024 * 1024

Words = Annotated[tuple[str, ...], NoDecode]
"""Several words; in the environment and in flags with commas between them."""


class TokenSettings(BaseModel):
    """One bearer token, and whom it stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,60}$", description="whom it stands for")
    token: SecretStr = Field(min_length=1, description="the secret")
    scopes: tuple[Scope, ...] = Field(default=get_args(Scope), description="what it may do")
    tags: tuple[str, ...] | None = Field(default=None, description="tools it sees, by tags")
    max_sessions: int | None = Field(default=None, ge=0, description="sessions it may have at once")


class ServerSettings(BaseSettings):
    """All there is to set. ``load_settings`` reads them and names what is wrong."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0: any that is free")
    token: SecretStr | None = Field(None, description="the one token, with all scopes")
    token_file: Path | None = Field(None, description="file that holds the one token")
    tokens: tuple[TokenSettings, ...] = Field((), description="several tokens")
    allow_anonymous: Anonymous = Field(
        "no", description="whom a server without a token serves beyond this machine"
    )
    allowed_hosts: Words = Field((), description="names in `Host` that are answered to")
    tools: str | None = Field(None, description="folder of tools, or redis://host/0")
    skills: str | None = Field(None, description="folder of skills, or redis://host/0")
    artifacts: str | None = Field(None, description="folder of artifacts, or redis://host/0")
    policy: Path | None = Field(None, description="file of rules for tool calls")
    allowed_tags: Words | None = Field(
        None, description="only tools with one of these tags exist, whatever a token's tags"
    )
    default_timeout: float = Field(30.0, gt=0, description="seconds of a run that says none")
    max_timeout: float = Field(3600.0, gt=0, description="seconds a run may ask for")
    python: Path | None = Field(None, description="interpreter of the kernels")
    cwd: Path | None = Field(None, description="working directory of the kernels")
    preload: Words = Field((), description="modules that kernels have imported")
    pass_env: Words = Field((), description="variables kernels get of the server's environment")
    env: Annotated[dict[str, str], NoDecode] = Field(
        {}, description="variables kernels get besides (a JSON object)"
    )
    sandbox: Annotated[Any, NoDecode] = Field(
        "none", description="how the code is confined: a level, or bounds (a JSON object)"
    )
    warm: int = Field(0, ge=0, le=100, description="kernels kept ready, for each token in use")
    max_sessions: int = Field(100, ge=1, description="sessions at once")
    max_runs: int = Field(50, ge=1, description="runs at once, those that wait included")
    max_body_bytes: int = Field(8 * MIB, ge=1024, description="size of a body of JSON")
    max_artifact_bytes: int = Field(1024 * MIB, ge=1, description="size of an artifact sent here")
    max_output_bytes: int = Field(16 * MIB, ge=1024, description="what one run may show and return")
    idle_seconds: float = Field(1800.0, ge=0, description="when an idle session ends; 0: never")
    heartbeat_seconds: float = Field(15.0, gt=0, description="between signs of life of a stream")
    resume_seconds: float = Field(30.0, ge=0, description="how long a stream waits for its reader")
    transfer_seconds: float = Field(60.0, gt=0, description="a client may neither send nor take")
    shutdown_seconds: float = Field(10.0, ge=0, description="runs have to end when it is stopped")
    state: Path | None = Field(None, description="directory for what outlives the server")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="of stderr")

    @field_validator("allowed_hosts", "allowed_tags", "preload", "pass_env", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("env", mode="before")
    @classmethod
    def _object(cls, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("sandbox", mode="before")
    @classmethod
    def _bounds(cls, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("{"):
            value = json.loads(value)
        try:
            return Sandbox.of(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error

    @field_validator("allow_anonymous", mode="before")
    @classmethod
    def _yes_or_no(cls, value: Any) -> Any:
        words = {"1": "yes", "true": "yes", "0": "no", "false": "no"}
        return words.get(str(value).lower(), value)

    def all_tokens(self) -> list[TokenSettings]:
        """Return all tokens, wherever they are set.

        Raises:
            ConfigError: The file of the token cannot be read, or two tokens are one.
        """
        tokens = [*self.tokens]
        if self.token is not None:
            tokens.insert(0, TokenSettings(name="default", token=self.token))
        if self.token_file is not None:
            tokens.insert(0, TokenSettings(name="file", token=_read_secret(self.token_file)))
        for what, values in (
            ("name", [token.name for token in tokens]),
            ("token", [token.token.get_secret_value() for token in tokens]),
        ):
            if len({*values}) != len(values):
                raise ConfigError(f"two tokens have the same {what}", key=f"{SECTION}.tokens")
        return tokens

    def default_state(self) -> Path:
        """Return where what outlives the server is kept if nobody says."""
        base = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
        return Path(base) / "py-code-mode" / f"server-{self.port}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Say in which order the sources count."""
        path = find_project_file()
        said = {} if path is None else _of_file(read_project_file(path))
        file = InitSettingsSource(settings_cls, init_kwargs=said)
        return init_settings, env_settings, file


def load_settings(**flags: Any) -> ServerSettings:
    """Read the settings.

    Args:
        **flags: Those that are set by whoever calls; they go before all others.

    Raises:
        ConfigError: One of them is wrong; the message names it.
    """
    try:
        return ServerSettings(**flags)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{first['msg']} ({_where(name, flags)})", key=name) from None


def _where(name: str, flags: dict[str, Any]) -> str:
    top = name.partition(".")[0]
    variable = PREFIX + top.upper()
    if top in flags:
        return f"set by --{top.replace('_', '-')}"
    if os.environ.get(variable):
        return f"set by ${variable}"
    return f"set in section [{SECTION}] of {find_project_file()}"


def _of_file(said: ProjectFile) -> dict[str, Any]:
    """Return what a project's file says for the server: in its section, else as a whole."""
    kernel = said.kernel
    whole = {
        **{name: getattr(said, name) or said.redis for name in ("tools", "skills", "artifacts")},
        "policy": said.policy,
        "allowed_tags": said.allowed_tags,
        "default_timeout": said.timeout,
        **{name: getattr(kernel, name) for name in KERNEL_KEYS},
    }
    return {**{name: value for name, value in whole.items() if value}, **said.server}


def _read_secret(path: Path) -> SecretStr:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"the token cannot be read: {error}", file=path) from error
    if not text:
        raise ConfigError("this file holds no token", file=path)
    return SecretStr(text)

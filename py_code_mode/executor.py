"""``CodeExecutor``: tools, skills and artifacts, and the sessions that use them.

Place in the house: top of the executor layer; what a program constructs.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from py_code_mode import prompt, reaper
from py_code_mode.artifacts.base import ArtifactStore
from py_code_mode.artifacts.memory import MemoryArtifactStore
from py_code_mode.config import KernelConfig, Limits
from py_code_mode.defaultsession import DefaultSession
from py_code_mode.dispatch import Dispatcher
from py_code_mode.errors import ConfigError, SessionClosed
from py_code_mode.governance.budget import Budget
from py_code_mode.kernel.launch import sandbox_level
from py_code_mode.policy import OnToolCall, Policy
from py_code_mode.sandbox import Level
from py_code_mode.session import Session
from py_code_mode.settings import SessionSettings
from py_code_mode.skills.library import SkillLibrary, create_skill_library
from py_code_mode.stores import (
    is_url,
    open_artifact_store,
    open_skill_store,
    open_tool_store,
)
from py_code_mode.tools.registry import ToolRegistry

__all__ = ["CodeExecutor"]

DEFAULT_SESSION = "default"

log = logging.getLogger(__name__)


class CodeExecutor(DefaultSession):
    """Runs an agent's code in kernels that have ``tools``, ``skills`` and ``artifacts``.

    It has a default session, whose methods it repeats; ``session()`` makes further ones.
    Use it as an async context manager, or call ``aclose()`` when done.

    Args:
        registry: The tools; None: none. It is closed with the last executor that uses it;
            ``async with registry`` keeps it open across executors.
        skill_library: The skills; None: an empty library in memory.
        artifact_store: The artifacts; None: a store in memory.
        default_timeout: Seconds a run may take if it does not say; None: no limit.
        kernel: How kernels are started.
        limits: Bounds of runs.
        policy: Asked before each tool and shell command; None allows.
        on_tool_call: Sees each tool call before it runs; may deny or change it.
        budget: How many tool calls the code has, and how fast it may make them.
        author: On whose behalf the code runs; kept with what it saves.
    """

    def __init__(  # noqa: PLR0913 - none of these has another to be grouped with
        self,
        registry: ToolRegistry | None = None,
        skill_library: SkillLibrary | None = None,
        artifact_store: ArtifactStore | None = None,
        *,
        default_timeout: float | None = 30.0,
        kernel: KernelConfig | None = None,
        limits: Limits | None = None,
        policy: Policy | None = None,
        on_tool_call: OnToolCall | None = None,
        budget: Budget | None = None,
        author: str = "",
    ) -> None:
        self._closed = True  # until everything below has been made
        self.registry = ToolRegistry() if registry is None else registry
        self.skill_library = create_skill_library() if skill_library is None else skill_library
        self.artifact_store = MemoryArtifactStore() if artifact_store is None else artifact_store
        self.registry.retain()
        self.problems: tuple[Exception, ...] = ()
        limits = limits or Limits()
        dispatcher = Dispatcher(
            self.registry,
            self.skill_library,
            self.artifact_store,
            limits=limits,
            policy=policy,
            on_tool_call=on_tool_call,
            budget=budget,
        )
        self._settings = SessionSettings(
            dispatcher, self.registry, kernel or KernelConfig(), limits, default_timeout, author
        )
        self._settings.skills, self._settings.secrets = self.skill_library, self.registry.secrets
        # Held for life, so that its helper process does not start and end with each call.
        reaper.acquire()
        self._closing: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def create(
        cls,
        tools: str | Path | None = None,
        skills: str | Path | None = None,
        artifacts: str | Path | None = None,
        *,
        allowed_tags: Iterable[str] | None = None,
        **options: Any,
    ) -> Self:
        """Make an executor from directories, or from stores of a Redis server.

        A file that is wrong is reported (in the log and in ``problems``) and left out; the
        others load. A missing directory is made for skills and artifacts, and gives no tools.

        Args:
            tools: Directory of tool YAML files, or ``redis://host/0?prefix=my-agent``.
            skills: Directory of skill ``.py`` files, or such a url.
            artifacts: Directory for artifacts, or such a url.
            allowed_tags: Only tools with one of these tags exist for the code.
            **options: Keyword arguments of the constructor; ``policy`` may also be the path of
                a file of rules (see ``Rules.from_yaml``).

        Raises:
            ConfigError: A path is a file, a url is none, or the file of rules is wrong.
            CodeModeError: The server at a url cannot be reached.
        """
        _check_directories(tools, skills, artifacts)
        if isinstance(options.get("policy"), str | Path):
            from py_code_mode.governance.rules import Rules

            options["policy"] = Rules.from_yaml(options["policy"])
        library = create_skill_library(None if skills is None else open_skill_store(skills))
        broken = await asyncio.to_thread(library.problems)
        whole = ToolRegistry()
        if is_url(tools):
            whole = await ToolRegistry.from_store(open_tool_store(str(tools)), lenient=True)
        elif tools is not None:
            whole = await ToolRegistry.from_dir(tools, lenient=True)
        registry = whole if allowed_tags is None else whole.scoped_view(tuple(allowed_tags))
        store = None if artifacts is None else open_artifact_store(artifacts)
        executor = cls(registry, library, store, **options)
        for problem in broken:
            log.warning("skill left out: %s", problem)
        executor.problems = (*whole.problems, *broken)
        return executor

    @property
    def default(self) -> Session:
        """The default session."""
        if self._closed:
            raise SessionClosed("the executor is closed")
        session = self._settings.sessions.get(DEFAULT_SESSION)
        if session is None:
            session = self._settings.sessions[DEFAULT_SESSION] = Session(
                DEFAULT_SESSION, self._settings
            )
        return session

    async def session(self, name: str | None = None) -> Session:
        """Return the session of that name, made if there is none; None makes a new one.

        Sessions share tools, skills and artifacts, and nothing else.
        """
        if self._closed:
            raise SessionClosed("the executor is closed")
        if name is None:
            name = self._settings.new_name()
        known = self._settings.sessions.get(name)
        if known is None or known.closed:
            known = self._settings.sessions[name] = Session(name, self._settings)
        return known

    async def sessions(self) -> list[Session]:
        """List the open sessions."""
        return [session for session in self._settings.sessions.values() if not session.closed]

    @property
    def sandbox(self) -> Level:
        """How the code is confined: ``name``, ``why`` it is that level, what it ``lacks`` here.

        Raises:
            KernelStartError: The interpreter of the kernels is missing.
            ConfigError: They cannot be confined here as ``KernelConfig(sandbox=...)`` says.
        """
        return sandbox_level(self._settings.kernel)

    def stubs(self, names_or_query: str | Iterable[str] | None = None, *, limit: int = 20) -> str:
        """Return tools as a Python stub (``.pyi`` text), for a prompt.

        Args:
            names_or_query: Names of tools or groups, or one; or what to search for; None: all.
            limit: How many tools a search gives.

        Raises:
            ToolNotFoundError: One of several names is none.
        """
        return prompt.stubs(self.registry, names_or_query, limit=limit)

    def system_prompt(self, *, max_tools: int = 40) -> str:
        """Return a prompt that explains code mode, with a list of up to ``max_tools`` tools."""
        return prompt.system_prompt(self.registry, max_tools=max_tools)

    async def aclose(self) -> None:
        """Close all sessions and the tools; closing twice is fine.

        Cancelling the call does not stop it.
        """
        if self._closing is None:
            self._closed = True
            self._closing = asyncio.create_task(self._close(), name="close the executor")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        sessions = list(self._settings.sessions.values())
        # zmq's context waits for ever for a kernel's socket that was left open.
        await asyncio.gather(*(session.aclose() for session in sessions), *self._settings.closing)
        await self.registry.release()
        await self._settings.close()
        reaper.release()

    close = aclose

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            warnings.warn(
                "a CodeExecutor was not closed: use `async with` or `await executor.aclose()`",
                ResourceWarning,
                stacklevel=2,
            )


def _check_directories(*paths: str | Path | None) -> None:
    for path in paths:
        if path is not None and not is_url(path) and Path(path).is_file():
            raise ConfigError("a directory is needed here, not a file", file=path)

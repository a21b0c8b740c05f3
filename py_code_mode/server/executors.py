"""Which executor an owner's sessions are made of.

Place in the house: inside ``server``, above ``access``. All share tools, skills and artifacts; each
owner has an executor of its own, so that what its code saves is signed with its name, and only the
tools in its scope exist for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from py_code_mode.artifacts.base import ArtifactStore
from py_code_mode.config import KernelConfig, Limits
from py_code_mode.errors import ConfigError
from py_code_mode.executor import CodeExecutor
from py_code_mode.governance.rules import Rules
from py_code_mode.server.access import Owner
from py_code_mode.server.settings import MIB, ServerSettings
from py_code_mode.skills.library import SkillLibrary

__all__ = ["Executors"]


class Executors:
    """The executors of a server.

    Args:
        base: Holds tools, skills and artifacts, and serves those who have no name.
        branch: Makes another on them for an owner; None: ``base`` serves all.
        owned: Whether ``base`` ends with the server.
    """

    def __init__(
        self,
        base: CodeExecutor,
        branch: Callable[[Owner], CodeExecutor] | None = None,
        *,
        owned: bool = False,
    ) -> None:
        self._base = base
        self._branch = branch
        self._owned = owned
        self._of: dict[str, CodeExecutor] = {}

    @classmethod
    async def of_settings(cls, settings: ServerSettings) -> Executors:
        """Make what the settings say.

        Raises:
            ConfigError: A path or url is wrong.
            CodeModeError: The server at a url cannot be reached.
        """
        options = _options(settings)
        base = await CodeExecutor.create(
            settings.tools,
            settings.skills,
            settings.artifacts,
            allowed_tags=settings.allowed_tags,
            **options,
        )

        def branch(owner: Owner) -> CodeExecutor:
            registry = base.registry
            if owner.tags is not None:
                registry = registry.scoped_view(owner.tags)
            return CodeExecutor(
                registry, base.skill_library, base.artifact_store, author=owner.name, **options
            )

        return cls(base, branch, owned=True)

    @property
    def artifacts(self) -> ArtifactStore:
        """The artifacts, everybody's."""
        return self._base.artifact_store

    @property
    def skills(self) -> SkillLibrary:
        """The skills, everybody's."""
        return self._base.skill_library

    def of(self, owner: Owner) -> CodeExecutor:
        """Return the executor of an owner, made with its first use."""
        if not owner.name or self._branch is None:
            return self._base
        if owner.name not in self._of:
            self._of[owner.name] = self._branch(owner)
        return self._of[owner.name]

    def check(self, owners: list[Owner]) -> None:
        """Refuse owners that cannot be kept apart as they should.

        Raises:
            ConfigError: One has tags, and the executor came from elsewhere.
        """
        if self._branch is None and any(owner.tags is not None for owner in owners):
            raise ConfigError(
                "tokens with tags need the server to make the executor: give it tools, skills "
                "and artifacts instead of an executor",
                key="server.tokens",
            )

    async def close(self) -> None:
        """Close all that the server made."""
        await asyncio.gather(*(executor.aclose() for executor in self._of.values()))
        if self._owned:
            await self._base.aclose()


def _options(settings: ServerSettings) -> dict[str, Any]:
    kernel = KernelConfig(
        python=settings.python,
        cwd=settings.cwd,
        env=settings.env,
        preload=settings.preload,
        pass_env=settings.pass_env,
        sandbox=settings.sandbox,
        warm=settings.warm,
    )
    most = settings.max_output_bytes
    limits = Limits(
        stream_chars=min(MIB, most),
        text_chars=min(MIB // 2, most),
        output_bytes=most,
        outputs_bytes=most,
        value_bytes=most,
    )
    return {
        "kernel": kernel,
        "limits": limits,
        "default_timeout": settings.default_timeout,
        "policy": None if settings.policy is None else Rules.from_yaml(settings.policy),
    }

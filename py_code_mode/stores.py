"""Stores by what people write in a setting or on a command line: a folder, or a server's url.

Place in the house: just above the stores, which do not know each other.
"""

from __future__ import annotations

import re
from pathlib import Path

from py_code_mode.artifacts.base import ArtifactStore
from py_code_mode.artifacts.file import FileArtifactStore
from py_code_mode.artifacts.redis import RedisArtifactStore
from py_code_mode.errors import ConfigError
from py_code_mode.skills.file import FileSkillStore
from py_code_mode.skills.redis import RedisSkillStore
from py_code_mode.skills.store import SkillStore
from py_code_mode.tools.store import RedisToolStore, ToolStore

__all__ = ["is_url", "open_artifact_store", "open_skill_store", "open_tool_store"]

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_REDIS = frozenset({"redis", "rediss", "unix", "valkey", "valkeys"})


def is_url(where: str | Path | None) -> bool:
    """Whether this names a server rather than a folder."""
    return isinstance(where, str) and _URL.match(where) is not None


def open_skill_store(where: str | Path, *, make: bool = True) -> SkillStore:
    """Open the store of skills at a path or url.

    Args:
        where: A folder of ``.py`` files, or ``redis://host:port/database?prefix=my-agent``.
        make: Whether a folder that does not exist is made.

    Raises:
        ConfigError: There is no such folder, or no store takes such a url.
    """
    if _is_folder(where, "skills", make=make):
        return FileSkillStore(where)
    return RedisSkillStore.from_url(str(where))


def open_artifact_store(where: str | Path, *, make: bool = True) -> ArtifactStore:
    """Open the store of artifacts at a path or url; see ``open_skill_store``.

    Raises:
        ConfigError: There is no such folder, or no store takes such a url.
    """
    if _is_folder(where, "artifacts", make=make):
        return FileArtifactStore(where)
    return RedisArtifactStore.from_url(str(where))


def open_tool_store(url: str) -> ToolStore:
    """Open the store of tool files at a url; see ``open_skill_store``.

    Raises:
        ConfigError: No store takes such a url.
    """
    _check_scheme(url, "tools")
    return RedisToolStore.from_url(url)


def _is_folder(where: str | Path, what: str, *, make: bool) -> bool:
    if not is_url(where):
        if not make and not Path(where).is_dir():
            raise ConfigError(f"there is no such folder of {what}", file=where)
        return True
    _check_scheme(str(where), what)
    return False


def _check_scheme(url: str, what: str) -> None:
    scheme = url.partition("://")[0].lower()
    if scheme not in _REDIS:
        raise ConfigError(
            f"no store of {what} takes a url of {scheme}://; give a folder, or redis://host/0"
        )

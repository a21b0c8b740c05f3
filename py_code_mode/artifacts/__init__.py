"""Data that outlives a session, by name.

Place in the house: stores layer. ``base`` says what an artifact is and what a store does,
``memory``, ``file`` and ``redis`` are stores, ``names`` the rule for names; ``folder``,
``sidecar`` and ``catalogue`` are parts of the file store, ``contents`` of that in Redis.
"""

from py_code_mode.artifacts.base import ArtifactInfo, ArtifactStore, ArtifactWriter, Details
from py_code_mode.artifacts.file import FileArtifactStore
from py_code_mode.artifacts.memory import MemoryArtifactStore
from py_code_mode.artifacts.redis import RedisArtifactStore

__all__ = [
    "ArtifactInfo",
    "ArtifactStore",
    "ArtifactWriter",
    "Details",
    "FileArtifactStore",
    "MemoryArtifactStore",
    "RedisArtifactStore",
]

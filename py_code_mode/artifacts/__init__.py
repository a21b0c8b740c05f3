"""Data that outlives a session, by name.

Place in the house: stores layer. ``base`` says what an artifact is and what a store does,
``memory`` and ``file`` are stores, ``names`` the rule for names; ``folder``, ``sidecar`` and
``catalogue`` are parts of the file store.
"""

from py_code_mode.artifacts.base import ArtifactInfo, ArtifactStore, ArtifactWriter, Details
from py_code_mode.artifacts.file import FileArtifactStore
from py_code_mode.artifacts.memory import MemoryArtifactStore

__all__ = [
    "ArtifactInfo",
    "ArtifactStore",
    "ArtifactWriter",
    "Details",
    "FileArtifactStore",
    "MemoryArtifactStore",
]

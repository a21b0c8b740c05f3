"""What each file of a folder of artifacts is, remembered or looked up.

Place in the house: inside ``artifacts``, between ``sidecar`` and ``file``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from py_code_mode.artifacts.folder import NotAFolder, State, chunks, file_state, opened
from py_code_mode.artifacts.info import ArtifactInfo
from py_code_mode.artifacts.sidecar import Version, describe, recall

__all__ = ["OWN", "Catalogue"]

OWN = ".pcm"
"""The store's own folder; no part of an artifact's name may begin like it."""


class Catalogue:
    """Describes files, and reads a sidecar or a file only when the file has changed.

    Args:
        root: The store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, Version] = {}

    def info(
        self, folder: int, name: str, state: State, content: Iterable[bytes] | None = None
    ) -> ArtifactInfo | None:
        """Describe a file as it was when it had ``state``.

        Args:
            folder: The open folder the file is in.
            name: The artifact's name.
            state: The file's state as it was seen.
            content: Its bytes, if they are at hand.

        Returns:
            None if the file has another state by now and nobody remembers this one.
        """
        known = self._known.get(name)
        if known is None or known.state != state:
            known = self._recalled(name, state) or self._seen(folder, name, state, content)
            if known is None:
                return None
            self._known[name] = known
        return known.info

    def keep(self, version: Version) -> None:
        """Note what a file was made to be."""
        self._known[version.info.name] = version

    def keep_only(self, names: Collection[str]) -> None:
        """Drop what is known of all others: they are gone."""
        self._known = {name: self._known[name] for name in [*self._known] if name in names}

    def _recalled(self, name: str, state: State) -> Version | None:
        return next((item for item in self._versions(name) if item.state == state), None)

    def _seen(
        self, folder: int, name: str, state: State, content: Iterable[bytes] | None
    ) -> Version | None:
        """Look at a file nobody described: it was put here, copied or changed by hand."""
        last = name.rpartition("/")[2]
        versions = self._versions(name)
        with suppress(FileNotFoundError):
            if file_state(folder, last) == state:
                pieces = chunks(folder, last) if content is None else content
                info = describe(name, pieces, state, versions)
                if file_state(folder, last) == state:
                    return Version(state, info)
        return None  # a writer was here meanwhile

    def _versions(self, name: str) -> Sequence[Version]:
        try:
            with opened(self._root, [OWN]) as own:
                return recall(own, name)
        except (FileNotFoundError, NotAFolder):  # nothing was ever saved here
            return ()

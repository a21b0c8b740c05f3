"""Writing one artifact into a folder, piece by piece.

Place in the house: inside ``artifacts``, between ``sidecar`` and ``file``. The bytes go into a
temporary file in the store's own folder; a commit says beside it what it is and then moves it
into place in one step.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from py_code_mode.artifacts.catalogue import OWN, Catalogue
from py_code_mode.artifacts.folder import (
    NotAFolder,
    append,
    create_temporary,
    finish_temporary,
    locked,
    opened,
    state_of,
    walk,
)
from py_code_mode.artifacts.info import ArtifactInfo, Details
from py_code_mode.artifacts.room import Room
from py_code_mode.artifacts.sidecar import Version, remember
from py_code_mode.artifacts.writer import ArtifactWriter
from py_code_mode.errors import ArtifactWriteError

__all__ = ["Place", "Writer", "failing"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a writer writes.

    Attributes:
        root: The store's folder.
        catalogue: What is known of its files.
        room: What is left of what it may hold.
        fsync: Whether to wait for the disk.
        temporaries: Names of the files this store's writers have open.
    """

    root: Path
    catalogue: Catalogue
    room: Room
    fsync: bool
    temporaries: set[str]

    def check_room(self, name: str, size: int) -> None:
        """Refuse an artifact for which there is no room beside those that are there.

        Raises:
            ArtifactWriteError: There is none.
        """
        if self.room.quota.max_bytes is not None:
            with opened(self.root, []) as root:
                used = sum(state[1] for other, _, state in walk(root) if other != name)
            self.room.quota.check_store(name, size, used)


class Writer(ArtifactWriter):
    """Writes one artifact into ``place``."""

    def __init__(self, place: Place, name: str, kind: str, details: Details) -> None:
        self._place = place
        super().__init__(name, kind, details, place.room)
        self.closed = True  # should there be no place for the temporary file
        with self._failing(), opened(place.root, [OWN], create=True) as own:
            self._temporary, self._file = create_temporary(own)
            place.temporaries.add(self._temporary)
        self.closed = False

    def _append(self, view: memoryview) -> None:
        with self._failing():
            append(self._file, view)

    def _commit(self, info: ArtifactInfo) -> ArtifactInfo:
        with self._failing(), opened(self._place.root, [OWN]) as own:
            state = finish_temporary(self._file, fsync=self._place.fsync)
            now = state[0] / 1e9
            version = Version(state, replace(info, created=now, modified=now))
            with locked(own):
                return self._move(own, version)

    def _move(self, own: int, version: Version) -> ArtifactInfo:
        """Describe the temporary file, then move it into place."""
        name, place = self.name, self._place
        *folders, last = name.split("/")
        place.check_room(name, self.size)
        with opened(place.root, folders, create=True) as folder:
            former = self._former(folder, last)
            if former is not None and not former.info.expired:
                version = Version(version.state, replace(version.info, created=former.info.created))
            versions = [version] if former is None else [version, former]
            remember(own, name, versions, fsync=place.fsync)
            os.replace(self._temporary, last, src_dir_fd=own, dst_dir_fd=folder)
            if place.fsync:
                os.fsync(folder)
        place.catalogue.keep(version)
        return version.info

    def _former(self, folder: int, last: str) -> Version | None:
        """Return what the file is that is to be replaced; refuse what must not be."""
        try:
            status = os.stat(last, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            raise ArtifactWriteError(f"artifact {self.name!r}: there is a folder of that name")
        if not stat.S_ISREG(mode):
            what = "symbolic link" if stat.S_ISLNK(mode) else "special file"
            raise ArtifactWriteError(f"artifact {self.name!r}: a {what} of that name is there")
        state = state_of(status)
        info = self._place.catalogue.info(folder, self.name, state)
        return None if info is None else Version(state, info)  # None: deleted by hand just now

    def _discard(self) -> None:
        os.close(self._file)
        self._place.temporaries.discard(self._temporary)
        with suppress(OSError, NotAFolder), opened(self._place.root, [OWN]) as own:
            os.unlink(self._temporary, dir_fd=own)  # not there: it was moved into place

    def _failing(self) -> AbstractContextManager[None]:
        return failing(self._place.root, self.name, "written")


@contextmanager
def failing(root: Path, name: str, what: str) -> Iterator[None]:
    """Say of every failure of the system which artifact it hit.

    Raises:
        ArtifactWriteError: In place of the system's own error.
    """
    try:
        yield
    except NotAFolder as error:
        raise ArtifactWriteError(f"artifact {name!r} cannot be {what}: {error}") from error
    except OSError as error:
        raise ArtifactWriteError(
            f"artifact {name!r} cannot be {what} in {root}: {error.strerror or error}"
        ) from error

"""Artifacts kept as files in one folder, under their own names, for people to open.

Place in the house: one ``ArtifactStore``, above ``folder`` (paths) and ``sidecar`` (metadata).
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from py_code_mode.artifacts.base import (
    ArtifactInfo,
    Data,
    PackedArtifacts,
    check_save,
    not_found,
)
from py_code_mode.artifacts.catalogue import OWN, Catalogue
from py_code_mode.artifacts.folder import (
    NotAFolder,
    file_state,
    locked,
    opened,
    read_file,
    state_of,
    sweep,
    walk,
    write_temporary,
)
from py_code_mode.artifacts.names import check_name, name_problem, normal_name
from py_code_mode.artifacts.sidecar import Version, forget, remember
from py_code_mode.errors import ArtifactError, ArtifactWriteError, ConfigError

__all__ = ["FileArtifactStore"]

_log = logging.getLogger(__name__)

_ATTEMPTS = 100
"""A reader looks again when a file changed under it; so often means it never stands still."""


class FileArtifactStore(PackedArtifacts):
    """An ``ArtifactStore`` in a folder.

    ``results.json`` is a JSON file, text is text, bytes are bytes; other values are containers
    of the wire's codec. Descriptions and the like lie in ``.pcm`` beside them. Files that people
    put there, change or delete are artifacts, too. Symbolic links below the folder are not
    followed, whatever the verb, and not listed.

    Every write is whole or not at all for whoever reads, also when the process dies. Against a
    loss of power there is ``fsync``; without it such a loss may damage what was saved in the
    seconds before, which ``load`` notices by its checksum.

    Args:
        path: The folder; made (for this user alone), and the log says so, if it does not exist.
        fsync: Wait for the disk at every write.

    Raises:
        ConfigError: The path is something else than a folder, or cannot be made.
    """

    def __init__(self, path: Path | str, *, fsync: bool = False) -> None:
        self.path = Path(path)
        self._fsync = fsync
        self._catalogue = Catalogue(self.path)
        self._swept = False
        try:
            if not self.path.is_dir():
                self.path.mkdir(mode=0o700, parents=True)
                _log.info("the artifacts folder %s did not exist and was made", self.path)
        except OSError as error:
            reason = f"artifacts must be kept in a folder, this cannot be one: {error.strerror}"
            raise ConfigError(reason, file=self.path) from error

    def save_packed(
        self,
        name: str,
        kind: str,
        data: Data,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        type_name: str = "",
    ) -> ArtifactInfo:
        """Write packed bytes; see ``ArtifactStore.save_packed``."""
        name = check_name(name)
        own_metadata = check_save(name, kind, description, metadata)
        view = memoryview(data)
        view = view.cast("B") if view.c_contiguous else memoryview(bytes(view))
        digest = hashlib.sha256(view).hexdigest()
        with self._failing(name, "written"), opened(self.path, [OWN], create=True) as own:
            self._sweep(own)
            temporary, state = write_temporary(own, view, fsync=self._fsync)
            now = state[0] / 1e9
            info = ArtifactInfo(
                name, description, kind, view.nbytes, digest, now, now, own_metadata, type_name
            )
            try:
                with locked(own):
                    return self._commit(own, temporary, Version(state, info))
            finally:
                with suppress(FileNotFoundError):  # it was moved into place
                    os.unlink(temporary, dir_fd=own)

    def _commit(self, own: int, temporary: str, version: Version) -> ArtifactInfo:
        """Describe the temporary file, then move it into place."""
        name = version.info.name
        *folders, last = name.split("/")
        with opened(self.path, folders, create=True) as folder:
            former = self._former(folder, name)
            if former is not None:
                info = replace(version.info, created=former.info.created)
                version = Version(version.state, info)
            versions = [version] if former is None else [version, former]
            remember(own, name, versions, fsync=self._fsync)
            os.replace(temporary, last, src_dir_fd=own, dst_dir_fd=folder)
            if self._fsync:
                os.fsync(folder)
        self._catalogue.keep(version)
        return version.info.copy()

    def _former(self, folder: int, name: str) -> Version | None:
        """Return what the file is that is to be replaced; refuse what must not be."""
        try:
            status = os.stat(name.rpartition("/")[2], dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(status.st_mode):
            raise ArtifactWriteError(f"artifact {name!r}: a symbolic link of that name is there")
        if stat.S_ISDIR(status.st_mode):
            raise ArtifactWriteError(f"artifact {name!r}: there is a folder of that name")
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactWriteError(f"artifact {name!r}: a special file of that name is there")
        state = state_of(status)
        info = self._catalogue.info(folder, name, state)
        return None if info is None else Version(state, info)  # None: deleted by hand just now

    def load_packed(self, name: str) -> tuple[ArtifactInfo, bytes]:
        """Return packed bytes; see ``ArtifactStore.load_packed``."""
        with self._reading(name) as folder:
            if folder is not None:
                last = normal_name(name).rpartition("/")[2]
                with suppress(FileNotFoundError):
                    return self._read(folder, normal_name(name), last)
        raise not_found(name, [info.name for info in self.list()])

    def _read(self, folder: int, name: str, last: str) -> tuple[ArtifactInfo, bytes]:
        for _ in range(_ATTEMPTS):
            data, state = read_file(folder, last)
            info = self._catalogue.info(folder, name, state, [data])
            if info is None:
                continue
            if hashlib.sha256(data).hexdigest() == info.sha256:
                return info.copy(), data
            if file_state(folder, last) == state:
                raise ArtifactError(
                    f"artifact {name!r} is damaged: {self.path / name} does not hold the "
                    f"{info.size:,} bytes that were written; save it again or delete it"
                )
        raise ArtifactError(f"artifact {name!r} cannot be read: it changes all the time")

    def get(self, name: str) -> ArtifactInfo | None:
        """Return what is known about an artifact, or None if there is none of that name."""
        name = normal_name(name)
        with self._reading(name) as folder:
            if folder is None:
                return None
            last = name.rpartition("/")[2]
            for _ in range(_ATTEMPTS):
                state = file_state(folder, last)
                if state is None:
                    return None
                info = self._catalogue.info(folder, name, state)
                if info is not None:
                    return info.copy()
        raise ArtifactError(f"artifact {name!r} cannot be read: it changes all the time")

    def list(self) -> list[ArtifactInfo]:
        """Return what is known about all artifacts, by name."""
        found = []
        try:
            with opened(self.path, []) as root:
                for name, folder, state in walk(root):
                    info = self._catalogue.info(folder, name, state) or self.get(name)
                    if info is not None:
                        found.append(info.copy())
        except FileNotFoundError:  # the folder went away: it holds none
            return []
        except OSError as error:
            raise ArtifactError(f"{self.path}: cannot list: {error.strerror}") from error
        self._catalogue.keep_only({info.name for info in found})
        return sorted(found, key=lambda info: info.name)

    def exists(self, name: str) -> bool:
        """Whether there is an artifact of that name."""
        with self._reading(name) as folder:
            last = normal_name(name).rpartition("/")[2]
            return folder is not None and file_state(folder, last) is not None

    def delete(self, name: str) -> bool:
        """Remove an artifact and the folders it leaves empty; False if there was none."""
        if not self.exists(name):
            return False
        name = normal_name(name)
        *folders, last = name.split("/")
        with (
            self._failing(name, "deleted"),
            opened(self.path, [OWN], create=True) as own,
            locked(own),
        ):
            try:
                with opened(self.path, folders) as folder:
                    if file_state(folder, last) is None:
                        return False
                    os.unlink(last, dir_fd=folder)
            except FileNotFoundError:  # another was faster
                return False
            forget(own, name)
            self._prune(folders)
        return True

    def _prune(self, folders: Sequence[str]) -> None:
        for depth in range(len(folders), 0, -1):
            with opened(self.path, folders[: depth - 1]) as outer:
                try:
                    os.rmdir(folders[depth - 1], dir_fd=outer)
                except OSError:  # not empty
                    return

    def _sweep(self, own: int) -> None:
        if not self._swept:
            self._swept = True
            sweep(own)

    @contextmanager
    def _reading(self, name: str) -> Iterator[int | None]:
        """Open the folder an artifact is in; None if there can be none of that name."""
        with ExitStack() as stack:
            folder = None
            if name_problem(name) is None:
                with suppress(FileNotFoundError, NotAFolder):
                    folders = normal_name(name).split("/")[:-1]
                    folder = stack.enter_context(opened(self.path, folders))
            try:
                yield folder
            except OSError as error:
                raise ArtifactError(
                    f"artifact {name!r} cannot be read from {self.path}: {error.strerror}"
                ) from error

    @contextmanager
    def _failing(self, name: str, what: str) -> Iterator[None]:
        """Say of every failure of the system which artifact it hit."""
        try:
            yield
        except NotAFolder as error:
            raise ArtifactWriteError(f"artifact {name!r} cannot be {what}: {error}") from error
        except OSError as error:
            raise ArtifactWriteError(
                f"artifact {name!r} cannot be {what} in {self.path}: {error.strerror or error}"
            ) from error

    def __repr__(self) -> str:
        return f"FileArtifactStore({str(self.path)!r})"

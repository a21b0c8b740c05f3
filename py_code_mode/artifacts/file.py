"""Artifacts kept as files in one folder, under their own names, for people to open.

Place in the house: one ``ArtifactStore``, above ``folder`` (paths) and ``sidecar`` (metadata).
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from py_code_mode.artifacts.catalogue import OWN, Catalogue
from py_code_mode.artifacts.file_writer import Place, Writer, failing
from py_code_mode.artifacts.folder import (
    NotAFolder,
    file_state,
    locked,
    open_file,
    opened,
    read_file,
    state_of,
    sweep,
    walk,
)
from py_code_mode.artifacts.info import ArtifactInfo, Details
from py_code_mode.artifacts.names import name_problem, normal_name
from py_code_mode.artifacts.quota import Quota
from py_code_mode.artifacts.sidecar import forget
from py_code_mode.artifacts.stored import StoredArtifacts
from py_code_mode.artifacts.writer import ArtifactWriter
from py_code_mode.errors import ArtifactError, ConfigError

__all__ = ["FileArtifactStore"]

_log = logging.getLogger(__name__)

_ATTEMPTS = 100
"""A reader looks again when a file changed under it; so often means it never stands still."""

_CHUNK = 1024 * 1024

_TIDY_EVERY = 60.0
"""Seconds between two looks for what has expired, by a store that is written to."""


class FileArtifactStore(StoredArtifacts):
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
        max_bytes: What all artifacts together may have; None: no bound. It counts the files
            people put there, too.
        max_artifact_bytes: What any one may have; None: no bound.

    Raises:
        ConfigError: The path is something else than a folder, or cannot be made.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        fsync: bool = False,
        max_bytes: int | None = None,
        max_artifact_bytes: int | None = None,
    ) -> None:
        super().__init__(Quota(max_bytes, max_artifact_bytes))
        self.path = Path(path)
        self._swept = False
        self._tidy_at = time.monotonic() + _TIDY_EVERY
        try:
            if not self.path.is_dir():
                self.path.mkdir(mode=0o700, parents=True)
                _log.info("the artifacts folder %s did not exist and was made", self.path)
        except OSError as error:
            reason = f"artifacts must be kept in a folder, this cannot be one: {error.strerror}"
            raise ConfigError(reason, file=self.path) from error
        self._root = self.path.resolve()
        self._catalogue = Catalogue(self._root)
        self._place = Place(self._root, self._catalogue, self.room, fsync, set())

    def open_write(
        self, name: str, kind: str = "bytes", details: Details | None = None
    ) -> ArtifactWriter:
        """Begin to keep an artifact piece by piece; see ``ArtifactStore.open_write``."""
        if not self._swept:
            self._swept = True
            self._half_written()
        with suppress(ArtifactError):
            self._tidy(normal_name(name))
        return Writer(self._place, name, kind, details or Details())

    def _tidy(self, name: str) -> None:
        """Remove what has expired, if it is time, or may be in the way of ``name``."""
        due = time.monotonic() >= self._tidy_at
        if due or (name_problem(name) is None and (self._root / name).is_dir()):
            self._tidy_at = time.monotonic() + _TIDY_EVERY
            self.list()
        parts = name.split("/")
        for depth in range(1, len(parts)):
            outer = self._get("/".join(parts[:depth]))
            if outer is not None and outer.expired:
                self._delete(outer.name, only_expired=True)

    def _sizes(self, expire: bool) -> Iterator[tuple[str, int]]:  # noqa: FBT001 - see Room
        if expire:
            self.list()
        yield from self._half_written()
        with suppress(FileNotFoundError), opened(self._root, []) as root:
            yield from ((name, state[1]) for name, _, state in walk(root))

    def _half_written(self) -> list[tuple[str, int]]:
        """Remove what dead writers left; return what those of other processes hold."""
        with suppress(OSError, NotAFolder), opened(self._root, [OWN]) as own:
            return sweep(own, self._place.temporaries)
        return []

    def _load(self, name: str) -> tuple[ArtifactInfo, bytes] | None:
        name = normal_name(name)
        with self._reading(name) as folder:
            if folder is not None:
                with suppress(FileNotFoundError):
                    return self._read(folder, name, name.rpartition("/")[2])
        return None

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

    def _chunks(
        self, name: str, offset: int, size: int | None
    ) -> tuple[ArtifactInfo, Iterator[bytes]] | None:
        name = normal_name(name)
        with self._reading(name) as folder:
            if folder is None:
                return None
            last = name.rpartition("/")[2]
            for _ in range(_ATTEMPTS):
                try:
                    file = open_file(folder, last)
                except FileNotFoundError:
                    return None
                pieces = self._pieces(name, file, offset, size)
                state = next(pieces)
                info = self._catalogue.info(folder, name, state)
                if info is not None:
                    return info.copy(), pieces
                pieces.close()
        raise ArtifactError(f"artifact {name!r} cannot be read: it changes all the time")

    def _pieces(self, name: str, file: int, offset: int, size: int | None) -> Generator[Any]:
        """Yield a file's state, then its bytes; closes it."""
        try:
            state = state_of(os.fstat(file))
            yield state
            end = state[1] if size is None else min(state[1], offset + size)
            while offset < end:
                piece = os.pread(file, min(_CHUNK, end - offset), offset)
                if not piece or state_of(os.fstat(file)) != state:
                    raise ArtifactError(f"artifact {name!r} was changed while it was read")
                offset += len(piece)
                yield piece
        except OSError as error:
            raise ArtifactError(f"artifact {name!r} cannot be read: {error.strerror}") from error
        finally:
            os.close(file)

    def _get(self, name: str) -> ArtifactInfo | None:
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

    def _list(self) -> list[ArtifactInfo]:
        found = []
        try:
            with opened(self._root, []) as root:
                for name, folder, state in walk(root):
                    info = self._catalogue.info(folder, name, state) or self._get(name)
                    if info is not None:
                        found.append(info.copy())
        except FileNotFoundError:  # the folder went away: it holds none
            return []
        except OSError as error:
            raise ArtifactError(f"{self.path}: cannot list: {error.strerror}") from error
        self._catalogue.keep_only({info.name for info in found})
        return sorted(found, key=lambda info: info.name)

    def _delete(self, name: str, *, only_expired: bool) -> bool:
        name = normal_name(name)
        *folders, last = name.split("/")
        with (
            failing(self.path, name, "deleted"),
            opened(self._root, [OWN], create=True) as own,
            locked(own),
        ):
            try:
                with opened(self._root, folders) as folder:
                    state = file_state(folder, last)
                    if state is None:
                        return False
                    info = self._catalogue.info(folder, name, state) if only_expired else None
                    if only_expired and not (info is not None and info.expired):
                        return False
                    os.unlink(last, dir_fd=folder)
            except FileNotFoundError:  # another was faster
                return False
            forget(own, name)
            self._prune(folders)
        return True

    def _prune(self, folders: Sequence[str]) -> None:
        for depth in range(len(folders), 0, -1):
            with opened(self._root, folders[: depth - 1]) as outer:
                try:
                    os.rmdir(folders[depth - 1], dir_fd=outer)
                except OSError:  # not empty
                    return

    @contextmanager
    def _reading(self, name: str) -> Iterator[int | None]:
        """Open the folder an artifact is in; None if there can be none of that name."""
        with ExitStack() as stack:
            folder = None
            try:
                if name_problem(name) is None:
                    with suppress(FileNotFoundError, NotAFolder):
                        folders = normal_name(name).split("/")[:-1]
                        folder = stack.enter_context(opened(self._root, folders))
                yield folder
            except OSError as error:
                raise ArtifactError(
                    f"artifact {name!r} cannot be read from {self.path}: {error.strerror}"
                ) from error

    def __repr__(self) -> str:
        return f"FileArtifactStore({str(self.path)!r})"

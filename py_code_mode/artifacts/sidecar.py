"""What a folder of artifacts remembers beside the files themselves.

Place in the house: inside ``artifacts``, between ``folder`` and ``file``.

One small JSON file an artifact, in the store's own folder, named after a hash of the artifact's
name (two trees of folders would have conflicts of their own). It knows up to two *versions* of
the artifact, each under the state (time, size, inode) of the file it describes. A writer first
says here what will be, beside what is, and then moves the file into place in one step; so
whichever of the two a reader finds, it finds it described, and neither waits for the other.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from kernel_bootstrap.wire.packing import unpack
from py_code_mode.artifacts.folder import State, read_file, write_temporary
from py_code_mode.artifacts.info import ArtifactInfo, content_type_of
from py_code_mode.errors import ArtifactError

__all__ = ["Version", "describe", "forget", "recall", "remember"]

_MAX_PARSED = 16 * 1024 * 1024
"""Larger files named ``.json`` are taken at their word: a listing must not parse gigabytes."""

_BY_SUFFIX = {".parquet": ("parquet", b"PAR1"), ".npy": ("npy", b"\x93NUMPY\x01\x00")}
"""Kinds that a file somebody put here has if it is named and begins like one."""


@dataclass(frozen=True, slots=True)
class Version:
    """A file's state and what it holds."""

    state: State
    info: ArtifactInfo


def _file(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40] + ".json"


def recall(folder: int, name: str) -> list[Version]:
    """Return what is remembered of an artifact, the newest version first.

    A file that is damaged counts as none: what it said can be seen from the artifact itself,
    but for the description.
    """
    try:
        data, _ = read_file(folder, _file(name))
        return [_version(item, name) for item in json.loads(data)["versions"]]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError, RecursionError, ArtifactError):
        return []


def _version(data: Any, name: str) -> Version:
    mtime, size, inode = (int(number) for number in data["state"])
    info = ArtifactInfo.from_dict({**data["info"], "name": name})
    return Version((mtime, size, inode), info)


def remember(folder: int, name: str, versions: Sequence[Version], *, fsync: bool) -> None:
    """Keep what is to be remembered of an artifact, in one step."""
    said = [{"state": version.state, "info": version.info.to_dict()} for version in versions]
    data = json.dumps({"name": name, "versions": said}, indent=1).encode()
    temporary, _ = write_temporary(folder, memoryview(data), fsync=fsync)
    try:
        os.replace(temporary, _file(name), src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(temporary, dir_fd=folder)
        raise


def forget(folder: int, name: str) -> None:
    """Drop what is remembered of an artifact."""
    with suppress(FileNotFoundError):
        os.unlink(_file(name), dir_fd=folder)


def describe(
    name: str, content: Iterable[bytes], state: State, versions: Sequence[Version]
) -> ArtifactInfo:
    """Describe a file that somebody put here, changed or copied without us.

    Args:
        name: The artifact's name.
        content: The file's bytes in pieces.
        state: The file's state.
        versions: What is remembered of the name.

    Returns:
        What was remembered, if the content is the same (a copied folder has new inodes). Else
        description and metadata stay and the rest is read from the content.
    """
    look = _Look(name)
    for chunk in content:
        look.feed(chunk)
    digest = look.digest.hexdigest()
    for version in versions:
        if version.info.sha256 == digest and version.info.size == look.size:
            return version.info
    modified = state[0] / 1e9
    kind = look.kind()
    if not versions:
        media = content_type_of(kind, name)
        return ArtifactInfo(
            name, "", kind, look.size, digest, modified, modified, content_type=media
        )
    former = versions[0].info
    if former.kind == "bytes" or (former.kind == "text" and kind == "json"):
        kind = former.kind  # saved as such, edited by hand: still such
    media = former.content_type if kind == former.kind else content_type_of(kind, name)
    return replace(
        former,
        kind=kind,
        size=look.size,
        sha256=digest,
        modified=modified,
        type_name="",
        content_type=media,
        session="",  # it was no session that changed it
        author="",
    )


class _Look:
    """Reads a file once and says what it is."""

    def __init__(self, name: str) -> None:
        self.digest = hashlib.sha256()
        self.size = 0
        self._suffix = name[name.rfind(".") :].lower()
        self._as_json = self._suffix == ".json"
        self._start = b""
        self._kept: list[bytes] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_text = True

    def feed(self, chunk: bytes) -> None:
        self._start = (self._start + chunk[:8])[:8]
        self.digest.update(chunk)
        self.size += len(chunk)
        self._is_text = self._is_text and self._decodes(chunk)
        if self._as_json and self.size <= _MAX_PARSED:
            self._kept.append(chunk)

    def kind(self) -> str:
        kind, magic = _BY_SUFFIX.get(self._suffix, ("", b"?"))
        if self._start.startswith(magic):
            return kind
        if not (self._is_text and self._decodes(b"", final=True)):
            return "bytes"
        return "json" if self._as_json and self._is_json() else "text"

    def _decodes(self, chunk: bytes, *, final: bool = False) -> bool:
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            return False
        return True

    def _is_json(self) -> bool:
        if self.size > _MAX_PARSED:
            return True
        try:
            unpack("json", b"".join(self._kept))
        except ArtifactError:
            return False
        return True

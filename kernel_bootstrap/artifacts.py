"""``artifacts`` as the agent sees it.

Place in the house: above ``files`` and ``transfers``, beside ``namespaces``; knows no transport.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import IO, Any

from kernel_bootstrap.files import Reader, Writer
from kernel_bootstrap.link import Link
from kernel_bootstrap.transfers import Upload, ask, download, piece_size
from kernel_bootstrap.wire import errors
from kernel_bootstrap.wire.entries import Artifact
from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Method
from kernel_bootstrap.wire.packing import is_json, parcel, type_name, unpack
from kernel_bootstrap.wire.parts import Buffer
from kernel_bootstrap.wire.previews import look

__all__ = ["Artifacts"]

_AT_ONCE = 256 * 1024
"""Bytes of an artifact that travel in one message with everything else."""

Found = list[Artifact]
"""What ``list`` and ``search`` return; named, because methods called ``list`` hide the type."""


class Artifacts:
    """Data that outlives the session: ``artifacts.save(name, data)``, ``artifacts.load(name)``.

    JSON data, text, bytes, arrays, data frames and most plain Python values load back as they
    were saved; figures load as what they show. ``artifacts.list()`` and ``artifacts.search("what
    it is about")`` find them. Large ones: ``save_file``, ``load_file`` and ``open`` never hold
    more than a few megabytes. Failures raise ``artifacts.ArtifactError`` or a subclass.
    """

    __slots__ = ("_limits", "_link")

    ArtifactError = errors.ArtifactError
    ArtifactNotFoundError = errors.ArtifactNotFoundError
    ArtifactWriteError = errors.ArtifactWriteError

    def __init__(self, link: Link, limits: Callable[[], Limits] = Limits) -> None:
        self._link = link
        self._limits = limits

    def save(
        self,
        name: str,
        data: Any,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        *,
        tags: Sequence[str] = (),
        ttl: float | None = None,
        content_type: str = "",
    ) -> Artifact:
        """Save ``data`` under ``name``; what had the name is replaced.

        Args:
            name: Relative path; ``/`` makes folders.
            data: Anything; what is no value but shows itself, such as a figure, is kept as that.
            description: What it is; ``search`` looks there.
            metadata: JSON data to keep beside it.
            tags: Words to find it by.
            ttl: Seconds after which it ceases to be; None: never.
            content_type: MIME type of the bytes; empty: by kind and name.

        Returns:
            What is known about it.
        """
        said = _said(name, description, metadata, tags, ttl)
        packed = parcel(data, name)
        said["kind"], said["type_name"] = packed.kind, type_name(data)
        said["content_type"] = content_type or packed.content_type
        if packed.size <= min(_AT_ONCE, self._piece()):
            info = self._link.call(Method.ARTIFACTS_SAVE, **said, data=packed.data)
        else:
            info = self._upload(said, packed.parts)
        return self._entry(info)

    def _upload(self, said: Mapping[str, Any], parts: Iterable[Buffer]) -> dict[str, Any]:
        upload = Upload(self._link, self._piece(), said)
        try:
            for part in parts:
                upload.send(part)
            return upload.commit()
        finally:
            upload.abort()  # does nothing to one that was committed

    def load(self, name: str) -> Any:
        """Load what was saved under ``name``."""
        loaded = self._link.call(Method.ARTIFACTS_LOAD, name=_name(name), most=self._piece())
        info, data = loaded["info"], loaded["data"]
        if data is None:
            data = self._gather(info)
        return unpack(info["kind"], data, info["content_type"], info["type_name"], trusted=True)

    def _gather(self, info: Mapping[str, Any]) -> bytes | bytearray:
        """Fetch all of an artifact into one place, without ever holding it twice."""
        pieces, size = download(self._link, info, self._piece()), info["size"]
        if info["kind"] == "bytes":
            # Zeros take no memory before they are overwritten, and what nobody else holds
            # BytesIO overwrites in place, and hands out without a copy.
            whole = io.BytesIO(bytes(size))
            whole.writelines(pieces)
            return whole.getvalue()
        into, start = bytearray(size), 0
        for data in pieces:
            into[start : start + len(data)] = data
            start += len(data)
        return into

    def save_file(
        self,
        name: str,
        path: str | Path,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        *,
        tags: Sequence[str] = (),
        ttl: float | None = None,
        content_type: str = "",
    ) -> Artifact:
        """Save a file of any size as bytes; the arguments are those of ``save``."""
        said = _said(name, description, metadata, tags, ttl)
        said |= {"kind": "bytes", "content_type": content_type, "type_name": "bytes"}
        with Path(path).open("rb", buffering=0) as file:
            pieces = iter(lambda: file.read(self._piece()), b"")
            return self._entry(self._upload(said, pieces))

    def load_file(self, name: str, path: str | Path) -> Path:
        """Write an artifact of any size into a file; return its path.

        The file is there when all of it has come, and not before.
        """
        path = Path(path)
        info = self._known(name)
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                file.writelines(download(self._link, info, self._piece()))
            return part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def open(
        self,
        name: str,
        mode: str = "rb",
        *,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        ttl: float | None = None,
        content_type: str = "",
    ) -> IO[Any] | Writer:
        """Open an artifact as a file, to be read or written piece by piece.

        Args:
            name: The artifact.
            mode: ``"rb"`` or ``"r"`` (UTF-8 text) to read one version of it; ``"wb"`` or ``"w"`` to
                write it anew: it is kept when the file is closed, unless the ``with`` block
                raised.
            description: What it is, if it is written; so are the further arguments of ``save``.
            metadata: See ``save``.
            tags: See ``save``.
            ttl: See ``save``.
            content_type: See ``save``.
        """
        if mode in ("r", "rb"):
            reader = Reader(self._link, self._known(name), self._piece())
            file = io.BufferedReader(reader, self._piece())
            return file if mode == "rb" else io.TextIOWrapper(file, "utf-8")
        if mode not in ("w", "wb"):
            raise ValueError(f"mode must be 'r', 'rb', 'w' or 'wb', not {mode!r}")
        said = _said(name, description, metadata, tags, ttl)
        kind, type_ = ("text", "str") if mode == "w" else ("bytes", "bytes")
        said |= {"kind": kind, "content_type": content_type, "type_name": type_}
        return Writer(name, Upload(self._link, self._piece(), said), text=mode == "w")

    def get(self, name: str) -> Artifact | None:
        """Return what is known about an artifact (size, description, ...), or None."""
        info = self._link.call(Method.ARTIFACTS_GET, name=_name(name))
        return None if info is None else self._entry(info)

    def list(self, prefix: str = "", tag: str | None = None) -> Found:
        """List artifacts by name: those that begin with ``prefix`` and have the tag."""
        found = self._link.call(Method.ARTIFACTS_LIST, prefix=prefix, tag=tag)
        return [self._entry(info) for info in found]

    def search(self, query: str, limit: int = 10) -> Found:
        """Find artifacts by name, description and tags, best first."""
        found = self._link.call(Method.ARTIFACTS_SEARCH, query=query, limit=limit)
        return [self._entry(info) for info in found]

    def exists(self, name: str) -> bool:
        """Whether there is an artifact of that name."""
        return bool(self._link.call(Method.ARTIFACTS_EXISTS, name=_name(name)))

    def delete(self, name: str) -> bool:
        """Delete an artifact; False if there was none."""
        return bool(self._link.call(Method.ARTIFACTS_DELETE, name=_name(name)))

    def _piece(self) -> int:
        return piece_size(self._limits())

    def _known(self, name: str) -> dict[str, Any]:
        """Return what is known of an artifact that must be there."""
        loaded = self._link.call(Method.ARTIFACTS_LOAD, name=_name(name), most=0)
        info: dict[str, Any] = loaded["info"]
        return info

    def _entry(self, info: Mapping[str, Any]) -> Artifact:
        def head(size: int) -> bytes:
            return bytes(ask(self._link, info, 0, min(size, self._piece())).result().data)

        return Artifact(info, lambda: look(info, head, lambda: self.load(info["name"])))

    def __repr__(self) -> str:
        return (
            "<artifacts: save, load, get, list, search, exists, delete, open, save_file, load_file>"
        )


def _said(
    name: str,
    description: str,
    metadata: Any,
    tags: Sequence[str],
    ttl: float | None,
) -> dict[str, Any]:
    """What is said of an artifact, as a request carries it.

    Raises:
        ArtifactWriteError: Something has a wrong type.
    """
    if not isinstance(description, str):
        raise errors.ArtifactWriteError(f"description must be text, not {description!r:.80}")
    if isinstance(tags, str) or not all(isinstance(tag, str) for tag in tags):
        raise errors.ArtifactWriteError(f"tags must be a list of words, not {tags!r:.80}")
    if metadata and not (isinstance(metadata, Mapping) and is_json(dict(metadata))):
        raise errors.ArtifactWriteError(f"metadata must be a dict of JSON data: {metadata!r:.80}")
    return {
        "name": _name(name, errors.ArtifactWriteError),
        "description": description,
        "metadata": dict(metadata or {}),
        "tags": list(tags),
        "ttl": _seconds(ttl),
    }


def _name(name: Any, error: type[errors.ArtifactError] = errors.ArtifactError) -> str:
    if not isinstance(name, str):
        raise error(f"an artifact's name must be text, not {name!r:.80}")
    return name


def _seconds(ttl: Any) -> float | None:
    try:
        if ttl is None or isfinite(ttl):
            return ttl if ttl is None else float(ttl)
    except (TypeError, OverflowError):
        pass
    raise errors.ArtifactWriteError(f"ttl must be a number of seconds, not {ttl!r:.80}")

"""The one seam behind which every store of artifacts lives.

Place in the house: inside ``artifacts``, above ``info`` and ``writer``. ``stored`` has what is the
same in all stores.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from kernel_bootstrap.wire.entries import Artifact
from py_code_mode.artifacts.info import ArtifactInfo, Details
from py_code_mode.artifacts.writer import ArtifactWriter, Data

__all__ = ["ArtifactInfo", "ArtifactStore", "ArtifactWriter", "Data", "Details"]


@runtime_checkable
class ArtifactStore(Protocol):
    """Keeps data by name, longer than a session. Methods may be called from any thread.

    ``save`` and ``load`` carry values; ``save_packed``, ``load_packed``, ``open_write`` and
    ``read_chunks`` carry the same artifacts as bytes, for those who must not decode them. A name
    no artifact can have is refused when it is to be written and simply not found otherwise. An
    artifact that has expired is not found either.
    """

    def save(
        self,
        name: str,
        value: Any,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        *,
        tags: Sequence[str] = (),
        ttl: float | None = None,
        expires: datetime | float | None = None,
    ) -> ArtifactInfo:
        """Keep a value; one of the same name is replaced, whole or not at all.

        Args:
            name: Relative path; ``/`` makes folders.
            value: Anything the wire's codec carries; it loads back as it was.
            description: One line or a few.
            metadata: JSON data to keep beside it.
            tags: Words to find it by.
            ttl: Seconds after which it ceases to be; None: never.
            expires: The same as a point in time.

        Raises:
            ArtifactWriteError: The name is not acceptable, the value cannot be kept, or there is
                no room. What was there before is untouched.
        """
        ...

    def save_packed(
        self, name: str, kind: str, data: Data, details: Details | None = None
    ) -> ArtifactInfo:
        """Keep a value that is packed already (see ``kernel_bootstrap.wire.packing``)."""
        ...

    def open_write(
        self, name: str, kind: str = "bytes", details: Details | None = None
    ) -> ArtifactWriter:
        """Begin to keep an artifact piece by piece; it is there when the writer commits."""
        ...

    def load(self, name: str, *, trusted: bool = False) -> Any:
        """Return the value saved under ``name``.

        Args:
            name: The artifact.
            trusted: Whether whoever saved it may do harm here: Parquet is then read by whatever
                library there is, without bounds, and what it shows is shown as it is. Code is
                run by no format either way.

        Raises:
            ArtifactNotFoundError: There is none; ``near`` lists similar names.
            ArtifactError: It cannot be read, or its bytes are damaged.
        """
        ...

    def load_packed(self, name: str) -> tuple[ArtifactInfo, bytes]:
        """Return an artifact's bytes without decoding them, and what is known about it."""
        ...

    def read_chunks(
        self, name: str, offset: int = 0, size: int | None = None, *, sha256: str = ""
    ) -> Iterator[bytes]:
        """Yield an artifact's bytes piece by piece, all of one version of it.

        Args:
            name: The artifact.
            offset: Where to begin; behind the end there is nothing.
            size: How many bytes; None: all that follow.
            sha256: Checksum of the version that is wanted; empty: whichever is there.

        Raises:
            ArtifactNotFoundError: There is none; raised by the call, before any bytes.
            ArtifactError: The version that is there has another checksum, or it cannot be read.
        """
        ...

    def get(self, name: str) -> ArtifactInfo | None:
        """Return what is known about an artifact, or None if there is none of that name."""
        ...

    def list(self, prefix: str = "", tag: str | None = None) -> list[ArtifactInfo]:
        """Return what is known about artifacts, by name.

        Args:
            prefix: What their names must begin with, e.g. ``"scans/"``.
            tag: A tag they must have.
        """
        ...

    def search(self, query: str, limit: int = 10) -> builtins.list[ArtifactInfo]:
        """Return the artifacts whose name, description or tags match plain words, best first."""
        ...

    def show(self, name: str) -> Artifact:
        """Return what a notebook shows as the artifact: a table, an image, the start of a text.

        Raises:
            ArtifactNotFoundError: There is none.
        """
        ...

    def exists(self, name: str) -> bool:
        """Whether there is an artifact of that name."""
        ...

    def delete(self, name: str) -> bool:
        """Remove an artifact; False if there was none."""
        ...

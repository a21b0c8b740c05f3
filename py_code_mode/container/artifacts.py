"""The artifacts of a server: the verbs of ``ArtifactStore``, awaited.

Place in the house: inside ``container``, above ``connection``. Values are packed and unpacked
here, by the rules of ``kernel_bootstrap.wire.packing``: what a server sends is data, never code.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import httpx

from kernel_bootstrap.wire.packing import KINDS, parcel, unpack
from py_code_mode.artifacts.info import ArtifactInfo
from py_code_mode.artifacts.names import check_name, name_problem, normal_name
from py_code_mode.container.connection import Body, Connection, unreachable
from py_code_mode.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    ProtocolError,
    RemoteError,
)
from py_code_mode.jsonform import read_fields

__all__ = ["RemoteArtifacts"]

_PIECE = 1024 * 1024
_NOT_FOUND = 404


class RemoteArtifacts:
    """Artifacts on a server. Errors of ``RemoteError`` may come out of every method.

    Args:
        connection: To the server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self, prefix: str = "", tag: str | None = None) -> list[ArtifactInfo]:
        """Return what is known about artifacts, by name.

        Args:
            prefix: What their names must begin with, e.g. ``"scans/"``.
            tag: A tag they must have.
        """
        params = {"prefix": prefix} if tag is None else {"prefix": prefix, "tag": tag}
        data = await self._connection.ask("GET", "/artifacts", params=params)
        with self._connection.checking():
            found = read_fields("the answer", data, artifacts=list)["artifacts"]
            return [_info(each) for each in found]

    async def get(self, name: str) -> ArtifactInfo | None:
        """Return what is known about an artifact, or None if there is none of that name."""
        name = normal_name(name)
        return next((info for info in await self.list(name) if info.name == name), None)

    async def exists(self, name: str) -> bool:
        """Whether there is an artifact of that name."""
        if name_problem(name) is not None:
            return False
        try:
            async with self._open("HEAD", name):
                return True
        except ArtifactNotFoundError:
            return False

    async def load(self, name: str) -> Any:
        """Return the value saved under ``name``.

        Raises:
            ArtifactNotFoundError: There is none.
            ArtifactError: It cannot be read, or its bytes are damaged.
        """
        async with self._open("GET", name) as response:
            kind = response.headers.get("x-artifact-kind", "bytes")
            if kind not in KINDS:
                raise self._connection.nonsense(f"{kind!r:.40} is no kind of artifact")
            data = await self._connection.read(response)
        return unpack(kind, data, response.headers.get("content-type", ""))

    async def save(self, name: str, value: Any, description: str = "") -> ArtifactInfo:
        """Keep a value; one of the same name is replaced, whole or not at all.

        Args:
            name: Relative path; ``/`` makes folders.
            value: Anything the wire's codec carries; it loads back as it was.
            description: One line or a few.

        Raises:
            ArtifactWriteError: The name is not acceptable, or the value cannot be kept.
        """
        packed = parcel(value, name)
        params = {"kind": packed.kind, "description": description}
        return await self._put(name, packed.data, packed.content_type, params)

    async def upload(
        self, path: str | Path, name: str | None = None, description: str = ""
    ) -> ArtifactInfo:
        """Save a file, piece by piece.

        Args:
            path: The file.
            name: What the artifact is called; None: as the file is.
            description: One line or a few.

        Raises:
            ArtifactWriteError: The name is not acceptable, or there is no room.
            OSError: The file cannot be read.
        """
        file = await asyncio.to_thread(Path(path).open, "rb")
        with file:
            name = Path(path).name if name is None else name
            return await self._put(name, _pieces(file), "", {"description": description})

    async def download(self, name: str, path: str | Path) -> Path:
        """Write an artifact's bytes to a file, piece by piece, whole or not at all.

        Raises:
            ArtifactNotFoundError: There is none.
            ArtifactError: What came is not what the server said it would send.
            OSError: The file cannot be written.
        """
        async with self._open("GET", name) as response:
            with _replacing(Path(path)) as file:
                digest = await self._copy(response, file)
                said = response.headers.get("etag", "").strip('W/"')
                if said and said != digest:
                    raise ArtifactError(f"artifact {name!r}: what came is not what was sent")
        return Path(path)

    async def delete(self, name: str) -> bool:
        """Remove an artifact; False if there was none."""
        if name_problem(name) is not None:
            return False
        try:
            await self._connection.ask("DELETE", _path(name))
        except ArtifactNotFoundError:
            return False
        except RemoteError as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return True

    # --- requests ------------------------------------------------------------------------------

    async def _copy(self, response: httpx.Response, file: IO[bytes]) -> str:
        digest = hashlib.sha256()
        async for chunk in response.aiter_raw(_PIECE):
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
        return digest.hexdigest()

    async def _put(
        self, name: str, body: Body, content_type: str, params: dict[str, str]
    ) -> ArtifactInfo:
        path = _path(check_name(name))
        headers = {"Content-Type": content_type or "application/octet-stream"}
        with self._reading():
            async with self._connection.open(
                "PUT",
                path,
                params=params,
                body=body,
                headers=headers,
                patience=self._connection.patience,
            ) as response:
                text = await self._connection.read(response)
        with self._connection.checking():
            return _info(self._connection.parse(text))

    @asynccontextmanager
    async def _open(self, method: str, name: str) -> AsyncIterator[httpx.Response]:
        missing = f"there is no artifact {name!r:.200}"
        if name_problem(name) is not None:
            raise ArtifactNotFoundError(missing)
        try:
            with self._reading():
                async with self._connection.open(
                    method, _path(name), patience=self._connection.patience
                ) as response:
                    yield response
        except RemoteError as error:
            if error.status != _NOT_FOUND:
                raise
            raise ArtifactNotFoundError(missing) from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise unreachable(error, self._connection.url) from error


def _path(name: str) -> str:
    return f"/artifacts/{quote(normal_name(name), safe='/')}"


def _info(data: Any) -> ArtifactInfo:
    try:
        return ArtifactInfo.from_dict(data)
    except ArtifactError as error:
        raise ProtocolError(str(error)) from error


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, _PIECE):
        yield piece


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write that takes the place of ``path`` when all went well."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

"""What a kernel may ask of the artifact store: the part of the dispatcher's table for it.

Place in the house: middle layer, below ``dispatch``. Bytes are stored as they came and never
decoded here; stores may block, so each call runs in a thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Method
from kernel_bootstrap.wire.pieces import Piece
from py_code_mode.artifacts.base import ArtifactStore, Details
from py_code_mode.artifacts.names import name_problem
from py_code_mode.artifacts.times import expiry
from py_code_mode.errors import ArtifactError
from py_code_mode.toolcalls import Origin

__all__ = ["ArtifactAnswers"]

_MAX_FOLDER = 200
"""Bytes of a session's name that leave room for those of the artifacts in its folder."""

_MOST_AT_ONCE = 16 * 1024 * 1024
"""Bytes of an artifact that one reply carries, whatever it might; kernels ask for far fewer."""


class ArtifactAnswers:
    """Answers a kernel's requests about artifacts.

    Args:
        store: The artifacts.
        limits: Bounds of requests and replies.

    Attributes:
        table: Method -> coroutine.
    """

    def __init__(self, store: ArtifactStore, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._most = min(limits.reply_bytes, _MOST_AT_ONCE)
        self.table: Mapping[str, Callable[[Origin, Any], Awaitable[Any]]] = {
            Method.ARTIFACTS_SAVE: self._save,
            Method.ARTIFACTS_LOAD: self._load,
            Method.ARTIFACTS_GET: self._get,
            Method.ARTIFACTS_LIST: self._list,
            Method.ARTIFACTS_SEARCH: self._search,
            Method.ARTIFACTS_EXISTS: self._exists,
            Method.ARTIFACTS_DELETE: self._delete,
            Method.ARTIFACTS_BEGIN: self._begin,
            Method.ARTIFACTS_WRITE: self._write,
            Method.ARTIFACTS_COMMIT: self._commit,
            Method.ARTIFACTS_ABORT: self._abort,
            Method.ARTIFACTS_READ: self._read,
            Method.OUTPUT_SPILL: self._keep_output,
        }

    async def _save(self, origin: Origin, params: Any) -> dict[str, Any]:
        details = _details(params, origin)
        info = await asyncio.to_thread(
            self._store.save_packed, params.name, params.kind, params.data, details
        )
        return info.to_dict()

    async def _load(self, _: Origin, params: Any) -> dict[str, Any]:
        """Answer with all of an artifact, or with what is known about it if it is large."""

        def load() -> dict[str, Any]:
            info = self._store.get(params.name)
            if info is not None and info.size > min(params.most, self._most):
                return {"info": info.to_dict(), "data": None}
            info, data = self._store.load_packed(params.name)
            return {"info": info.to_dict(), "data": data}

        return await asyncio.to_thread(load)

    async def _get(self, _: Origin, params: Any) -> dict[str, Any] | None:
        info = await asyncio.to_thread(self._store.get, params.name)
        return None if info is None else info.to_dict()

    async def _list(self, _: Origin, params: Any) -> list[dict[str, Any]]:
        found = await asyncio.to_thread(self._store.list, params.prefix, params.tag)
        return [info.to_dict() for info in found]

    async def _search(self, _: Origin, params: Any) -> list[dict[str, Any]]:
        found = await asyncio.to_thread(self._store.search, params.query, params.limit)
        return [info.to_dict() for info in found]

    async def _exists(self, _: Origin, params: Any) -> bool:
        return await asyncio.to_thread(self._store.exists, params.name)

    async def _delete(self, _: Origin, params: Any) -> bool:
        return await asyncio.to_thread(self._store.delete, params.name)

    # Piece by piece.

    async def _begin(self, origin: Origin, params: Any) -> int:
        details = _details(params, origin)
        return await origin.uploads.begin(
            lambda: self._store.open_write(params.name, params.kind, details)
        )

    async def _write(self, origin: Origin, params: Any) -> None:
        await origin.uploads.write(params.id, params.offset, params.data.data)

    async def _commit(self, origin: Origin, params: Any) -> dict[str, Any]:
        return (await origin.uploads.commit(params.id, params.size)).to_dict()

    async def _abort(self, origin: Origin, params: Any) -> None:
        origin.uploads.abort(params.id)

    async def _read(self, _: Origin, params: Any) -> Piece:
        if params.size > self._most:
            raise ArtifactError(
                f"{params.size:,} bytes are more than are read at once: {self._most:,}; "
                "read it in pieces"
            )

        def read() -> Piece:
            pieces = self._store.read_chunks(
                params.name, params.offset, params.size, sha256=params.sha256
            )
            return Piece(b"".join(pieces))

        return await asyncio.to_thread(read)

    # Outputs that were too large for a result.

    async def _keep_output(self, origin: Origin, params: Any) -> int:
        """Begin to keep what was cut; it comes piece by piece like any artifact."""
        what, kind, suffix = params.what, *_form(params.what, whole=params.whole)
        number = f"-{params.number}" if params.number > 1 else ""
        plain = what.replace("/", "-").replace("+", "-")
        part = "All" if params.whole else "The beginning"
        details = Details(
            f"{part} of {what} of a cell whose result was cut",
            tags=("output",),
            content_type=what if kind == "media" else "",
            type_name="str" if kind == "text" else "",
            session=origin.session[:200],
            author=origin.author[:200],
        )
        name = f"outputs/{_folder(origin.session)}/{origin.cell}-{plain}{number}{suffix}"
        return await origin.uploads.begin(
            lambda: self._store.open_write(name, kind, details), self._limits.spill_bytes
        )


_FORMS = {
    "outputs": ("text", ".jsonl"),
    "text/html": ("text", ".html"),
    "text/markdown": ("text", ".md"),
    "text/latex": ("text", ".tex"),
    "image/svg+xml": ("media", ".svg"),
    "image/png": ("media", ".png"),
    "image/jpeg": ("media", ".jpg"),
    "image/gif": ("media", ".gif"),
    "application/pdf": ("media", ".pdf"),
}
"""Kind and suffix of what was cut, for people to open."""


def _folder(session: str) -> str:
    """Return a session's name if it can be a folder's, else one that is made of it."""
    if name_problem(f"outputs/{session}") is None and len(session.encode()) <= _MAX_FOLDER:
        return session
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", session)[:40].strip("-")
    digest = hashlib.sha256(session.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{plain or 'session'}-{digest[:8]}"


def _form(what: str, *, whole: bool) -> tuple[str, str]:
    if what.endswith(("/json", "+json")) and whole:
        return "json", ".json"
    return _FORMS.get(what, ("text", ".txt"))


def _details(params: Any, origin: Origin) -> Details:
    """Return what a kernel says of an artifact; where it comes from the host knows better."""
    return Details(
        params.description,
        params.metadata,
        tuple(params.tags),
        params.content_type,
        params.type_name,
        expiry(params.ttl, None),
        origin.session[:200],
        origin.author[:200],
    )
